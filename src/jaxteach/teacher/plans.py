"""The plan grammar: how the words of an answer become options. Nothing is ever evaluated."""

import re
from collections.abc import Collection

from jaxteach.tasks.language import WAIT, Grammar, Option

_TARGETED = re.compile(r"([^<>]+) <([^<>]+)>(?: with <([^<>]+)>)?")


def parse_plan(text: str, objects: Collection[str], grammar: Grammar) -> tuple[Option, ...]:
    """Read a plan: options separated by commas, objects in angle brackets.

    Args:
        text: the plan as written, such as ``go to <key>, pick up <key>``.
        objects: the names it may mention.
        grammar: the verbs it may use.

    Returns:
        One option for each part between commas, in order. A part the grammar rejects (an unknown verb or
        object, any other spelling) is a wait that keeps the words.

    >>> grammar = Grammar(("explore",), ("go to", "open"), with_tool=("open",))
    >>> parse_plan("go to <door>, open <door> with <key>", ("key", "door"), grammar)
    (Option(kind='go to', object='door', raw=None), Option(kind='open', object='door', raw=None))
    >>> parse_plan("use <key>", ("key", "door"), grammar)
    (Option(kind='wait', object=None, raw='use <key>'),)
    """
    return tuple(_parse_option(part.strip(" \t\r\n"), objects, grammar) for part in text.split(","))


def _parse_option(text: str, objects: Collection[str], grammar: Grammar) -> Option:
    """Read one option, already stripped of blanks at its ends."""
    if text in grammar.plain:
        return Option(text)
    match = _TARGETED.fullmatch(text)
    if match:
        # Compared whole with ASCII spellings: no look-alike letter, odd space or change of case can pass.
        verb, target, tool = match.groups()
        verbs = grammar.targeted if tool is None else grammar.with_tool
        if verb in verbs and target in objects and (tool is None or tool in objects):
            return Option(verb, target)
    # Half of a surrogate pair, which a broken reply can hold, could not be written to a file.
    return Option(WAIT, raw=text.encode("utf-8", "replace").decode())
