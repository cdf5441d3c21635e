"""Run folders, as far as they need no JAX: made, locked, refused, and taken away again if left empty."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jaxteach.config import from_json
from jaxteach.utils.errors import UserError
from jaxteach.utils.files import new_folder
from jaxteach.utils.json_file import own_fields, read_object, typed
from jaxteach.utils.lock import FolderLock
from jaxteach.utils.signals import tidied

if TYPE_CHECKING:
    from jaxteach.teacher.table import PlanTable


@dataclass(frozen=True)
class Device:
    """What a run computes on, as config.json names it."""

    platform: str
    kind: str
    count: int


@dataclass(frozen=True)
class Table:
    """A run's teacher table, as config.json names it."""

    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Own:
    """Flags of a run that config.json holds beside the configuration."""

    deterministic: bool = False
    """Have accelerators compute the same bits in every run, at some cost. CPUs do so anyway."""
    keep_params: Literal["all", "none"] = "all"
    """all: parameters of every student are written; none: they are gone once their chunk is evaluated."""


@dataclass(frozen=True, kw_only=True)
class Record(Own):
    """What a run that continues reads in config.json beside the configuration."""

    fingerprint: str
    teacher_table: Table | None
    device: Device
    versions: dict[str, str]
    numerics: dict[str, str] = field(default_factory=dict)


def read_config(folder: Path) -> dict[str, Any] | None:
    """A run folder's config.json, every value of it of the right type; None if there is none.

    Raises:
        UserError: it is damaged, or was edited to what no run writes.
    """
    path = folder / "config.json"
    try:
        values = read_object(path)
    except FileNotFoundError:
        return None
    try:
        from_json(values, str(path))
        typed(Record, own_fields(Record, values), str(path))
    except UserError as error:
        raise UserError(f"{error}: bring back what the run wrote, or choose another --out") from error
    return values


def check_table(folder: Path, then: dict[str, Any], table: "PlanTable | None", teacher: str) -> None:
    """Refuse to continue with a run under another teacher table than it was started with.

    Args:
        folder: the run's.
        then: its config.json.
        table: the table now, or None.
        teacher: the name under which it was asked for.

    Raises:
        UserError: if the table has changed, or what config.json says of it.
    """
    was: dict[str, str] | None = then.get("teacher_table")
    if (table is None) != (was is None):
        raise UserError(
            f"{folder}/config.json has been changed: its teacher_table is not that of --teacher {teacher}"
        )
    if table is not None and was is not None and was != {"name": table.name, "sha256": table.sha256}:
        raise UserError(
            f"the teacher table {teacher} has changed since {folder} was started: bring back the "
            f"file with sha256 {was.get('sha256')}, or choose another --out"
        )


def make_folder(path: Path) -> None:
    """Make a folder that can be written to.

    Raises:
        UserError: if it cannot be made, or not be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"{path} cannot be a folder, there is a file in the way: choose another --out"
        ) from error
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    if not os.access(path, os.W_OK):
        raise UserError(f"cannot write {path}: permission denied")


def check_free(path: Path, new: bool, notice: Callable[[str], None]) -> None:
    """Refuse a folder that a run cannot have, as far as can be told without making it.

    Args:
        path: the folder.
        new: whether the run begins there.
        notice: told in one line that a lock is watched or was taken over.

    Raises:
        UserError: it holds a run already, is in use, or cannot be made or written.
    """
    if new:
        check_new(path)
    there = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
    if there == path or not there.is_dir():
        make_folder(path)  # makes nothing: the folder is there, or a file in its way
    elif not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {path}: permission denied")
    if (path / "lock").exists():
        with FolderLock(path, notice=notice):
            pass


def check_new(path: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        UserError: saying what can be done instead.
    """
    if (path / "config.json").exists():
        raise UserError(
            f"{path} already holds a run: continue with it (--resume), choose another --out, or remove it"
        )


@contextlib.contextmanager
def held(path: Path, notice: Callable[[str], None], anew: bool = False) -> Iterator[Path]:
    """A context within which a run's folder is there and locked.

    Folders that were made for it are removed again at its end if nothing has been written into them.

    Args:
        path: the folder.
        notice: told in one line that a lock is watched or was taken over.
        anew: make a folder that was not there before, of this name or one like it.

    Yields:
        The folder.

    Raises:
        UserError: the folder cannot be made or written, or is in use by another run.
    """
    made = [each for each in (path, *path.parents) if not each.exists()]

    def unmake() -> None:
        with contextlib.suppress(OSError):  # such as that one is not empty
            for each in made:
                each.rmdir()

    if anew:
        path = new_folder(path)
        made = [path, *(each for each in made if each in path.parents)]
    make_folder(path)
    try:
        with tidied(unmake), FolderLock(path, notice=notice):
            yield path
    finally:
        unmake()


def in_words(n_bytes: float) -> str:
    """A number of bytes for a person.

    >>> in_words(1_500), in_words(23_400_000), in_words(8e9)
    ('2 kB', '23 MB', '8.0 GB')
    """
    if n_bytes >= 1e9:
        return f"{n_bytes / 1e9:.1f} GB"
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.0f} kB"
