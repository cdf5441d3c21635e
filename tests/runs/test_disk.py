"""Tests on a real small disk: full, or read-only. One clear line, nothing finished is lost."""

import os
import shutil
import subprocess
import time

import pytest

from jaxteach.runs import RunFolder, make_folder
from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.files import write_atomic
from jaxteach.utils.lock import FolderLock
from tests.runs.sessions import Session, assert_same, checkpoints_in

SIZE = 4 * 2**20


def mount(*arguments):
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


def unavailable(why):
    """Skip a test; in continuous integration, where nobody reads of skipped tests, it fails."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


@pytest.mark.parametrize(("ci", "outcome"), [("1", pytest.fail), ("", pytest.skip)])
def test_no_disk_is_a_failure_in_continuous_integration(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome.Exception, match="no disk"):
        unavailable("no disk")


@pytest.fixture
def disk(tmp_path):
    """A file system of four megabytes."""
    if shutil.which("mount") is None:
        unavailable("there is no mount command")
    path = tmp_path / "disk"
    path.mkdir()
    done = mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(path))
    if done.returncode:
        unavailable(f"no file system can be mounted here (not root?): {one_line(done.stderr)}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk):
    """Use up the disk but for a few bytes."""
    with open(disk / "filler", "wb", buffering=0) as file:
        for size in (2**16, 2**12, 512):
            while True:
                try:
                    file.write(b"\1" * size)
                except OSError:
                    break
    assert os.statvfs(disk).f_bavail == 0


@pytest.mark.parametrize(
    ("every", "chunk", "update", "message", "left"),
    [
        (1, 0, 16, "cannot write a checkpoint into {run}/checkpoints: No space left on device; what", [8]),
        (0, 0, 32, "cannot write {run}/params/00000.npz: No space left on device", []),
        (0, 1, 32, "cannot write {run}/params/00001.npz: No space left on device", []),
    ],
    ids=["checkpoint", "first result", "second result"],
)
def test_a_full_disk(disk, long_program, long_training, every, chunk, update, message, left):
    run = disk / "run"

    def fill_up(progress):
        if (progress.chunk, progress.log.n_updates) == (chunk, update):
            while checkpoints_in(run) != left:  # until the one before is whole
                time.sleep(0.01)
            fill(disk)

    with pytest.raises(UserError) as caught:
        Session(run, long_program, every).run(on_segment=fill_up)
    text = str(caught.value)
    assert text.startswith(message.format(run=run)), text
    assert text.isprintable()
    assert checkpoints_in(run) == left
    assert not [path for path in run.rglob("*") if "tmp" in path.name]  # half-written files take no room
    (disk / "filler").unlink()
    session, trained = Session(run, long_program, every), []
    outcome = session.run(on_segment=lambda p: trained.append((p.chunk, p.log.n_updates)))
    # What was saved is not trained again.
    assert trained[0] == (chunk, left[-1] + 8 if left else 8)
    assert session.said == []
    assert_same(run, outcome, long_training)


def test_a_full_disk_leaves_the_older_file(disk):
    path = disk / "summary.json"
    write_atomic(path, b"old")
    fill(disk)
    with pytest.raises(UserError, match=r"cannot write .*summary\.json: No space left on device"):
        write_atomic(path, b"new" * 2**16)
    assert path.read_bytes() == b"old"
    assert sorted(p.name for p in disk.iterdir()) == ["filler", "summary.json"]


def test_a_read_only_disk(disk, long_program):
    Session(disk / "run", long_program).run(segments=2)
    before = {path: path.stat().st_mtime_ns for path in disk.rglob("*")}
    assert mount("-o", "remount,ro", str(disk)).returncode == 0
    attempts = {
        "a new run": lambda: make_folder(disk / "new"),
        "the lock": lambda: FolderLock(disk / "run").__enter__(),
        "a chunk": lambda: Session(disk / "run", long_program).run(),
        "a summary": lambda: RunFolder(disk / "run").write_summary({}),
    }
    for what, attempt in attempts.items():
        with pytest.raises(UserError, match=r"^cannot write .*: Read-only file system") as caught:
            attempt()
        assert str(caught.value).isprintable(), what
    assert {path: path.stat().st_mtime_ns for path in disk.rglob("*")} == before
