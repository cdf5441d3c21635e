"""The log of answers: one JSON line for each, appended at once, so that nothing is lost or asked twice."""

import contextlib
import hashlib
import itertools
import json
import math
import os
from pathlib import Path
from typing import IO, Any

from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.files import write_atomic
from jaxteach.utils.lock import flock

Record = dict[str, Any]
"""One answer: "ask", "state", "number" say to what; the rest is what came back."""

Key = tuple[str, int, int]
"""What was asked: (ask, state, number)."""


class AnswerLog:
    """An append-only file: a first line with the settings, then one line an answer.

    Opening it for resuming drops a last line that was cut off in the middle: that answer never was complete.

    Args:
        path: the file.
        settings: everything that decides what an answer is; a log made with others is refused.
        resume: continue a file that exists, instead of refusing it.

    Raises:
        UserError: the file exists and is not to be resumed, was made with other settings, is damaged, is
            being written by another process, or cannot be written.
    """

    def __init__(self, path: Path, settings: Record, resume: bool = False) -> None:
        self.path = path
        self._settings = settings
        try:
            if not resume and path.exists() and path.stat().st_size > 0:
                raise UserError(
                    f"{path} holds answers: --resume continues it, --overwrite puts it aside and starts anew"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+b")  # noqa: SIM115 - open as long as the log is
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from error
        try:
            _lock(self._file, path)
            self.records = self._read()
            if self._file.tell() == 0:
                self._write(_header(settings))
        except BaseException:
            self.close()
            raise

    def __contains__(self, key: Key) -> bool:
        return key in self.records

    def append(self, records: list[Record]) -> None:
        """Add answers; they are on disk when this returns.

        Args:
            records: the answers of one call.

        Raises:
            UserError: the disk is full or gone.
        """
        self._write(*records)
        self.records |= {key_of(record): record for record in records}

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _read(self) -> dict[Key, Record]:
        """All complete answers; what a killed run left half-written is cut off."""
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._file.truncate(len(whole))
        self._file.seek(0, os.SEEK_END)
        lines = whole.splitlines()
        if not lines:
            return {}
        records = [self._parse(line, number) for number, line in enumerate(lines, start=1)]
        self._compare(records[0])
        return {key_of(record): record for record in records[1:]}

    def _parse(self, line: bytes, number: int) -> Record:
        """One line, checked for what a table is made from."""
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError("not an answer")
            if number > 1:
                _check_answer(record)
        except (ValueError, RecursionError) as error:
            raise UserError(
                f"{self.path}, line {number}: damaged ({error}): repair or delete the line to ask again"
            ) from error
        return record

    def _compare(self, header: Record) -> None:
        """Refuse a log made with other settings, and say which differ."""
        theirs = header.get("settings")
        if not isinstance(theirs, dict):
            raise UserError(f"{self.path}, line 1: not a log of answers")
        for name in sorted(theirs.keys() | self._settings.keys()):
            old, new = theirs.get(name), self._settings.get(name)
            if old != new:
                raise UserError(
                    f"{self.path} was made with other settings: {name} was {_show(old)} and is "
                    f"now {_show(new)}: give the old ones, or --overwrite, or another --out"
                )

    def _write(self, *records: Record) -> None:
        """Write whole lines in one go and wait for the disk."""
        data = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records).encode("ascii")
        try:
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}") from error


def put_aside(path: Path) -> None:
    """Rename a log, if there is one, to the first free of *.old, *.old.1, *.old.2 and so on.

    Args:
        path: the log.

    Raises:
        UserError: it is being written by another process, or cannot be renamed.
    """
    try:
        if not path.exists():
            return
        with open(path, "ab") as file:
            _lock(file, path)
            path.rename(_aside(path))
    except OSError as error:
        raise UserError(f"cannot put {path} aside: {error.strerror}") from error


def keep_copy(path: Path) -> None:
    """Copy a table that will be replaced to the first free of *.old, *.old.1, *.old.2 and so on.

    Args:
        path: the table; it stays where it is until it is replaced, whole.

    Raises:
        UserError: the copy cannot be written.
    """
    write_atomic(_aside(path), path.read_bytes())


def _aside(path: Path) -> Path:
    names = (f"{path.name}.old{f'.{i}' if i else ''}" for i in itertools.count())
    return next(aside for aside in map(path.with_name, names) if not os.path.lexists(aside))


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep a second process from writing the same file, where the file system knows locks."""
    try:
        flock(file)
    except BlockingIOError as error:
        raise UserError(f"{path} is being written by another run: wait for it to end") from error
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def _check_answer(record: Record) -> None:
    """Raise a ValueError unless a record holds what it says it does."""
    try:
        kind, _, _ = key_of(record)
        if kind != "score":
            whole = isinstance(record["raw"], str)
        else:
            whole = all(math.isfinite(value) for value, _ in record["scores"].values())
    except KeyError as error:
        raise ValueError(f"the field {error} is missing") from error
    except (AttributeError, TypeError, OverflowError) as error:
        raise ValueError(f"a field is not of its type: {error}") from error
    if not whole:
        raise ValueError("the text is none" if kind != "score" else "a score is not a finite number")


def _show(value: object) -> str:
    """A setting in a few characters."""
    return one_line(json.dumps(value))[:160]


def key_of(record: Record) -> Key:
    """What a record answers.

    >>> key_of({"ask": "sample", "state": 2, "number": 0, "raw": "Plan: explore"})
    ('sample', 2, 0)
    """
    return str(record["ask"]), int(record["state"]), int(record["number"])


def answered(path: Path) -> set[Key]:
    """What a log holds answers to, whatever its settings; nothing if there is no log.

    Args:
        path: the file; it is only read.

    Raises:
        UserError: it cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()[1:] if path.exists() else []
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    keys = set()
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            keys.add(key_of(json.loads(line)))
    return keys


def _header(settings: Record) -> Record:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return {"settings": settings, "settings_sha256": digest}
