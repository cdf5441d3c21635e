"""How a request is put, and what a server that refuses it may be asked without."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from jaxteach.llm.prompts import Message

Form = frozenset[str]
"""What is left out of a request, or put in another way, because the server refuses it."""

SEED = "seed"
"""Left out: the server draws its own random numbers."""
SYSTEM = "system role"
"""Left out: what the system says begins the first question instead."""
LIMIT = "max_tokens"
"""Said as max_completion_tokens, the name that newer OpenAI models know it by. Nothing is lost by it."""

NOTICES = {
    SEED: "refuses `seed`: asked without, so the same seed may give other answers another time",
    SYSTEM: "refuses the system role: what it says begins the first question instead",
}
"""The message about what is left out, after the server's name."""

_SEED = re.compile(r"\bseed\b", re.IGNORECASE)
_ROLE = re.compile(
    r"\broles?\b|\bsystem (role|message|prompt|instruction)|developer instruction", re.IGNORECASE
)
_SYSTEM = re.compile(r"\bsystem\b", re.IGNORECASE)
_LIMIT = re.compile(r"\bmax_tokens\b", re.IGNORECASE)
_UNKNOWN = re.compile(
    r"unknown|unsupported|unrecogni[sz]ed|unexpected|extra|not (permitted|allowed|supported)|cannot find",
    re.IGNORECASE,
)
_ECHOES = frozenset({"input", "ctx", "url", "body", "request"})
"""Fields of an error that repeat what was sent, where every name would be found."""

# A refusal of these words alone does not say what it is about.
_SAYS_NOTHING = frozenset(
    """a allowed an and are argument bad badrequesterror be been cannot client code content could
    detail details entity error errors exception extra failed field fields forbidden has have html
    http in input inputs internal internalservererror invalid is message name no not null object
    occurred of one or page param parameter parameters params permitted process processed processing
    properties property request server status supplied supported the title to type unexpected
    unknown unprocessable unrecognised unrecognized unsupported valid validation value was we web
    with xml your""".split()
)


def body(
    form: Form, model: str, messages: Sequence[Message], seed: int, temperature: float, max_tokens: int
) -> dict[str, Any]:
    """A request for one answer.

    Args:
        form: what to leave out.
        model: as the server calls it.
        messages: the conversation.
        seed: of the answer.
        temperature: of the answer.
        max_tokens: where to cut it off.
    """
    limit = "max_completion_tokens" if LIMIT in form else "max_tokens"
    return {
        "model": model,
        "messages": without_system(messages) if SYSTEM in form else list(messages),
        "temperature": temperature,
        **({} if SEED in form else {"seed": seed}),
        limit: max_tokens,
    }


def without_system(messages: Sequence[Message]) -> list[Message]:
    """A conversation in which the system's words begin the first turn after them.

    >>> without_system([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hm?"}])
    [{'role': 'user', 'content': 'Be brief.\\n\\nHm?'}]
    """
    system = [message["content"] for message in messages if message["role"] == "system"]
    first, *others = (message for message in messages if message["role"] != "system")
    return [{**first, "content": "\n\n".join([*system, first["content"]])}, *others]


def trials(status: int, said: str, form: Form, mixed: bool) -> Iterator[Form]:
    """In what other forms a refused request may pass, the likeliest first.

    Args:
        status: of the refusal.
        said: its body.
        form: that was refused.
        mixed: whether the server has answered before, or failed in another way: then the form is not what it
            refuses, unless it says so.
    """
    found = named(status, said) - form
    if found:
        yield form | found
    elif status in (400, 422, 500) and not mixed and says_nothing(said):
        # Chat templates fail within the server, which says 500 and no more; checks of fields say 400 or 422.
        lacking = [{SYSTEM}] if status == 500 else [{SEED}, {SYSTEM}, {SEED, SYSTEM}]
        yield from (form | left for left in lacking if not left <= form)


def says_nothing(said: str) -> bool:
    """Whether a refusal does not say what it is about.

    >>> says_nothing('{"error": {"message": "Bad Request", "code": 400}}'), says_nothing("context too long")
    (True, False)
    """
    return set(re.findall(r"[a-z_]{2,}", re.sub(r"<[^>]*>|_", " ", _words(said)).lower())) <= _SAYS_NOTHING


def named(status: int, said: str) -> Form:
    """What a refusal names of what can be left out.

    Args:
        status: of the refusal; a status from 500 on may be by chance, and has to be plainer.
        said: its body.
    """
    sure = status in (400, 404, 406, 415, 422)
    if not sure and status < 500:
        return frozenset()
    words = _words(said)
    found = set()
    if _SEED.search(words) and (sure or _UNKNOWN.search(words)):
        found.add(SEED)
    if _ROLE.search(words) or (sure and _SYSTEM.search(words)):
        found.add(SYSTEM)
    if "max_completion_tokens" in words or (_LIMIT.search(words) and _UNKNOWN.search(words)):
        found.add(LIMIT)
    return frozenset(found)


def _words(said: str) -> str:
    """The words of an error's body, without what it repeats of the request."""
    try:
        return " ".join(_strings(json.loads(said)))
    except (ValueError, RecursionError):
        return said


def _strings(document: Any) -> Iterator[str]:
    """All keys and texts of a JSON document."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key not in _ECHOES:
                yield key
                yield from _strings(value)
    elif isinstance(document, list):
        for value in document:
            yield from _strings(value)
    elif isinstance(document, str):
        yield document
