"""What --help prints: tyro's text, laid out anew so that what people look for comes first."""

import contextlib
import io
import os
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

ALL = "--help-all"
"""Prints everything in full."""
ASKED = ("-h", "--help", ALL)
LEFT = 26
"""Columns of a flag and what it takes; a longer one has a line to itself."""
WIDEST = 100
CUT = "..."
READ_AT = "120"
"""Columns that tyro is told: wide enough for few broken lines, too narrow for two boxes side by side."""


@dataclass(frozen=True)
class Entry:
    """A flag or positional argument.

    Attributes:
        name: with what it takes, such as "--seeds INT".
        text: what it is.
    """

    name: str
    text: str

    def tidied(self) -> "Entry":
        """The same without what tells nothing: that a default is None, and a switch's other form.

        >>> Entry("--cache {None}|STR", "Folder; by default ~/.cache. (default: None)").tidied()
        Entry(name='--cache STR', text='Folder; by default ~/.cache.')
        >>> Entry("--resume, --no-resume", "Continue. (default: False)").tidied()
        Entry(name='--resume', text='Continue.')
        >>> Entry("--think, --no-think", "Think first. (default: True)").tidied()
        Entry(name='--no-think', text='Switch off: think first.')
        """
        name = re.sub(r"\{None\}\||\|\{None\}", "", self.name).replace("{None,", "{")
        text = re.sub(r"\s*\(default: (None|)\)$", "", self.text)
        if switch := re.fullmatch(r"(--\S+), (--no-\S+)", name):
            if text.endswith("(default: False)"):
                return Entry(switch[1], text.removesuffix("(default: False)").rstrip())
            text = text.removesuffix("(default: True)").rstrip()
            return Entry(switch[2], f"Switch off: {text[:1].lower()}{text[1:]}")
        return Entry(name, text)

    def lines(self, width: int) -> Iterator[str]:
        """In full."""
        text = textwrap.wrap(self.text, width - LEFT)
        if len(self.name) + 4 > LEFT:
            yield f"  {self.name}"
        elif text:
            yield f"  {self.name:<{LEFT - 2}}{text.pop(0)}"
        else:
            yield f"  {self.name}"
        yield from (" " * LEFT + line for line in text)

    def line(self, width: int) -> str:
        """In one line, the default kept and the rest cut off."""
        told = re.search(r" \(default: [^)]*\)$", self.text)
        default = told[0] if told else ""
        left = f"  {self.name:<{LEFT - 3}} "
        room = max(12, width - len(left) - len(default))
        return left + textwrap.shorten(self.text.removesuffix(default), room, placeholder=CUT) + default


@dataclass(frozen=True)
class Section:
    """A group of flags.

    Attributes:
        title: its heading.
        about: what they are for; may be empty.
        entries: its flags.
    """

    title: str
    about: str = ""
    entries: list[Entry] = field(default_factory=list)

    def lines(self, width: int, short: bool) -> Iterator[str]:
        """Its heading and its flags."""
        if not self.entries:
            return
        yield ""
        if short:
            about = f"{self.title}: {self.about}".removesuffix(" ")
            yield textwrap.shorten(about, width, placeholder=CUT)
            yield from (entry.line(width) for entry in self.entries)
            return
        yield f"{self.title}:"
        yield from textwrap.wrap(self.about, width)
        for entry in self.entries:
            yield from entry.lines(width)


@contextlib.contextmanager
def laid_out(prog: str, args: Sequence[str], common: Sequence[str]) -> Iterator[None]:
    """A context within which the help that tyro prints is laid out anew.

    Args:
        prog: what was started.
        args: the command line; without a request for help nothing changes.
        common: flags that come first and in full, in this order; the others then have a line each, unless
            `ALL` asks for everything. Empty: all in full.
    """
    words = args[: args.index("--")] if "--" in args else args
    if not set(words) & set(ASKED):
        yield
        return
    before, text = os.environ.get("COLUMNS"), io.StringIO()
    width = min(WIDEST, shutil.get_terminal_size().columns)
    os.environ["COLUMNS"] = READ_AT
    try:
        with contextlib.redirect_stdout(text):
            yield
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
        if text.getvalue():
            full = ALL in words or not common
            print("\n".join(arranged(prog, text.getvalue(), width, common, full)))


def arranged(prog: str, text: str, width: int, common: Sequence[str], full: bool) -> Iterator[str]:
    """The lines of a help.

    Args:
        prog: what was started.
        text: tyro's, as it prints it into a file.
        width: columns.
        common: see `laid_out`.
        full: whether all flags are told in full.
    """
    usage, about, sections = read(text)
    yield from textwrap.wrap(usage, width, subsequent_indent="  ", break_on_hyphens=False)
    yield ""
    yield from textwrap.wrap(about, width)
    flags = {entry.name.split()[0]: entry for section in sections for entry in section.entries}
    first = [flags[flag] for flag in common if flag in flags]
    if first:
        yield from Section("common options", "", first).lines(width, short=False)
    for section in sections:
        rest = [entry for entry in section.entries if entry not in first]
        yield from replace(section, entries=rest).lines(width, short=not full)
    if not full:
        yield ""
        yield f"{prog} {ALL} tells all of this in full."


def read(text: str) -> tuple[str, str, list[Section]]:
    """Take tyro's help apart: usage, description, sections.

    Args:
        text: as tyro prints it into a file: a heading, a line of dashes, what the group is for, and flags,
            their texts to the right of them or below, indented.
    """
    head, *parts = re.split(r"(?m)^ (\S.*?) *\n -{20,} *\n", text)
    usage, _, about = (" ".join(part.split()) for part in head.strip().partition("\n\n"))
    sections = []
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        positional = title.startswith("positional")
        told: list[str] = []
        entries: list[list[str]] = []
        for line in filter(lambda line: line.strip(" -"), body.splitlines()):
            if line.startswith("   ") and entries:
                entries[-1].append(line.strip())
            elif positional or line.startswith("  -"):
                name, _, said = line.strip().partition("  ")
                entries.append([name, said.strip()])
            else:
                told.append(line.strip())
        found = [Entry(name, " ".join(filter(None, said))).tidied() for name, *said in entries]
        sections.append(Section(title, " ".join(told), found))
    return re.sub(r"\{None\}\|", "", usage), about, sections
