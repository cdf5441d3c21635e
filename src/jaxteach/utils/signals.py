"""What a signal does: while nothing can be lost the process ends at once, else the first signal asks.

Python's own way, KeyboardInterrupt, is not used: it waits for the main thread to leave compiled code, and is
lost where it is raised inside a callback such as JAX's at garbage collection. Here the C-level handler writes
the signal's number into a pipe, and a thread reads it, whatever the main thread does.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""Ctrl-C, and what schedulers send before they take a machine away; SIGUSR2 by way of submitit."""

_tidying: list[Callable[[], None]] = []


class _Watch:
    """A context whose thread hears the signals; to be entered by the main thread, and may be nested.

    A signal that is ignored (`nohup`, a background job) stays ignored.
    """

    def __init__(self) -> None:
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._receiver, self._sender = os.pipe()
        os.set_blocking(self._sender, False)
        self._thread = threading.Thread(target=self._watch, name="jaxteach-signals", daemon=True)
        self._thread.start()
        self._wakeup = signal.set_wakeup_fd(self._sender, warn_on_full_buffer=False)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _nothing)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # In this order, for a signal that arrives in between would be lost in the other.
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup)
        # Not by closing it: a forked child may hold the other end open.
        os.write(self._sender, b"\0")
        self._thread.join()
        os.close(self._sender)
        os.close(self._receiver)

    def _watch(self) -> None:
        """Read signal numbers, one byte each, until a zero."""
        while True:
            for number in os.read(self._receiver, 64):
                if not number:
                    return
                if number in SIGNALS:
                    self._heard(number)

    def _heard(self, number: int) -> None:
        raise NotImplementedError


class AtOnce(_Watch):
    """A context within which nothing can be lost: a signal ends the process at once, with one line.

    Args:
        line: what is said on stderr.
    """

    def __init__(self, line: str = "interrupted") -> None:
        super().__init__()
        self.line = line

    def _heard(self, number: int) -> None:
        end_now(number, self.line)


class Stopping(_Watch):
    """A context within which the first signal asks to stop, and the second ends the process at once.

    Args:
        after: what is finished first, such as "this segment"; to be changed as the process continues.
    """

    def __init__(self, after: str = "this segment") -> None:
        super().__init__()
        self.after = after
        self._number: int | None = None

    @property
    def asked(self) -> bool:
        """Whether to stop as soon as `after` is finished."""
        return self._number is not None

    @property
    def status(self) -> int:
        """The exit status of a run stopped by a signal: 130 for SIGINT, 143 for SIGTERM, 140 for SIGUSR2."""
        return 128 + (self._number or signal.SIGINT)

    def _heard(self, number: int) -> None:
        if self._number is not None:
            end_now(number)
        self._number = number
        again = "Ctrl-C again" if number == signal.SIGINT else "a second signal"
        print(f"stopping after {self.after} ({again}: at once)", file=sys.stderr, flush=True)


@contextlib.contextmanager
def tidied(tidy: Callable[[], None]) -> Iterator[None]:
    """A context within which a process that is ended at once tidies up first.

    Args:
        tidy: removes what the process would leave behind; called by another thread, it must not wait.
    """
    _tidying.append(tidy)
    try:
        yield
    finally:
        _tidying.remove(tidy)


def end_now(number: int, line: str = "") -> None:
    """End the process without waiting for anything; every file is whole or absent at any time.

    Args:
        number: the signal's.
        line: said on stderr.
    """
    for tidy in reversed(tuple(_tidying)):
        with contextlib.suppress(Exception):  # the process ends, come what may
            tidy()
    with contextlib.suppress(OSError):
        if sys.stdout.isatty():
            os.write(1, b"\x1b[?25h\n")  # the progress bar had hidden the cursor
        if line:
            os.write(2, f"{line}\n".encode())
    os._exit(128 + number)


def _nothing(number: int, frame: FrameType | None) -> None:
    """Python's handler: the thread has been told already, through the pipe."""
