"""Ctrl-C takes effect within seconds whatever the program is at, and a second one at once."""

import signal
import subprocess
import sys
import time

import pytest

from tests.commands import ROOT

START = """
import time
from jaxteach.utils.interrupt import Interruptible
with Interruptible('last words'):
 print('in', flush=True)
"""
# What becomes of Python's exception: a finaliser loses it, somebody catches it, compiled code holds it up.
LOST = """
 class Lost:
  def __del__(self):
   time.sleep(60)
 Lost()
 time.sleep(60)
"""
CAUGHT = """
 try: time.sleep(60)
 except BaseException: time.sleep(60)
"""
HELD_UP = """
 import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)
"""


def begun(program, before=""):
    process = subprocess.Popen(
        [sys.executable, "-c", before + START + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    assert process.stdout.readline() == "in\n"
    time.sleep(0.2)
    return process


@pytest.mark.parametrize("program", [LOST, CAUGHT, HELD_UP], ids=["lost", "caught", "held up"])
def test_one_ends_the_process_in_time_and_two_at_once(program):
    for signals, least, most in ((1, 1.9, 3.5), (2, 0, 1.5)):
        with begun(program) as process:
            start = time.monotonic()
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
                time.sleep(0.1)
            assert process.wait(20) == 130
            assert least < time.monotonic() - start < most
            assert process.stderr.read().endswith("\nlast words\n")


def test_what_fails_because_of_it_is_an_interruption():
    with begun(
        " try: time.sleep(60)\n except KeyboardInterrupt: raise ImportError('half a module')"
    ) as process:
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[1].endswith("\nlast words\n")
        assert process.returncode == 130


def test_within_other_handlers_each_signal_still_ends_it():
    ignoring = "import signal\nfor n in (2, 15): signal.signal(n, lambda *args: None)\n"
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with begun(" time.sleep(60)", before=ignoring) as process:
            process.send_signal(number)
            assert process.wait(20) == status


def test_a_program_that_ends_by_itself_has_the_last_word():
    with begun(" try: time.sleep(60)\n except KeyboardInterrupt: print('mine')") as process:
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("mine\n", "")
        assert process.returncode == 0
