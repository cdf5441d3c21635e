"""Reading a command line: tyro's parsing, with its complaints folded into one line."""

import contextlib
import io
import re
import sys
from typing import Any

import tyro

from jaxteach.errors import UserError


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
        words = re.sub(r"[\u2500-\u257f]+|\x1b\[[0-9;]*m", " ", complaint.getvalue())
        raise UserError(re.sub(r"^\s*(Parsing error|Unrecognized options)\s*", "", words)) from None
