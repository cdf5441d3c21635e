"""Tests of `python -m jaxteach.launch`: shards as jobs of this machine, one of which is killed."""

import json
import os
import signal
import sys
import time

import numpy as np
import pytest

from tests.commands import TINY, apart, here, started

FLAGS = (*TINY, "--seeds", "4", "--env-steps", "32768")


def launch(out, *arguments, of=started):
    return of("launch", "--cluster", "local", "--shards", "2", "--out", out, "--", *FLAGS, *arguments)


def kill(folder, seconds=120.0):
    """SIGKILL the run in a folder once it trains."""
    end = time.monotonic() + seconds
    while not (folder / "metrics.jsonl").exists():
        assert time.monotonic() < end, "it did not begin to train"
        time.sleep(0.01)
    os.kill(json.loads((folder / "lock").read_text())["pid"], signal.SIGKILL)


def test_a_killed_shard_leaves_the_other_and_is_all_that_is_run_again(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    process = launch(two)
    kill(two / "shards/1-of-2")
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert "shard 1/2 has failed" in said and "1 of 2 shards have ended; launch again" in said
    other = two / "shards/0-of-2"
    written = (other / "summary.json").stat().st_mtime_ns
    assert json.loads((other / "summary.json").read_text())["seeds"] == [0, 1]
    assert "1/2 (has not ended)" in here("merge", two).err

    again = launch(two, of=apart)
    assert again.status == 0, again.err
    assert "1 of 2 shards to train" in again.err and "4 seeds" in again.out
    assert (other / "summary.json").stat().st_mtime_ns == written

    assert apart("run", *FLAGS, "--out", one).status == 0
    for name in ("metrics.npz", "params/00000.npz", "params/00001.npz"):
        with np.load(one / name) as ours, np.load(two / name) as theirs:
            for array in ours.files:
                np.testing.assert_array_equal(ours[array], theirs[array])
    rates = [json.loads((run / "summary.json").read_text())["success_rate"] for run in (one, two)]
    assert rates[0] == rates[1]

    third = launch(two, of=apart)
    assert third.status == 0 and "0 of 2 shards to train" in third.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--shards", "0"], "--shards 0: must be at least 1"),
        (["--cluster", "cloud"], "--cluster"),
        (["--", "--sedes", "3"], "unknown option --sedes"),
        (["--", "--ppo.lr", "fast"], "--ppo.lr: 'fast' is not a number"),
    ],
)
def test_bad_input(arguments, says, tmp_path):
    done = here("launch", "--out", tmp_path / "run", *arguments)
    assert (done.status, done.out) == (2, "")
    assert says in done.err.splitlines()[-1]


def test_without_a_scheduler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = apart(
        "launch", "--cluster", "slurm", "--out", tmp_path / "run"
    )  # submitit logs to the stderr it finds
    assert (done.status, done.out) == (2, "")
    assert "--cluster slurm: " in done.err.splitlines()[-1]


def test_without_submitit(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    done = here("launch", "--out", tmp_path / "run")
    assert done.status == 2 and "pip install 'jaxteach[cluster]'" in done.err


def test_another_split_is_refused(tmp_path):
    folder = tmp_path / "run/shards/0-of-3"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    done = here("launch", "--cluster", "local", "--shards", "2", "--out", tmp_path / "run")
    assert done.status == 2 and "has been split into 3 before" in done.err
