"""The plan grammar: what a teacher may say, and how its words become options."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

TARGETED = ("go to", "pick up", "drop", "open")
"""Kinds of option that name an object."""

KINDS = ("explore", *TARGETED, "wait")
"""Every kind of option; "wait" stands for all that the grammar rejects."""

# Spelled out in ASCII, so that no look-alike letter, odd space or change of case can pass for an option.
_TARGETED = re.compile(rf"({'|'.join(TARGETED)}) <([^<>]+)>")
_OPEN_WITH = re.compile(r"(open) <([^<>]+)> with <([^<>]+)>")


@dataclass(frozen=True)
class Option:
    """One step of a plan.

    Attributes:
        kind: one of `KINDS`.
        object: canonical name of the object, for the kinds in `TARGETED` alone.
        raw: for a wait, the words that the grammar rejected; None if there were none.

    Raises:
        ValueError: an unknown kind, or an object or raw text where the kind has none.

    >>> Option("go to", "key").text
    'go to <key>'
    """

    kind: str
    object: str | None = None
    raw: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of option {self.kind!r}")
        if (self.object is not None) != (self.kind in TARGETED):
            raise ValueError(f"option {self.kind!r} with object {self.object!r}")
        if self.raw is not None and self.kind != "wait":
            raise ValueError(f"option {self.kind!r} with raw text")

    @property
    def text(self) -> str:
        """The option in words; a wait shows what was rejected."""
        if self.kind in TARGETED:
            return f"{self.kind} <{self.object}>"
        return self.kind if self.raw is None else self.raw


def all_options(objects: Sequence[str]) -> tuple[Option, ...]:
    """Every option a task knows, in a fixed order.

    Args:
        objects: the names a plan may mention, such as `Vocabulary.objects`.

    Returns:
        explore; go to everything; pick up and drop every key; open every door.

    >>> [option.text for option in all_options(("key", "door"))]
    ['explore', 'go to <key>', 'go to <door>', 'pick up <key>', 'drop <key>', 'open <door>']
    """
    kinds = {name: name.split()[-1].rstrip("0123456789") for name in objects}
    keys = [name for name in objects if kinds[name] == "key"]
    doors = [name for name in objects if kinds[name] == "door"]
    return (
        Option("explore"),
        *(Option("go to", name) for name in (*keys, *doors)),
        *(Option("pick up", key) for key in keys),
        *(Option("drop", key) for key in keys),
        *(Option("open", door) for door in doors),
    )


def parse_plan(text: str, objects: Collection[str]) -> tuple[Option, ...]:
    """Read a plan: options separated by commas, objects in angle brackets. Nothing is ever evaluated.

    Args:
        text: the plan as written, such as ``go to <key>, pick up <key>``.
        objects: the names it may mention.

    Returns:
        One option for each part between commas, in order. A part the grammar rejects (an unknown verb or
        object, any other spelling) is a wait that keeps the words.

    >>> parse_plan("go to <door>, open <door> with <key>", ("key", "door"))
    (Option(kind='go to', object='door', raw=None), Option(kind='open', object='door', raw=None))
    >>> parse_plan("use <key>", ("key", "door"))
    (Option(kind='wait', object=None, raw='use <key>'),)
    """
    return tuple(_parse_option(part.strip(" \t\r\n"), objects) for part in text.split(","))


def _parse_option(text: str, objects: Collection[str]) -> Option:
    """Read one option, already stripped of blanks at its ends."""
    if text == "explore":
        return Option("explore")
    match = _TARGETED.fullmatch(text) or _OPEN_WITH.fullmatch(text)
    if match and all(name in objects for name in match.groups()[1:]):
        return Option(match[1], match[2])
    # Half of a surrogate pair, which a broken reply can hold, could not be written to a file.
    return Option("wait", raw=text.encode("utf-8", "replace").decode())
