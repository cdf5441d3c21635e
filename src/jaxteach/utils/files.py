"""Files that are either whole or absent: write beside the target, then rename."""

import contextlib
import itertools
import os
from pathlib import Path

from jaxteach.utils.errors import UserError


def write_atomic(path: Path, data: bytes) -> None:
    """Put bytes into a file so that a reader, or a crash, never sees half.

    Args:
        path: the file to create or replace; its folder must exist.
        data: the whole content.

    Raises:
        UserError: the folder is missing or not writable, or the disk is full; an older file stays.
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(scratch, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def new_folder(path: Path) -> Path:
    """Make a folder that no other process has, even one that asks for the same name at once.

    Args:
        path: its name.

    Returns:
        The folder: the name itself, or if that is taken with -2, -3 and so on at its end.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = path if number == 1 else path.with_name(f"{path.name}-{number}")
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                break
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}: choose another --out") from error
    return folder
