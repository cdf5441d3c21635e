"""Reading a command line: tyro's parsing, with its complaints folded into one line."""

import contextlib
import io
import re
import sys
from typing import Any

import tyro

from jaxteach.errors import UserError

HEADINGS = "Parsing error|Value error|Missing argument|Invalid choice|Unrecognized options"
# What tyro says of a mistake, and what is said instead.
PHRASES = (
    (r"Error parsing (\S+): invalid literal for int\(\) with base 10: (.*)", r"\1: \2 is not a whole number"),
    (r"Error parsing (\S+): could not convert string to float: (.*)", r"\1: \2 is not a number"),
    (r"Error parsing (\S+): no type matching INT\|FLOAT .*?from \[(.*?)\].*", r"\1: \2 is not a number"),
    (
        r"Error parsing (\S+): no type matching (\S+) .*?from \[(.*?)\].*",
        r"\1: \3 does not fit, it takes \2",
    ),
    (r"Missing value for argument '(\S+)'.*", r"\1: its value is missing"),
    (r"invalid choice (.*) for argument '(\S+)'\. Expected one of \((.*)\)\.", r"\2: \1 is not one of \3"),
    (r"Unrecognized options: (\S+?),? .*?meant: (\S+) .*", r"unknown option \1: did you mean \2?"),
    (r"Unrecognized options: (\S+?)(,| |$).*", r"unknown option \1"),
)


def parse[T](options: type[T], module: str, default: T | None = None, args: list[str] | None = None) -> T:
    """Parse the command line into a dataclass.

    Args:
        options: the dataclass.
        module: the entry point's name, for the usage line.
        default: where defaults come from, instead of the dataclass's own.
        args: the arguments, by default the process's.

    Returns:
        The parsed options.

    Raises:
        UserError: for a flag that does not exist or a value of the wrong type.
        SystemExit: after printing what --help asks for.
    """
    arguments = sys.argv[1:] if args is None else args
    extra: dict[str, Any] = {} if default is None else {"default": default}
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(options, prog=f"python -m jaxteach.{module}", args=arguments, **extra)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UserError(f"{in_short(complaint.getvalue())} (python -m jaxteach.{module} --help)") from None


def in_short(complaint: str) -> str:
    """Fold what tyro prints of a mistake, boxed and in several lines, into one plain sentence.

    Args:
        complaint: the box.

    Returns:
        The sentence; tyro's own words, where they are none of those foreseen.
    """
    # The box is of dashes where the terminal has no better.
    words = " ".join(re.sub(r"[\u2500-\u257f]+|(?<!\S)-{3,}(?!\S)|\x1b\[[0-9;]*m", " ", complaint).split())
    words = re.sub(rf"^({HEADINGS}) ", "", words)
    words = re.sub(r" (Argument helptext:|For full helptext,).*", "", words)
    for pattern, instead in PHRASES:
        if re.fullmatch(pattern, words):
            return re.sub(pattern, instead, words)
    return words
