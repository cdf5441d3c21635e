"""Reading a command line: tyro's parsing, with its complaints folded into one line."""

import contextlib
import difflib
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import tyro

from jaxteach.cli.help import ALL, laid_out
from jaxteach.utils.errors import UserError, nearest

# What tyro says of a mistake, and what is said instead.
PHRASES = (
    (r"Error parsing (\S+): invalid literal for int\(\) with base 10: (.*)", r"\1: \2 is not a whole number"),
    (r"Error parsing (\S+): could not convert string to float: (.*)", r"\1: \2 is not a number"),
    (r"Error parsing (\S+): no type matching INT\|FLOAT .*?from \[(.*?)\].*", r"\1: \2 is not a number"),
    (
        r"Error parsing (\S+): no type matching (.+?) could .*?from \[(.*?)\].*",
        r"\1: \3 does not fit, it takes \2",
    ),
    (r"Missing value for argument '(\S+)'.*", r"\1: its value is missing"),
    (r"invalid choice (.*) for argument '(\S+)'\. Expected one of \((.*)\)\.", r"\2: \1 is not one of \3"),
)

COMPLETION = ("--tyro-print-completion", "--tyro-write-completion")
"""Flags that tyro answers with a shell's completion script, where they come first."""
SHELLS = ("bash", "zsh", "tcsh", "fish")


def parse[T](
    options: type[T],
    module: str,
    default: T | None = None,
    args: list[str] | None = None,
    common: Sequence[str] = (),
) -> T:
    """Parse the command line into a dataclass.

    Args:
        options: the dataclass.
        module: the entry point's name, for the usage line.
        default: where defaults come from, instead of the dataclass's own.
        args: the arguments, by default the process's.
        common: flags that --help tells first and in full, the others in a line each; empty for all in full.

    Returns:
        The parsed options.

    Raises:
        UserError: for a flag that does not exist, a value of the wrong type, or a path below a home that does
            not.
        SystemExit: after printing what --help asks for.
    """
    arguments = [in_full(argument) for argument in (sys.argv[1:] if args is None else args)]
    extra: dict[str, Any] = {} if default is None else {"default": default}
    prog = program(module)
    check_shell(arguments)
    asked = [argument.replace(ALL, "--help") for argument in arguments] if common else arguments
    with complaining(prog), laid_out(prog, arguments, common):
        return tyro.cli(options, prog=prog, args=asked, **extra)


def program(module: str) -> str:
    """How a command was started: `jaxteach run`, `python -m jaxteach run`, else `python -m jaxteach.run`.

    Args:
        module: the entry point's name.
    """
    # The console command puts its own name and the command's there; else it is the path of a file.
    return sys.argv[0] if sys.argv[0].endswith(f"jaxteach {module}") else f"python -m jaxteach.{module}"


def check_shell(args: list[str]) -> None:
    """Refuse to complete flags for a shell that tyro has no script for.

    Raises:
        UserError: naming those it has.
    """
    if len(args) > 1 and args[0].replace("_", "-") in COMPLETION and args[1] not in SHELLS:
        raise UserError(f"{args[0]} {args[1]}: {nearest(args[1], SHELLS)}")


@contextlib.contextmanager
def complaining(prog: str) -> Iterator[None]:
    """A context within which what tyro complains of becomes one line.

    Args:
        prog: what was started, for the advice to ask for its help.

    Raises:
        UserError: in place of a complaint.
        SystemExit: after tyro printed what was asked for.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            yield
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UserError(f"{in_short(complaint.getvalue())} ({prog} --help)") from None


def in_short(complaint: str) -> str:
    """Fold what tyro prints of a mistake, boxed and in several lines, into one plain sentence.

    Args:
        complaint: the box.

    Returns:
        The sentence; tyro's own words, where they are none of those foreseen.
    """
    # The box is of dashes where the terminal has no better.
    plain = re.sub(r"[\u2500-\u257f]+|(?<!\S)-{3,}(?!\S)|\x1b\[[0-9;]*m", " ", complaint).strip()
    # The first line is the box's heading, whatever it is.
    words = " ".join(plain.partition("\n")[2].split()) or " ".join(plain.split())
    words = re.sub(r" ?(Argument helptext:|For full helptext,).*", "", words)
    if found := re.search(r"Unrecognized options: ([^\s,]+)(.*)", words):
        return f"unknown option {found[1]}{meant(found[1], found[2])}"
    if found := re.match(r"Missing from .*?: (.*)", words):
        # Each is its flags or its name in capitals, what it is, and that it is required.
        names = [text.split()[0].rstrip(",") for text in found[1].split("(required)") if text.strip()]
        return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"
    for pattern, instead in PHRASES:
        if re.fullmatch(pattern, words):
            return re.sub(pattern, instead, words)
    return words


def meant(flag: str, hints: str) -> str:
    """What may have been meant by a flag that does not exist, in words; nothing if tyro offers none.

    Args:
        flag: what was written.
        hints: the rest of tyro's words: flags that are similar, both forms of a switch beside each other.
    """
    offered = re.findall(r"(?:Perhaps you meant|similar to \S+): ((?:-[^\s,]+,? ?)+)", hints)
    flags = [word.rstrip(",") for words in offered for word in words.split()]
    close = difflib.get_close_matches(flag, flags, n=1, cutoff=0.0)
    return f": did you mean {close[0]}?" if close else ""


def in_full(argument: str) -> str:
    """An argument with the user's home in place of a ~ that the shell has left there, as in --out=~/runs.

    Raises:
        UserError: there is no home.

    >>> in_full("--teacher=none"), in_full("a~b")
    ('--teacher=none', 'a~b')
    """
    flag, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    full = os.path.expanduser(value)
    if full.startswith("~") and full.partition("/")[0] == "~":
        raise UserError(f"{argument}: this account has no home directory; give the path in full")
    return f"{flag}{equals}{full}"
