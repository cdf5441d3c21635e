"""The log of answers: one JSON line for each, appended at once, so that nothing is lost or asked twice."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from jaxteach.errors import UserError, one_line

try:
    import fcntl
except ImportError:  # no such thing on Windows: there, two writers are not told apart
    fcntl = None  # type: ignore[assignment]

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
        existed = path.exists() and path.stat().st_size > 0
        if existed and not resume:
            raise UserError(
                f"{path} holds answers: --resume continues it, --overwrite puts it aside and starts anew"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+b")  # noqa: SIM115 - open as long as the log is
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._lock()
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

    def _lock(self) -> None:
        """Keep a second process from writing the same file."""
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(f"{self.path} is being written by another run: wait for it to end") from error

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
        """One line, checked for the fields that every answer has."""
        try:
            record = json.loads(line)
            if number > 1:
                key_of(record)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"{self.path}, line {number}: damaged ({error}): repair or delete the line to ask again"
            ) from error
        if not isinstance(record, dict):
            raise UserError(f"{self.path}, line {number}: not an answer")
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
    """
    keys = set()
    for line in path.read_bytes().splitlines()[1:] if path.is_file() else []:
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            keys.add(key_of(json.loads(line)))
    return keys


def _header(settings: Record) -> Record:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return {"settings": settings, "settings_sha256": digest}
