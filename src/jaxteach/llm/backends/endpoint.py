"""A backend for any server with the OpenAI chat API: vLLM, Ollama, llama.cpp, OpenAI and others."""

import http.client
import json
import os
import random
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from jaxteach.errors import UserError, one_line
from jaxteach.llm.backend import Reply, Score, at_least, was_broken, was_cut
from jaxteach.llm.prompts import Message

MAX_BYTES = 8 * 2**20
"""Longest reply that is read; a server can send anything."""
LONGEST_WAIT = 60.0
"""Most seconds to wait before another try, whatever the server asks for."""

DAY = 86_400.0
"""Longest time-out; a socket cannot wait for ever longer ones."""
SECRET = 8
"""Fewest characters of a key that is looked for in answers: shorter ones, such as "x" for a server that wants
no key, are no secrets, and could be part of any word."""

_TRY_AGAIN = frozenset({408, 409, 425, 429})  # and all from 500 on


class _Fault(Exception):
    """A reply that may be better next time; carries the seconds the server asks to wait, if any."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


class _OtherName(Exception):
    """The server has another name for the limit on tokens."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another address: it is an error instead."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class EndpointBackend:
    """Asks a server, one request for each answer (a server may ignore a request for several).

    Args:
        base_url: such as http://localhost:8000/v1.
        model: as the server calls it.
        key_variable: the environment variable that holds the key; a server without keys needs none.
        concurrency: requests at the same time.
        timeout: seconds to wait for a reply.
        retries: further tries after a fault that may pass.
        sleep: waits between tries; replaced in tests. By default a wait that `stop` ends.

    Raises:
        UserError: the URL or a number makes no sense, or nobody answers there.
    """

    capabilities = frozenset({"generate"})
    batch = 1

    def __init__(
        self,
        base_url: str,
        model: str,
        key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 4,
        timeout: float = 120.0,
        retries: int = 6,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._host = _host(base_url)
        at_least("concurrency", concurrency, 1)
        at_least("retries", retries, 0)
        if not 0 < timeout <= DAY:
            raise UserError(f"--timeout is {timeout}: it must be more than 0 seconds and at most a day")
        self.concurrency = concurrency
        self._url = base_url.rstrip("/")
        self._model = model
        self._key_variable = key_variable
        self._key = os.environ.get(key_variable, "").strip()
        if any(not "!" <= c <= "~" for c in self._key):
            raise UserError(f"the key in {key_variable} holds blanks or characters that no key has")
        self._timeout = timeout
        self._retries = retries
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._limit_field = "max_tokens"
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._knock()

    def describe(self) -> dict[str, Any]:
        """What answers: the model as it was asked for, and where; the key stays out."""
        return {
            "backend": "openai",
            "model": self._model,
            "server": self._host,
            "revision": None,
            "weights_sha256": None,
            "versions": {},
        }

    def generate(
        self, messages: Sequence[Message], seeds: Sequence[int], temperature: float, max_tokens: int
    ) -> list[Reply]:
        """One request for each seed."""
        return [self._ask(messages, seed, temperature, max_tokens) for seed in seeds]

    def stop(self) -> None:
        """Let requests under way end, and begin no further try."""
        self._stopped.set()

    def score(self, messages: Sequence[Message], prefill: str, options: Sequence[str]) -> list[Score]:
        """Not offered: the chat API gives no likelihood of a given text."""
        raise NotImplementedError("the chat API cannot score a given text")

    def _knock(self) -> None:
        """Find out before the first question whether anybody answers."""
        try:
            self._send(urllib.request.Request(f"{self._url}/models", headers=self._headers()))
        except urllib.error.HTTPError as error:
            with error:
                self._check_key(error.code, "")
        except _Fault:
            pass  # it answers, if not well; the questions have tries of their own
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise UserError(
                f"no answer from {self._host}: {self._clean(reason)}: check --base-url"
            ) from error

    def _ask(self, messages: Sequence[Message], seed: int, temperature: float, max_tokens: int) -> Reply:
        """Ask until a usable reply comes or the tries are used up."""
        tries = 0
        while True:
            limit = self._limit_field
            body = {
                "model": self._model,
                "messages": list(messages),
                "temperature": temperature,
                "seed": seed,
                limit: max_tokens,
            }
            try:
                return self._try(json.dumps(body).encode(), limit, last=tries == self._retries)
            except _OtherName:
                self._limit_field = "max_completion_tokens"  # for the other threads too; costs no try
                continue
            except _Fault as error:
                fault = error
            tries += 1
            if tries <= self._retries:
                self._sleep(_pause(tries, fault.wait))
            if tries > self._retries or self._stopped.is_set():
                raise UserError(
                    f"{self._host}: gave up after {tries} tries: {fault}: "
                    f"nothing answered so far is lost, --resume continues"
                ) from fault

    def _try(self, body: bytes, limit: str, last: bool) -> Reply:
        """One request; raises a `_Fault` for whatever another try may mend."""
        url = f"{self._url}/chat/completions"
        try:
            data = self._send(urllib.request.Request(url, data=body, headers=self._headers()))
            return _read_reply(self._without_key(json.loads(data)), accept_empty=last)
        except urllib.error.HTTPError as error:
            self._refused(error, limit)
        except (ValueError, RecursionError) as error:
            raise _Fault(f"the reply is not JSON ({self._clean(error)})") from error
        except OSError as error:
            raise _Fault(f"no reply ({self._clean(getattr(error, 'reason', error))})") from error

    def _send(self, request: urllib.request.Request) -> bytes:
        """Send a request and read the whole reply."""
        try:
            with self._opener.open(request, timeout=self._timeout) as reply:
                data: bytes = reply.read(MAX_BYTES + 1)
        except http.client.HTTPException as error:
            raise _Fault(f"the connection broke off ({type(error).__name__})") from error
        if len(data) > MAX_BYTES:
            raise _Fault(f"the reply is longer than {MAX_BYTES >> 20} MB")
        return data

    def _refused(self, error: urllib.error.HTTPError, limit: str) -> NoReturn:
        """Sort a refusal into what may pass and what the user has to mend."""
        with error:
            try:
                said = error.read(4000).decode("utf-8", "replace")
            except (OSError, http.client.HTTPException):
                said = ""
        what = f"status {error.code}: {self._clean(said)[:300]}"
        if error.code in _TRY_AGAIN or error.code >= 500:
            raise _Fault(what, _seconds(error.headers.get("Retry-After"))) from error
        if error.code == 400 and "max_completion_tokens" in said and limit == "max_tokens":
            raise _OtherName from error  # newer OpenAI models
        self._check_key(error.code, what)
        hint = (
            f" (is --model {self._model} right, and does --base-url end in /v1?)" if error.code == 404 else ""
        )
        raise UserError(f"{self._host} refused: {what}{hint}") from error

    def _check_key(self, code: int, what: str) -> None:
        """Say what to do when a key is missing or wrong."""
        if code in (401, 403):
            state = "the key in" if self._key else "no key: set"
            raise UserError(
                f"{self._host} refused {state} the environment variable {self._key_variable} {what}"
            )

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "jaxteach"}
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    def _clean(self, text: object) -> str:
        """One line for a message, with the key taken out should a server echo it."""
        line = one_line(text)
        if self._key:
            escaped = json.dumps(self._key)[1:-1]
            for echo in (self._key, escaped, escaped.replace("/", "\\/")):
                line = line.replace(echo, "***")
        return line

    def _without_key(self, document: Any) -> Any:
        """A reply with the key taken out of it, wherever a server echoes it: answers are stored and shown."""
        if len(self._key) < SECRET:
            return document
        return json.loads(json.dumps(document).replace(json.dumps(self._key)[1:-1], "***"))


def _host(base_url: str) -> str:
    """The host and port of a base URL.

    Raises:
        UserError: it is none, or holds more than an address: what it holds is not shown.
    """
    try:
        parts = urllib.parse.urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")  # refuses labels that are empty or too long
    except ValueError:  # of the port, of a bracket that is not closed, of the name
        usable = False
    if not usable or any(not "!" <= c <= "~" or c in "@?#" for c in base_url):
        raise UserError("--base-url must look like http://localhost:8000/v1, without user name, key or query")
    return parts.netloc


def _read_reply(document: Any, accept_empty: bool) -> Reply:
    """Check that a reply holds what was asked for, and take it out.

    Args:
        document: the reply's JSON.
        accept_empty: take an answer without words as it is; before the last try it counts as a fault.
    """
    if (
        not isinstance(document, dict)
        or not isinstance(document.get("choices"), list)
        or not document["choices"]
    ):
        said = document.get("error") if isinstance(document, dict) else document
        raise _Fault(f"the reply holds no choices: {one_line(said)[:200]}")
    choice = document["choices"][0]
    message = choice.get("message") if isinstance(choice, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    finish = (
        str(choice["finish_reason"]) if isinstance(choice, dict) and choice.get("finish_reason") else None
    )
    if isinstance(choice, dict) and choice.get(
        "error"
    ):  # how a router passes on a fault of the server behind it
        raise _Fault(f"the answer holds an error: {one_line(choice['error'])[:200]}")
    if was_broken(finish):
        raise _Fault(f"the server ended the answer with finish_reason {one_line(finish)[:80]!r}")
    if content is None and isinstance(message, dict):
        content = ""  # a model that spent all its tokens on reasoning says null
    if not isinstance(content, str):
        raise _Fault("the reply holds no text")
    if not content.strip() and not was_cut(finish) and not accept_empty:
        raise _Fault("the answer is empty")
    usage: Any = document.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    served_by = document.get("model")
    return Reply(
        text=content.encode("utf-8", "replace").decode(),
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        finish=finish,
        served_by=one_line(served_by) if isinstance(served_by, str) else None,
    )


def _pause(attempt: int, asked: float | None) -> float:
    """Seconds before another try: what the server asks, else twice as long each time, spread by chance."""
    grown = 0.5 * 2.0 ** min(attempt - 1, 16) * random.uniform(0.5, 1.0)
    return min(LONGEST_WAIT, grown if asked is None else max(asked, 0.0))


def _seconds(header: str | None) -> float | None:
    """A Retry-After header in seconds; its other form, a date, is not worth reading."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds <= LONGEST_WAIT else LONGEST_WAIT


def _count(value: Any) -> int | None:
    """A count of tokens, if that is what a server sent."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
