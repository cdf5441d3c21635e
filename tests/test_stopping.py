"""Tests of signals: the first asks, the second ends the process at once, ignored ones stay ignored."""

import os
import signal
import subprocess
import sys
import time

import pytest

from jaxteach.stopping import SIGNALS, Stopping

# A process that works in short steps until it is asked to stop, as a run does, or that never looks.
PATIENT = """
import sys, time
from jaxteach.stopping import Stopping
with Stopping() as stopping:
    print("ready", flush=True)
    for _ in range(600):
        time.sleep(0.05)
        if stopping.asked:
            print("saved", flush=True)
            sys.exit(stopping.status)
"""
# As in a compiled program that takes minutes: the main thread never looks.
DEAF = """
import threading
from jaxteach.stopping import Stopping
with Stopping() as stopping:
    print("ready", flush=True)
    threading.Event().wait(60)
"""


def start(code):
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR2, 140)]
)
def test_the_first_signal_asks(number, status):
    process = start(PATIENT)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == status
    assert out == "saved\n"
    assert err.startswith("stopping after this segment") and err.count("\n") == 1


def test_the_second_ends_at_once_whatever_the_main_thread_does():
    process = start(DEAF)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline().startswith("stopping after this segment")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_what_is_ignored_stays_ignored():
    process = start(f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{PATIENT}")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    process.communicate()


def test_afterwards_signals_are_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stopping() as stopping:
        assert not stopping.asked
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.monotonic() + 20
        while not stopping.asked and time.monotonic() < deadline:
            time.sleep(0.01)
        assert stopping.status == 143
    assert [signal.getsignal(number) for number in SIGNALS] == before
