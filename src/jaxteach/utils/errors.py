"""Errors a user can cause: one clear line, exit status 2, no traceback."""

import contextlib
import difflib
import os
import sys
import threading
from collections.abc import Callable, Iterable

from jaxteach.utils.signals import AtOnce
from jaxteach.utils.surroundings import settle


class UserError(Exception):
    """A mistake in what the user gave: its message says what is wrong, where, and what to do."""


def nearest(name: str, options: Iterable[str]) -> str:
    """Describe the names a user may have meant.

    Args:
        name: what the user wrote.
        options: the names that exist.

    Returns:
        A phrase such as ``did you mean 'linear'? (choose from: constant, linear)``.

    >>> nearest("liner", ["constant", "linear"])
    "did you mean 'linear'? (choose from: constant, linear)"
    """
    names = sorted(options)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}(choose from: {', '.join(names)})"


def one_line(text: object, most: int = 600) -> str:
    """Fold any text, however long, into one printable line of at most so many characters.

    >>> one_line("a\\n  b", 3), one_line("one two three", 10)
    ('a b', 'one two...')
    """
    folded = " ".join(str(text).split(maxsplit=most)[:most])[: most + 1]
    printable = "".join(c if c.isprintable() else "?" for c in folded)
    return printable if len(printable) <= most else printable[: most - 3] + "..."


def cli(main: Callable[[], int | None]) -> None:
    """Run an entry point: a `UserError` becomes one line on stderr and exit status 2.

    A signal ends it at once, with status 130 for Ctrl-C, wherever it is not within `Stopping`.

    Args:
        main: the entry point; what it returns is the exit status (None means 0).
    """
    settle()
    on_main_thread = threading.current_thread() is threading.main_thread()
    try:
        with AtOnce() if on_main_thread else contextlib.nullcontext():
            status = main()
    except UserError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has seen enough; nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(status or 0)
