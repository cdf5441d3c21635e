"""Tests of signals: the first asks, the second ends the process at once, ignored ones stay ignored."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from jaxteach.utils.signals import SIGNALS, Stopping
from tests.commands import TINY, started

# A process that works in short steps until it is asked to stop, as a run does, or that never looks.
PATIENT = """
import sys, time
from jaxteach.utils.signals import Stopping
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
from jaxteach.utils.signals import Stopping
with Stopping() as stopping:
    print("ready", flush=True)
    threading.Event().wait(60)
"""
# Nothing can be lost yet, and the main thread is deaf.
BLANK = """
import pathlib, sys, threading
from jaxteach.utils.signals import AtOnce, tidied
with AtOnce("interrupted"), tidied(lambda: pathlib.Path(sys.argv[1]).unlink()):
    print("ready", flush=True)
    threading.Event().wait(60)
"""
# Python ignores a KeyboardInterrupt raised within a callback, such as JAX's at garbage collection.
SWALLOWING = """
import gc, time
from jaxteach.utils.errors import cli
def main():
    gc.callbacks.append(lambda phase, info: time.sleep(0.01))
    print("ready", flush=True)
    while True:
        gc.collect()
cli(main)
"""
# The first signal arrives while JAX computes or files are written, wherever the name below is called.
PHASE = """
import importlib, threading
from jaxteach import run
from jaxteach.utils.errors import cli
module = importlib.import_module("{module}")
def deaf(*arguments, **more):
    print("ready", flush=True)
    threading.Event().wait(60)
module.{name} = deaf
cli(run.main)
"""


def start(code, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while (line := process.stdout.readline()) != "ready\n":
        assert line, process.communicate()
    return process


def ended_at_once(process, number, says):
    """It must end within two seconds, with one line and the signal's status."""
    began = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (128 + number, says)
    assert time.monotonic() - began < 2


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


@pytest.mark.parametrize("number", SIGNALS)
def test_where_nothing_can_be_lost_the_first_ends_at_once(tmp_path, number):
    (tmp_path / "lock").touch()
    ended_at_once(start(BLANK, tmp_path / "lock"), number, "interrupted\n")
    assert not (tmp_path / "lock").exists()


def test_it_is_not_lost_in_a_callback():
    for _ in range(5):
        ended_at_once(start(SWALLOWING), signal.SIGINT, "interrupted\n")


def test_at_once_within_asking_and_after_it():
    code = (
        f"from jaxteach.utils.errors import cli\ndef main():\n{textwrap.indent(PATIENT, '    ')}\ncli(main)"
    )
    process = start(code)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "saved\n")


@pytest.mark.parametrize("command", ["run", "evaluate", "precompute", "launch", "merge", "render", "tables"])
def test_a_command_that_is_still_importing_ends_at_once(command, tmp_path):
    """Python alone starts within a tenth of a second; it and numpy, tyro and JAX take seconds."""
    blocked = tmp_path / "tyro.py"
    blocked.write_text("print('ready', flush=True)\nimport threading\nthreading.Event().wait(60)\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-m", f"jaxteach.{command}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert process.stdout.readline() == "ready\n"
    ended_at_once(process, signal.SIGINT, "interrupted\n")


def test_a_run_that_compiles_ends_at_once_and_leaves_nothing(tmp_path):
    """JAX is at work: it starts, traces, and compiles for as long as the machine takes."""
    for wait in (0.0, 2.0, 6.0):
        folder = tmp_path / "runs" / "one"
        process = started("run", *TINY, "--out", folder, "--cache", "off", cwd=tmp_path)
        while not (line := process.stdout.readline()).startswith("compiling"):
            assert line, process.communicate()
        assert folder.is_dir()
        time.sleep(wait)
        ended_at_once(process, signal.SIGINT, "interrupted\n")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "after"),
    [
        ("jaxteach.training.train", "run_chunk", "this segment"),
        ("jaxteach.runs.resumable", "evaluate", "the evaluation of this chunk"),
        ("jaxteach.runs.resumable", "write_chunk", "the evaluation of this chunk"),
        ("jaxteach.runs.recipe", "write_summary", "the last files are written"),
    ],
)
def test_a_run_that_has_something_to_lose_asks_first_and_ends_at_the_second(tmp_path, module, name, after):
    process = start(PHASE.format(module=module, name=name), *TINY, "--seeds", 1, "--out", tmp_path / "run")
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == f"stopping after {after} (Ctrl-C again: at once)\n"
    ended_at_once(process, signal.SIGINT, "")
