"""The folder of compiled programs: where it is, and what happens to damaged entries in it. No JAX here."""

import contextlib
import functools
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxteach.utils.errors import UserError

CACHE_VARIABLE = "JAXTEACH_CACHE"


def compilation_cache(asked: str | None = None, notice: Callable[[str], Any] | None = None) -> Path | None:
    """Where compiled programs are kept, a folder that is there and can be written; None for nowhere.

    Args:
        asked: a folder, or off; by default $JAXTEACH_CACHE, else a folder in the user's cache, else one of
            the user's own among temporary files.
        notice: told in one line if the folder in $JAXTEACH_CACHE cannot be used.

    Raises:
        UserError: the folder asked for cannot be used.
    """
    named = asked or os.environ.get(CACHE_VARIABLE)
    if named == "off":
        return None
    if named:
        folder = Path(os.path.expanduser(named))
        trouble = why_not(folder)
        if trouble is None:
            return folder
        if asked:
            raise UserError(f"--cache {asked}: {trouble}: choose another folder, or off")
    instead = next((folder for folder in usual_folders() if why_not(folder) is None), None)
    if named and notice is not None:
        notice(f"{CACHE_VARIABLE}={named}: {trouble}: compiled programs are kept in {instead or 'no folder'}")
    return instead


def usual_folders() -> Iterator[Path]:
    """Where compiled programs are kept if nothing is said, first choice first."""
    own = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(own):  # any other value is to be passed over, says its specification
        yield Path(own) / "jaxteach"
    # An account without a home has none, or one that is not there, which is not for us to make.
    home = os.path.expanduser("~")
    if os.path.isabs(home) and os.path.isdir(home):
        yield Path(home) / ".cache" / "jaxteach"
    with contextlib.suppress(FileNotFoundError):  # there are no temporary files either
        shared = Path(tempfile.gettempdir()) / f"jaxteach-{os.getuid()}"
        if is_private(shared):
            yield shared


def is_private(folder: Path) -> bool:
    """Whether a folder, made if need be, belongs to this user alone: its programs are run unseen."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return stat.S_ISDIR(folder.lstat().st_mode) and why_not_own(folder) is None
    except OSError:
        return False


def why_not_own(path: Path) -> str | None:
    """Why what is in a file or folder may be somebody else's, in words; None if it is this user's alone."""
    found = path.lstat()
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        return "belongs to another user"
    return "may be written by others" if stat.S_ISLNK(found.st_mode) or found.st_mode & 0o022 else None


def why_not(folder: Path) -> str | None:
    """Why a folder cannot be written, in words; None if it can. It is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def replace_damaged(folder: Path) -> None:
    """Have JAX remove an entry of the cache that it cannot read, so that it compiles and writes it anew.

    By itself it warns, compiles, and leaves the entry as it is, at every start.

    Args:
        folder: the cache's.
    """
    # Private to JAX: with a version that has no such function damaged entries are warned of, as before.
    with contextlib.suppress(ImportError, AttributeError):
        from jax._src import compilation_cache as entries

        read = getattr(entries.get_executable_and_time, "__wrapped__", entries.get_executable_and_time)

        @functools.wraps(read)
        def read_or_remove(cache_key: str, *arguments: Any, **named: Any) -> Any:
            try:
                return read(cache_key, *arguments, **named)
            except Exception:  # damaged bytes make zlib and XLA raise unrelated types
                with contextlib.suppress(OSError):
                    (folder / f"{cache_key}-cache").unlink()
                return None, None

        entries.get_executable_and_time = read_or_remove
