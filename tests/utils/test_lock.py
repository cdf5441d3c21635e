"""Tests of the lock on a folder: one holder at a time, whoever dies leaves it to the next."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from jaxteach.utils import lock
from jaxteach.utils.errors import UserError
from jaxteach.utils.lock import FolderLock

HOLD = """
import sys, time
from pathlib import Path
from jaxteach.utils.lock import FolderLock
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_held_within_and_gone_after(tmp_path):
    with FolderLock(tmp_path):
        held = json.loads((tmp_path / "lock").read_text())
        assert held["pid"] == os.getpid()
        with pytest.raises(UserError, match=rf"in use by another run \(process {os.getpid()} on "):
            FolderLock(tmp_path).__enter__()
    assert list(tmp_path.iterdir()) == []
    with FolderLock(tmp_path):
        pass


def test_two_processes(tmp_path, holder):
    with pytest.raises(UserError, match=rf"{tmp_path} is in use by another run \(process {holder.pid} on "):
        FolderLock(tmp_path).__enter__()
    assert (tmp_path / "lock").exists()


def test_a_dead_process_leaves_its_lock(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / "lock").exists()
    said = []
    with FolderLock(tmp_path, notice=said.append):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert len(said) == 1 and f"(process {holder.pid} on " in said[0] and said[0].endswith("has died")


def test_the_number_of_a_dead_process_may_be_in_use_again(tmp_path):
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "host": "here", "machine": lock.machine()}))
    with FolderLock(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": null}', pytest.param("[" * 10**5, id="deep")])
def test_a_damaged_lock_is_taken_over(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    with FolderLock(tmp_path, watch=0.2):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


# ---- other machines ------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path):
    """A lock of another machine, which its holder renews until told to die."""
    path, dead = tmp_path / "lock", threading.Event()
    path.write_text(json.dumps({"pid": 7, "host": "elsewhere", "machine": "another"}))

    def renew():
        while not dead.wait(0.05):
            os.utime(path)

    thread = threading.Thread(target=renew)
    thread.start()
    yield dead
    dead.set()
    thread.join()


def test_a_live_lock_of_another_machine_is_respected(tmp_path, elsewhere):
    with pytest.raises(UserError, match=r"in use by another run \(process 7 on elsewhere\)"):
        FolderLock(tmp_path, watch=20).__enter__()


def test_a_silent_lock_of_another_machine_is_taken_over(tmp_path, elsewhere):
    elsewhere.set()
    time.sleep(0.2)
    said = []
    with FolderLock(tmp_path, watch=0.3, notice=said.append):
        pass
    assert said[0].endswith("watching for 0 s") and said[1].endswith("has died")


def test_file_systems_without_flock_go_by_signs_of_life(tmp_path, monkeypatch):
    def flock(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(lock, "BEAT", 0.05)
    with (
        FolderLock(tmp_path),
        pytest.raises(UserError, match="in use by another run"),
    ):
        FolderLock(tmp_path, watch=20).__enter__()
    with FolderLock(tmp_path):
        pass


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "lock").mkdir()  # stands for any reason, read-only file systems included
    with pytest.raises(UserError, match=r"cannot write .*/lock: Is a directory"):
        FolderLock(tmp_path).__enter__()
