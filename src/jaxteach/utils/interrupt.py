"""Ctrl-C where nothing has to be saved first: it takes effect within seconds, whatever the program is at."""

import signal
import socket
import sys
import threading
from types import TracebackType
from typing import Self

from jaxteach.utils.signals import SIGNALS, end_now

LIMIT = 2.0
"""Seconds after Ctrl-C in which the program may end by itself."""


class Interruptible:
    """A context in which Ctrl-C ends the process within `LIMIT` seconds, and a second one at once.

    Python raises KeyboardInterrupt in the main thread, but not while that is inside compiled code or looks up
    a name, and what is raised within a callback of the garbage collector (JAX has one) or a finaliser is
    lost. So a thread reads the signal too, and ends the process when its time is over. What is done in time
    counts: who leaves the context without an exception continues. A signal that is ignored (`nohup`, a
    background job) stays ignored. Off the main thread, which alone hears signals, it does nothing.

    Args:
        last_words: said on stderr at the end.
    """

    def __init__(self, last_words: str) -> None:
        self._last_words = last_words
        self._heard = 0
        self._on_main_thread = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if not self._on_main_thread:
            return self
        self._before = signal.getsignal(signal.SIGINT) or signal.SIG_DFL
        if self._before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="jaxteach-interrupt", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._on_main_thread:
            return
        signal.signal(signal.SIGINT, self._before)
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
                for number in received:
                    if number in SIGNALS and number != signal.SIGINT:
                        end_now(number)  # this thread has taken it from whoever listened before
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
