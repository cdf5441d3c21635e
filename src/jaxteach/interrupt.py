"""Ctrl-C where nothing has to be saved first: it takes effect within seconds, whatever the program is at."""

import signal
import socket
import sys
import threading
from types import TracebackType
from typing import Self

from jaxteach.stopping import end_now

LIMIT = 2.0
"""Seconds after Ctrl-C in which the program may end by itself."""


class Interruptible:
    """A context in which Ctrl-C ends the process within `LIMIT` seconds, and a second one at once.

    Python raises KeyboardInterrupt in the main thread, but not while that is inside compiled code or looks up
    a name, and what is raised within a callback of the garbage collector (JAX has one) or a finaliser is
    lost. So a thread reads the signal too, and ends the process when its time is over. What is done in time
    counts: who leaves the context without an exception after all goes on. To be entered by the main thread; a
    signal that is ignored (`nohup`, a background job) stays ignored.

    Args:
        last_words: said on stderr at the end.
    """

    def __init__(self, last_words: str) -> None:
        self._last_words = last_words
        self._heard = 0

    def __enter__(self) -> Self:
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="jaxteach-interrupt", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        self._sender.close()
        self._thread.join()
        self._receiver.close()
        if self._heard and kind is not None:
            # Whatever it is: an import that is interrupted may say that it failed. Python's own end, with the
            # freeing of all modules, can take seconds, and has nothing to save.
            self._end()

    def _watch(self) -> None:
        """Read signal numbers, one byte each, until the socket is closed or time is over."""
        try:
            while received := self._receiver.recv(64):
                self._heard += received.count(signal.SIGINT)
                if self._heard > 1:
                    break
                if self._heard and self._receiver.gettimeout() is None:
                    self._receiver.settimeout(LIMIT)
            else:
                return
        except TimeoutError:
            pass
        self._end()

    def _end(self) -> None:
        """Say the last words, and leave without Python's own end."""
        print(f"\n{self._last_words}", file=sys.stderr, flush=True)
        end_now(signal.SIGINT)
