"""Tests that shards joined are what one process leaves, and of what cannot be joined."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from tests.commands import TINY, here

SWEEP = ("--sweep", "ppo.lr=2e-3,1e-2", "--seeds", "2", "--seeds-per-chunk", "2")
FLAGS = {"seeds": (), "sweep": SWEEP}


def shard(out, index, *arguments):
    return here("run", *TINY, "--out", out, "--shard", f"{index}/2", *arguments)


@pytest.fixture(scope="module", params=["seeds", pytest.param("sweep", marks=pytest.mark.slow)])
def runs(request, tmp_path_factory):
    """One process's folder, and that of two shards, not joined yet."""
    base = tmp_path_factory.mktemp(request.param)
    assert here("run", *TINY, *FLAGS[request.param], "--out", base / "one").status == 0
    for index in (1, 0):
        done = shard(base / "two", index, *FLAGS[request.param])
        assert (done.status, done.err) == (0, "")
        assert f"join all of them with: python -m jaxteach.merge {base / 'two'}" in done.out
    return base / "one", base / "two"


def files_of(folder):
    """What a run left, shards aside."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if path.parts[0] != "shards"}


def without_times(summary):
    """A summary without what differs between two runs of the same."""
    if isinstance(summary, dict):
        times = ("wall_seconds", "env_steps_per_second")
        return {name: without_times(value) for name, value in summary.items() if name not in times}
    return [without_times(value) for value in summary] if isinstance(summary, list) else summary


def test_joined_they_are_what_one_process_leaves(runs):
    one, two = runs
    done = here("merge", two)
    assert (done.status, done.err) == (0, ""), done
    assert "student" in done.out or "ppo.lr" in done.out
    assert files_of(two) == files_of(one)
    for name in sorted(files_of(one)):
        if name.endswith(".npz"):
            with np.load(one / name) as ours, np.load(two / name) as theirs:
                assert ours.files == theirs.files
                for array in ours.files:
                    np.testing.assert_array_equal(ours[array], theirs[array], err_msg=f"{name}: {array}")
        elif name.endswith("summary.json"):
            ours, theirs = (json.loads((run / name).read_text()) for run in runs)
            assert without_times(ours) == without_times(theirs)
    configs = [json.loads((run / "config.json").read_text()) | {"out": None} for run in runs]
    assert configs[0] == configs[1]


def test_joining_again_changes_nothing(runs):
    _, two = runs
    here("merge", two)
    before = {name: (two / name).read_bytes() for name in files_of(two)}
    assert here("merge", two).status == 0
    assert {name: (two / name).read_bytes() for name in files_of(two)} == before


def refused(done, *parts):
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert [part for part in parts if part not in done.err] == []


def test_what_is_missing_is_named(runs, tmp_path):
    _, two = runs
    run = tmp_path / "run"
    refused(here("merge", run), f"{run} holds no shards")
    shutil.copytree(two / "shards", run / "shards")
    (run / "shards/1-of-2/summary.json").unlink()
    refused(here("merge", run), "1 of 2 shards are missing: 1/2 (has not ended)", f"--out {run} --shard 1/2")
    shutil.rmtree(run / "shards/1-of-2")
    refused(here("merge", run), "1/2 (has not begun)")
    assert files_of(run) <= {"lock"}


def test_a_damaged_file_is_named(runs, tmp_path):
    _, two = runs
    run = tmp_path / "run"
    shutil.copytree(two / "shards", run / "shards")
    file = run / "shards/0-of-2/metrics/00000.npz"
    file.write_bytes(file.read_bytes()[:100])
    refused(here("merge", run), str(file), "--shard 0/2")
    assert not (run / "summary.json").exists()


def test_a_disk_without_room_is_told_before_anything_is_written(runs, tmp_path, monkeypatch):
    _, two = runs
    run = tmp_path / "run"
    shutil.copytree(two / "shards", run / "shards")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    refused(here("merge", run), "joining its shards needs up to ", "1 kB are free", "the shards stay")
    assert files_of(run) <= {"lock"}
    monkeypatch.undo()
    assert here("merge", run).status == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**6))
    assert here("merge", run).status == 0  # what is there already needs no more


@pytest.mark.parametrize("wall", [None, {"compile": 1}, {"compile": "1", "total": 2}])
def test_a_damaged_summary_is_named(runs, tmp_path, wall):
    _, two = runs
    run = tmp_path / "run"
    shutil.copytree(two / "shards", run / "shards")
    path = run / "shards/1-of-2/summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"wall_seconds": wall}))
    refused(here("merge", run), f"{path}: wall_seconds")
    assert not (run / "summary.json").exists()


def test_shards_of_different_runs_are_refused(runs, tmp_path):
    _, two = runs
    run = tmp_path / "run"
    shutil.copytree(two / "shards", run / "shards")
    path = run / "shards/1-of-2/config.json"
    config = json.loads(path.read_text())
    config["ppo"]["lr"], config["fingerprint"] = 0.5, "another"
    path.write_text(json.dumps(config))
    refused(here("merge", run), "are of different runs (--ppo.lr)")


def test_a_shard_that_has_ended_is_left_alone(runs):
    _, two = runs
    before = {path: path.read_bytes() for path in (two / "shards").rglob("*") if path.is_file()}
    done = here("run", "--resume", "--out", two, "--shard", "1/2")
    assert done.status == 0 and "has ended already" in done.out
    assert {path: path.read_bytes() for path in (two / "shards").rglob("*") if path.is_file()} == before
