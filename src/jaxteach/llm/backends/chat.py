"""What servers send back: answers, errors in many forms, and what is neither."""

import json
import re
from typing import Any

from jaxteach.llm.backend import Reply, was_broken, was_cut
from jaxteach.llm.backends.wire import MAX_BYTES, Answer
from jaxteach.utils.errors import one_line

LONGEST_WAIT = 60.0
"""Most seconds to wait before another try, whatever the server asks for."""

_TRY_AGAIN = frozenset({408, 409, 425, 429})  # and all from 500 on
_PASSES = re.compile(
    r"overload|busy|again|retry|time-?d? ?out|rate.?limit|too.many|capacity|temporar|unavailable|internal|"
    r"loading|warming|server.?error",
    re.IGNORECASE,
)
_WRONG_KEY = re.compile(r"authenticat|api_key", re.IGNORECASE)
_SPENT = re.compile(r"insufficient_quota|billing_hard_limit_reached", re.IGNORECASE)
_REASONING = ("reasoning_content", "reasoning", "thinking")
"""Where servers put what a model thinks before it answers."""
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x78\x01": "deflate", b"\x78\x9c": "deflate"}


class Fault(Exception):
    """A reply that may be better next time; carries the seconds the server asks to wait, if any."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


class NoChat(Exception):
    """What answers is no chat API: no further try will mend that."""


class Refusal(Exception):
    """An error that the server put into words.

    Args:
        status: of HTTP, or what stands for it in an error that came with status 200.
        said: its body.
        what: how it came, in words.
        wait: seconds the server asks to wait.
        location: where a redirect leads.
    """

    def __init__(
        self, status: int, said: str, what: str, wait: float | None = None, location: str | None = None
    ) -> None:
        super().__init__(what)
        self.status = status
        self.said = said
        self.wait = wait
        self.location = location

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be answered another time."""
        return (self.status in _TRY_AGAIN or self.status >= 500) and not _SPENT.search(self.said)


def read_document(answer: Answer) -> Any:
    """The JSON of a reply that is no error by its status.

    Args:
        answer: the reply.

    Raises:
        Fault: it is broken.
        NoChat: it is something else altogether.
        Refusal: it holds an error.
    """
    if len(answer.body) > MAX_BYTES:
        raise Fault(f"the reply is longer than {MAX_BYTES >> 20} MB")
    if answer.kind == "text/event-stream":
        raise NoChat(_STREAM)
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _not_json(answer, error) from error
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # errors come like this from Gemini
    if isinstance(document, dict) and not document.get("choices"):
        _raise_error(document)
    return document


def refusal(answer: Answer) -> Refusal:
    """What a reply says that is an error by its status.

    Args:
        answer: the reply.
    """
    packed = _packing(answer)
    if packed:
        said = f"(compressed, {packed})"
    elif _is_page(answer.body):
        said = _page(answer.body)
    else:
        said = answer.body[:4000].decode("utf-8", "replace")
    wait = seconds(answer.headers.get("Retry-After"))
    return Refusal(answer.status, said, f"status {answer.status}", wait, answer.headers.get("Location"))


def read_reply(document: Any, accept_empty: bool) -> Reply:
    """Check that a reply holds what was asked for, and take it out.

    Args:
        document: the reply's JSON.
        accept_empty: take an answer without words as it is; before the last try it counts as a fault.

    Raises:
        Fault: it does not.
        NoChat: it is JSON of another kind.
    """
    if not isinstance(document, dict) or "choices" not in document:
        raise NoChat(f"the reply is JSON, but no chat completion: {one_line(document)[:200]}")
    if not isinstance(document["choices"], list) or not document["choices"]:
        raise Fault(f"the reply holds no choices: {one_line(document)[:200]}")
    choice = document["choices"][0]
    message = choice.get("message") if isinstance(choice, dict) else None
    content = text_of(message) if isinstance(message, dict) else None
    finish = (
        str(choice["finish_reason"]) if isinstance(choice, dict) and choice.get("finish_reason") else None
    )
    if isinstance(choice, dict) and choice.get("error"):  # how a router passes on a fault behind it
        raise Fault(f"the answer holds an error: {one_line(choice['error'])[:200]}")
    if was_broken(finish):
        raise Fault(f"the server ended the answer with finish_reason {one_line(finish)[:80]!r}")
    if content is None or message is None:
        raise Fault("the reply holds no text")
    empty = not content.strip()
    alone = reasoning_of(message) if empty else None
    if empty and not was_cut(finish) and alone is None and not accept_empty:
        raise Fault("the answer is empty")
    usage: Any = document.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    served_by = document.get("model")
    return Reply(
        text=content.encode("utf-8", "replace").decode(),
        tokens_in=_count(usage.get("prompt_tokens")),
        tokens_out=_count(usage.get("completion_tokens")),
        finish=finish,
        served_by=one_line(served_by) if isinstance(served_by, str) else None,
        reasoning_alone=alone,
    )


def text_of(message: dict[str, Any]) -> str | None:
    """The words of a message; None if its content is nothing that holds words.

    A list of parts is put together; parts of thoughts are no part of the answer. A refusal is an answer.

    >>> text_of({"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Plan: x"}]})
    'Plan: x'
    """
    content = message.get("content")
    refused = message.get("refusal")
    if content is None or content == "" or content == []:
        return refused if isinstance(refused, str) else ""  # all tokens spent on reasoning leave null
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [_text_of_part(part) for part in parts]
    if None in texts:
        return None
    joined = ""
    for text in filter(None, texts):
        # Parts are pieces of one text, or paragraphs: a capital right after a full word begins a paragraph.
        apart = joined and not joined[-1].isspace() and text[0].isupper()
        joined += f"\n{text}" if apart else text
    return joined


def reasoning_of(message: dict[str, Any]) -> str | None:
    """The field that holds a model's thoughts, if there are any."""
    for name in _REASONING:
        if message.get(name):
            return name
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return "content" if any(isinstance(part, dict) and _is_thought(part) for part in parts) else None


def _text_of_part(part: Any) -> str | None:
    """The words of a part of a message; None if it is nothing that a message is made of."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return None
    if _is_thought(part):
        return ""
    text = part.get("text", part.get("refusal"))
    if isinstance(text, dict):
        text = text.get("value")
    return text if isinstance(text, str) else "" if "type" in part else None


def _is_thought(part: dict[str, Any]) -> bool:
    return str(part.get("type")).startswith(("reasoning", "thinking", "redacted"))


def _raise_error(document: dict[str, Any]) -> None:
    """Raise the `Refusal` that a document without answers holds, if it holds one."""
    error = document.get("error") or document.get("errors")
    if not error and "choices" not in document:
        error = next((document[name] for name in ("detail", "message") if document.get(name)), None)
        if isinstance(error, dict) and "content" in error:
            return  # an answer, of another API
    if not error:
        return
    fields = [part for part in (document, error) if isinstance(part, dict)]
    codes = [str(part[name]) for part in fields for name in ("code", "status", "type") if part.get(name)]
    said = json.dumps(error)
    number = next((int(code) for code in codes if re.fullmatch("[45][0-9][0-9]", code)), None)
    if number is None and any(_WRONG_KEY.search(code) for code in codes):
        number = 401
    if number is None:
        number = 503 if _PASSES.search(said) else 400
    raise Refusal(number, said[:4000], "an error with status 200")


_STREAM = (
    "the reply is a stream of events (SSE), though none was asked for: switch streaming off at the server"
)


def _not_json(answer: Answer, error: Exception) -> Fault | NoChat:
    """Name what a reply is that is no JSON."""
    body = answer.body
    packed = _packing(answer)
    if packed:
        return NoChat(
            f"the reply is compressed ({packed}), though that was not asked for: switch compression off at "
            f"the server, or at what stands before it"
        )
    text = body.lstrip()
    if _is_page(body):
        return NoChat(f"the reply is not JSON but {_page(body)}")
    if re.match(rb"(data|event|id|retry)?:", text):
        return NoChat(_STREAM)
    if text[:1] in (b"{", b"["):
        first, _, rest = text.partition(b"\n")
        if rest.strip() and _is_json(first):
            return NoChat("the reply is a stream of JSON lines: switch streaming off at the server")
        return Fault(f"the reply is not JSON ({one_line(error)})")
    if not text:
        return Fault("the reply is empty")
    return NoChat(f"the reply is not JSON but text: {one_line(text[:200].decode('utf-8', 'replace'))!r}")


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _packing(answer: Answer) -> str | None:
    """How a body is compressed, by what it begins with or else by what its header says."""
    named = (answer.headers.get("Content-Encoding") or "").strip().lower()
    begun = next((name for start, name in _PACKED.items() if answer.body.startswith(start)), None)
    return begun or (named if named in ("gzip", "x-gzip", "deflate", "br", "zstd", "compress") else None)


def _is_page(body: bytes) -> bool:
    return body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _page(body: bytes) -> str:
    """A web page in a few words."""
    text = body[:65_536].decode("utf-8", "replace")
    kind = (
        "a web page (HTML)" if re.search(r"<(!doctype html|html|head|body)\b", text[:2000], re.I) else "XML"
    )
    title = re.search(r"<title[^>]*>([^<]*)</title>", text, re.IGNORECASE)
    words = title[1] if title else re.sub(r"<[^>]*>", " ", text)
    return f"{kind}, {one_line(words)[:100]!r}"


def seconds(header: str | None) -> float | None:
    """A Retry-After header in seconds; its other form, a date, is not worth reading."""
    try:
        asked = float(header or "")
    except ValueError:
        return None
    return asked if 0 <= asked <= LONGEST_WAIT else LONGEST_WAIT


def _count(value: Any) -> int | None:
    """A count of tokens, if that is what a server sent."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None
