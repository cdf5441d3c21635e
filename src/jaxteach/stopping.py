"""Stopping in good order: the first signal asks the run to stop, the second ends it at once."""

import os
import signal
import socket
import sys
import threading
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
"""Ctrl-C, and what schedulers send before they take a machine away; SIGUSR2 by way of submitit."""


class Stopping:
    """A context within which signals ask instead of killing; to be entered by the main thread.

    A thread of its own reads the signals, for Python runs handlers only between bytecodes, and the
    main thread may be inside a compiled program for seconds. A signal that is ignored (`nohup`, a
    background job) stays ignored.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._before: dict[int, object] = {}

    @property
    def asked(self) -> bool:
        """Whether to stop after the current segment."""
        return self._number is not None

    @property
    def status(self) -> int:
        """The exit status of a run stopped by a signal: 130 for SIGINT, 143 for SIGTERM, 140 for SIGUSR2."""
        return 128 + (self._number or signal.SIGINT)

    def __enter__(self) -> Self:
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="jaxteach-signals", daemon=True)
        self._thread.start()
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup)
        self._sender.close()
        self._thread.join()
        self._receiver.close()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        """Nothing: the thread has been told already, through the wake-up socket."""

    def _watch(self) -> None:
        """Read signal numbers, one byte each, until the socket is closed."""
        while received := self._receiver.recv(64):
            for number in received:
                if number not in SIGNALS:
                    continue
                if self._number is not None:
                    end_now(number)
                self._number = number
                again = "Ctrl-C again" if number == signal.SIGINT else "a second signal"
                print(f"stopping after this segment ({again}: at once)", file=sys.stderr, flush=True)


def end_now(number: int) -> None:
    """End the process without waiting for anything; every file is whole or absent at any time."""
    if sys.stdout.isatty():
        os.write(sys.stdout.fileno(), b"\x1b[?25h\n")  # the progress bar had hidden the cursor
    os._exit(128 + number)
