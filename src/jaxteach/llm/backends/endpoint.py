"""A backend for any server with the OpenAI chat API: vLLM, Ollama, llama.cpp, OpenAI and others."""

import dataclasses
import functools
import http.client
import json
import os
import random
import sys
import threading
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any

from jaxteach.llm.backend import Reply, Score, at_least
from jaxteach.llm.backends import forms
from jaxteach.llm.backends.chat import (
    LONGEST_WAIT,
    Fault,
    NoChat,
    Refusal,
    read_document,
    read_reply,
    refusal,
)
from jaxteach.llm.backends.forms import Form
from jaxteach.llm.backends.remedies import better_url, remedy
from jaxteach.llm.backends.wire import Wire
from jaxteach.llm.prompts import Message
from jaxteach.utils.errors import UserError, one_line

DAY = 86_400.0
"""Longest time-out; a socket cannot wait for ever longer ones."""
SECRET = 8
"""Fewest characters of a key that is looked for in answers: shorter ones, such as "x" for a server that wants
no key, are no secrets, and could be part of any word."""


def _tell(text: str) -> None:
    """Say something beside the progress bar."""
    print(f"\n{text}" if sys.stderr.isatty() else text, file=sys.stderr, flush=True)


class EndpointBackend:
    """Asks a server, one request for each answer (a server may ignore a request for several).

    Args:
        base_url: such as http://localhost:8000/v1.
        model: as the server calls it.
        key_variable: the environment variable that holds the key; a server without keys needs none.
        concurrency: requests at the same time.
        timeout: seconds for a whole reply, from the look-up of the server's name to the last byte.
        retries: further tries after a fault that may pass.
        sleep: waits between tries; replaced in tests. By default a wait that `stop` ends.
        notice: told once what the server is asked without; by default a line on stderr.

    Raises:
        UserError: the URL or a number makes no sense, or no server answers there.
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
        notice: Callable[[str], object] = _tell,
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
        self._retries = retries
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._notice = notice
        self._lock = threading.Lock()
        self._form: Form = frozenset()
        self._mixed = False  # whether anything but one and the same refusal has come
        self._told = False
        self._wire = Wire(self._url, timeout)
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
            answer = self._wire.send("GET", "/models", self._headers())
        except http.client.HTTPException:
            return  # it answers, if not well; each question is tried again by itself
        except OSError as error:
            raise UserError(f"no answer from {self._wire}: {self._clean(error)}: check --base-url") from error
        if not 200 <= answer.status < 300:
            self._check_key(refusal(answer))

    def _ask(self, messages: Sequence[Message], seed: int, temperature: float, max_tokens: int) -> Reply:
        """Ask until a usable reply comes or the tries are used up."""
        put = functools.partial(
            forms.body,
            model=self._model,
            messages=messages,
            seed=seed,
            temperature=temperature,
            max_tokens=max_tokens,
        )
        tries = 0
        while True:
            form, last = self._form, tries == self._retries
            try:
                try:
                    reply = self._try(put, form, last)
                except Refusal as error:
                    form, reply = self._try_without(put, form, error, tries, last)
                self._mixed = True
                self._adopt(form)
                self._note(reply)
                return dataclasses.replace(reply, left_out=tuple(sorted(form & forms.NOTICES.keys())))
            except Fault as error:
                fault, cause = error, error.__cause__
                self._mixed |= not (isinstance(cause, Refusal) and cause.status == 500)
            except NoChat as error:
                raise UserError(f"{self._wire}: {self._clean(error)}{better_url(self._url)}") from error
            tries += 1
            if tries <= self._retries:
                self._sleep(_pause(tries, fault.wait))
            if tries > self._retries or self._stopped.is_set():
                raise UserError(
                    f"{self._wire}: gave up after {tries} tries: {fault}: "
                    f"nothing answered so far is lost, --resume continues"
                ) from fault

    def _try(self, put: Callable[[Form], dict[str, Any]], form: Form, last: bool) -> Reply:
        """One request; raises a `Fault` for whatever another try may mend."""
        body = json.dumps(put(form)).encode()
        try:
            answer = self._wire.send("POST", "/chat/completions", self._headers(), body)
        except http.client.HTTPException as error:
            raise Fault(f"the connection broke off ({type(error).__name__})") from error
        except OSError as error:
            raise Fault(f"no reply ({self._clean(error)})") from error
        if not 200 <= answer.status < 300:
            raise refusal(answer)
        return read_reply(self._without_key(read_document(answer)), accept_empty=last)

    def _try_without(
        self, put: Callable[[Form], dict[str, Any]], form: Form, refused: Refusal, tries: int, last: bool
    ) -> tuple[Form, Reply]:
        """Ask again without what the server refuses; if that is no help, say what is.

        What a server calls its own error may be by chance: it is believed at the first try if it names what
        it does not like, at the second if it names nothing, and not later.
        """
        no_reason = forms.says_nothing(refused.said)
        if refused.status < 500 or tries == no_reason:
            for other in forms.trials(refused.status, refused.said, form, self._mixed):
                if put(other) == put(form):
                    continue  # there is no such thing in this request
                try:
                    return other, self._try(put, other, last)
                except Refusal as again:
                    refused = again
                    named = forms.named(again.status, again.said) - other
                    if named or (forms.says_nothing(again.said) and not no_reason):
                        return self._try_without(put, other, again, tries, last)
        self._check_key(refused)
        what = f"{refused}: {self._clean(refused.said)[:300]}"
        if refused.may_pass:
            raise Fault(what, refused.wait) from refused
        raise UserError(f"{self._wire} refused: {what}{remedy(refused, self._url, self._model)}") from refused

    def _adopt(self, form: Form) -> None:
        """Put all further requests as this one was, and say once what they lack."""
        with self._lock:
            new = form - self._form
            self._form |= new
        for left in sorted(new & forms.NOTICES.keys()):
            self._notice(f"{self._host} {forms.NOTICES[left]}; the table says so under left_out")

    def _note(self, reply: Reply) -> None:
        """Say once if answers are none, only thoughts."""
        with self._lock:
            told, self._told = self._told, self._told or reply.reasoning_alone is not None
        if reply.reasoning_alone and not told:
            self._notice(
                f"{self._host} sent thoughts ({reply.reasoning_alone}) and no answer: raise --max-tokens, or "
                f"see how the server parses reasoning; such answers count as no plan"
            )

    def _check_key(self, refused: Refusal) -> None:
        """Say what to do when a key is missing or wrong."""
        if refused.status in (401, 403):
            state = "the key in" if self._key else "no key: set"
            raise UserError(
                f"{self._wire} refused {state} the environment variable {self._key_variable} "
                f"{refused}: {self._clean(refused.said)[:300]}"
            )
        if refused.status == 407:
            raise UserError(f"no answer from {self._wire}: the proxy wants a name and a password")

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


def _pause(attempt: int, asked: float | None) -> float:
    """Seconds before another try: what the server asks, else twice as long each time, spread by chance."""
    grown = 0.5 * 2.0 ** min(attempt - 1, 16) * random.uniform(0.5, 1.0)
    return min(LONGEST_WAIT, grown if asked is None else max(asked, 0.0))
