"""From an LLM's free text to plans: find the line meant, then hand it to the strict grammar."""

import math
import re
from collections.abc import Collection

from jaxteach.teacher import Option, parse_plan

MAX_OPTIONS = 8
"""Options kept of one plan. A plan is asked anew at every step: later ones are hardly ever reached."""

MAX_RAW = 160
"""Characters kept of words that are no plan."""

LONGEST = 65_536
"""Characters of an answer that are read; a server can send anything."""

# No blank may match a line's end, nor in two ways: an answer of nothing but blanks would take for ever.
_PLAN = re.compile(r"^[ \t*_#>`\-]*plan[ \t*_`]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_WEIGHED = re.compile(r"^[ \t*_\-]*(\d+(?:\.\d+)?|\.\d+)[ \t]*(?:(%)[ \t]*)?[:\-](.+)$", re.MULTILINE)

Options = tuple[Option, ...]


def read_plan(text: str, objects: Collection[str]) -> Options:
    """The plan in a free answer: the first line that begins with "Plan:", or the last line if that is a plan.

    What a reasoning model writes up to "</think>" is passed over; what follows the plan (small models go on
    and on) too.

    Only the dress is taken off (case, markdown, a full stop); the words must be the grammar's.

    Args:
        text: the answer.
        objects: names a plan may mention.

    Returns:
        At least one option; a single wait with the raw words if no plan is found.

    >>> [option.text for option in read_plan("A key!\\n**Plan:** Go to <key>, pick up <key>.", ("key",))]
    ['go to <key>', 'pick up <key>']
    """
    answer = _answer(text)
    found = _PLAN.search(answer)
    if found:
        return _options(found[1], objects)
    lines = [line for line in answer.splitlines() if line.strip()]
    options = _options(lines[-1], objects) if lines else ()
    if options and not any(is_rejected(option) for option in options):
        return options
    return (Option("wait", raw=_shorten(text)),)


def read_weighed_plans(text: str, objects: Collection[str]) -> list[tuple[Options, float]]:
    """The plans in a verbalised answer, each with the probability stated for it.

    Args:
        text: the answer: lines such as ``0.7: go to <key>, pick up <key>`` or ``70%: explore``.
        objects: names a plan may mention.

    Returns:
        Plans and probabilities that sum to 1, in the order written; a single wait if no line gives a usable
        figure.
    """
    weighed = []
    answer = _answer(text)
    for figure, percent, words in _WEIGHED.findall(answer):
        weight = float(figure) / (100 if percent else 1)
        if weight > 0 and math.isfinite(weight):
            plan = _PLAN.match(words)
            weighed.append((_options(plan[1] if plan else words, objects), weight))
    if not weighed:
        return [((Option("wait", raw=_shorten(text)),), 1.0)]
    largest = max(weight for _, weight in weighed)  # divided out first: a sum of huge figures is infinite
    total = sum(weight / largest for _, weight in weighed)
    return [(options, weight / largest / total) for options, weight in weighed]


def thought_of(text: str) -> str:
    """A thought without the plan that may follow it.

    >>> thought_of("Thought: a key!\\n**Plan:** Go to <key>.")
    'Thought: a key!'
    """
    lines = text.strip().splitlines()
    kept = [i for i, line in enumerate(lines) if _PLAN.match(line)]
    return "\n".join(lines[: kept[0]] if kept else lines).strip()


def is_rejected(option: Option) -> bool:
    """Whether an option is words that the grammar refused."""
    return option.raw is not None


def _answer(text: str) -> str:
    """What is read of an answer: it begins after a reasoning model's thoughts."""
    return text.rpartition("</think>")[2][:LONGEST]


def _options(words: str, objects: Collection[str]) -> Options:
    """Parse one line, undressed."""
    bare = re.sub(r"[*_`]", "", words).strip().rstrip(".;").lower()
    options = parse_plan(bare, {name.lower() for name in objects})[:MAX_OPTIONS]
    return tuple(Option("wait", raw=_shorten(o.raw)) if o.raw is not None else o for o in options)


def _shorten(text: str) -> str:
    """One printable line of at most `MAX_RAW` characters."""
    folded = " ".join(text.split())
    printable = "".join(c if c.isprintable() else "?" for c in folded)
    return printable if len(printable) <= MAX_RAW else printable[: MAX_RAW - 3] + "..."
