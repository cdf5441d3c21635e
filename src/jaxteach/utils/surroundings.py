"""What a command finds where it runs: terminal, matplotlib's settings, and how this was installed."""

import atexit
import functools
import gc
import hashlib
import importlib.metadata
import io
import logging
import os
import re
import sys
from pathlib import Path


def settle() -> None:
    """Keep inherited settings from ending a command, and garbage from delaying it; before slow imports.

    Only commands call this: a program that uses the library keeps its own settings.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name may hold letters that the terminal has none for, or bytes that are no text at all.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # navix imports pyplot, which refuses a backend that is not installed, such as that of a notebook which
    # started the command. Commands open no window.
    os.environ["MPLBACKEND"] = "agg"
    # matplotlib warns of its own settings and folders: figures here take neither.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    # Tracing makes millions of objects that stay: looking for cycles among them took a tenth of its time.
    gc.set_threshold(100_000, 20, 20)
    # In the end all of them go with the process; looking once more took a few tenths of a second.
    atexit.register(gc.freeze)


@functools.cache
def source_digest() -> str:
    """A digest of this package's modules: results name it, and traced programs are kept for it."""
    package, total = Path(__file__).resolve().parents[1], hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        total.update(f"src/jaxteach/{file.relative_to(package)}\n".encode() + file.read_bytes())
    return total.hexdigest()


def how_to_install(extra: str) -> str:
    """The command that installs an extra, as fits how this package was installed: it is in no index.

    Args:
        extra: such as cluster.
    """
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").is_file():
        place = "." if checkout == Path.cwd() else str(checkout)
        return f'pip install -e "{place}[{extra}]"'
    needs = [need.partition(";") for need in importlib.metadata.requires("jaxteach") or ()]
    names = [f'"{name.strip()}"' for name, _, when in needs if re.search(rf"extra == .{extra}\b", when)]
    return f"pip install {' '.join(names)}"
