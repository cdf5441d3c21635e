"""What to do about a server that refuses, in words that follow the error."""

import re
import urllib.parse

from jaxteach.llm.backends.chat import Refusal

_ENDS = ("/chat/completions", "/completions", "/models")


def remedy(refused: Refusal, base_url: str, model: str) -> str:
    """What may help against a refusal; empty if nothing is known to.

    Args:
        refused: what the server said.
        base_url: what was asked.
        model: that was asked for.
    """
    if 300 <= refused.status < 400:
        return _redirected(refused.location or "", base_url)
    model_hint = f" (is --model {model} right?)" if refused.status == 404 else ""
    if refused.status in (404, 405) or refused.said.startswith("a web page"):
        return model_hint + better_url(base_url)
    return model_hint


def better_url(base_url: str) -> str:
    """The base URL that was probably meant; empty if this one looks right.

    >>> better_url("http://localhost:11434"), better_url("http://h/v1/chat/completions"), better_url("http://h/v1")
    (': did you mean --base-url http://localhost:11434/v1?', ': did you mean --base-url http://h/v1?', '')
    """
    meant = _without_end(base_url)
    if meant == base_url and not re.search(r"/v[0-9]", urllib.parse.urlsplit(base_url).path):
        meant = f"{base_url}/v1"
    return f": did you mean --base-url {meant}?" if meant != base_url else ""


def _redirected(location: str, base_url: str) -> str:
    """Where a redirect leads, without what may be secret of it, and what to do."""
    why = "a redirect is not followed, for it would take the key and the question elsewhere"
    try:
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(f"{base_url}/chat/completions", location))
    except ValueError:
        parts = urllib.parse.urlsplit("")
    if not location or not parts.netloc:
        return f"{why}{better_url(base_url)}"
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    meant = _without_end(place)
    advice = f": did you mean --base-url {meant}?" if meant not in (place, base_url) else better_url(base_url)
    return (
        f"a redirect to {place}, which is not followed, for the key and the question would go there{advice}"
    )


def _without_end(url: str) -> str:
    """A URL without the path that is added to every base URL."""
    bare = url.rstrip("/")
    return next((bare.removesuffix(end) for end in _ENDS if bare.endswith(end)), url)
