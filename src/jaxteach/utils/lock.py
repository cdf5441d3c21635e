"""A lock on a folder: one process writes there; that of a process which died is taken over."""

import contextlib
import errno
import json
import os
import platform
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from jaxteach.utils.errors import UserError
from jaxteach.utils.signals import tidied

try:
    import fcntl
except ImportError:  # no such thing on Windows: there, two writers are not told apart
    fcntl = None  # type: ignore[assignment]

BEAT = 5.0
"""Seconds between two signs of life of a lock's holder."""
WATCH = 4 * BEAT
"""How long a lock from another machine must show no sign of life before it is taken over, in seconds."""


class FolderLock:
    """The file `lock` in a folder, held while a run writes there.

    The kernel's lock on the file (flock) decides between processes of one machine: it ends with its
    process, however that dies, whoever uses the process's number next. Whether flock reaches other
    machines depends on the file system, so that the holder also renews the file every few seconds: a lock
    whose text names another machine is watched, and taken over only once it is no longer renewed.

    Args:
        folder: an existing folder.
        watch: seconds to watch a lock from another machine.
        notice: told in one line that a lock is watched or was taken over.
    """

    def __init__(self, folder: Path, watch: float = WATCH, notice: Any = lambda line: None) -> None:
        self._folder, self._path = folder, folder / "lock"
        self._watch, self._notice = watch, notice
        self._stop, self._held = threading.Event(), contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            UserError: another process holds it, or the folder cannot be written.
        """
        try:
            self._file, flocked = self._open()
        except OSError as error:
            raise UserError(f"cannot write {self._path}: {error.strerror or error}") from error
        try:
            holder = self._holder()
            if holder is not None:
                if not flocked or holder.get("machine") != machine():
                    self._wait_for_silence(holder)
                self._notice(f"taking over {self._folder}: the run that held it ({_name(holder)}) has died")
            self._claim()
        except OSError as error:
            os.close(self._file)
            raise UserError(f"cannot write {self._path}: {error.strerror or error}") from error
        except BaseException:
            os.close(self._file)
            raise
        self._thread = threading.Thread(target=self._beat, name="jaxteach-lock", daemon=True)
        self._thread.start()
        self._held.enter_context(tidied(self._path.unlink))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._file)

    def _open(self) -> tuple[int, bool]:
        """Open the file and lock it, as far as the file system can: its descriptor, and whether it could."""
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if not flock(file):
                    return file, False
            except BlockingIOError:
                holder = self._holder()
                os.close(file)
                raise UserError(self._refusal(holder or {})) from None
            except OSError:
                os.close(file)
                raise
            with contextlib.suppress(FileNotFoundError):
                # Whoever held it may have removed the file between our opening and locking it.
                if os.path.samestat(os.fstat(file), os.stat(self._path)):
                    return file, True
            os.close(file)

    def _holder(self) -> dict[str, Any] | None:
        """What the file says about its holder; None if it says nothing."""
        try:
            text = self._path.read_text(encoding="utf-8")
            holder = json.loads(text) if text else None
        except (OSError, ValueError, RecursionError):
            return {}
        return holder if holder is None or isinstance(holder, dict) else {}

    def _claim(self) -> None:
        text = json.dumps({"pid": os.getpid(), "host": platform.node(), "machine": machine()})
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, text.encode())

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self._file)

    def _wait_for_silence(self, holder: dict[str, Any]) -> None:
        """Watch a lock whose holder cannot be asked; refuse if it is renewed meanwhile."""
        self._notice(f"{self._folder} is locked by {_name(holder)}: watching for {self._watch:.0f} s")
        seen = self._renewed()
        end = time.monotonic() + self._watch
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(0.5, left))
            if self._renewed() != seen:
                raise UserError(self._refusal(holder))

    def _renewed(self) -> int:
        """When the file was renewed last, -1 if it is gone; opened, for only then does NFS look again."""
        try:
            with open(self._path, "rb") as file:
                return os.fstat(file.fileno()).st_mtime_ns
        except FileNotFoundError:
            return -1

    def _refusal(self, holder: dict[str, Any]) -> str:
        used = f"{self._folder} is in use by another run ({_name(holder)})"
        return f"{used}: wait for it, stop it, or choose another --out"


def flock(file: int | IO[bytes]) -> bool:
    """Lock an open file until it is closed, however its process ends.

    Args:
        file: the file, or its descriptor.

    Returns:
        Whether there are locks here: some file systems of clusters, and Windows, know none.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the system refuses.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.ENOLCK):
            raise
        return False
    return True


def in_use(folder: Path) -> bool:
    """Whether a run writes into a folder, as far as its signs of life tell; the lock is not touched."""
    try:
        return time.time() - (folder / "lock").stat().st_mtime < WATCH
    except OSError:
        return False


def _name(holder: dict[str, Any]) -> str:
    return f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"


def machine() -> str:
    """What tells this machine, since it was last started, from any other."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return platform.node()
