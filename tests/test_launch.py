"""Tests of `python -m jaxteach.launch`: shards as jobs of this machine, one of which is killed."""

import contextlib
import json
import os
import shutil
import signal
import sys
import time

import numpy as np
import pytest
import submitit

from jaxteach import launch as launching
from jaxteach.run import read_options
from jaxteach.runs.shards import Shard
from jaxteach.utils.surroundings import how_to_install
from tests.commands import TINY, apart, here, started
from tests.runs.test_faults import FLAGS as QUICK

pytestmark = pytest.mark.unoptimised

FLAGS = (*QUICK, "--seeds", "4")


def launch(out, *arguments, of=started):
    return of("launch", "--cluster", "local", "--shards", "2", "--out", out, "--", *FLAGS, *arguments)


def kill(folder, seconds=300.0):
    """SIGKILL the run in a folder once it trains."""
    end = time.monotonic() + seconds
    while not (folder / "metrics.jsonl").exists():
        assert time.monotonic() < end, "it did not begin to train"
        time.sleep(0.01)
    os.kill(json.loads((folder / "lock").read_text())["pid"], signal.SIGKILL)


def test_a_killed_shard_leaves_the_other_and_is_all_that_is_run_again(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert apart("run", *FLAGS, "--out", one).status == 0  # first, so that no two processes compile the same
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

    for name in ("metrics.npz", "params/00000.npz", "params/00001.npz"):
        with np.load(one / name) as ours, np.load(two / name) as theirs:
            for array in ours.files:
                np.testing.assert_array_equal(ours[array], theirs[array])
    rates = [json.loads((run / "summary.json").read_text())["success_rate"] for run in (one, two)]
    assert rates[0] == rates[1]

    third = launch(two, of=here)
    assert third.status == 0 and "0 of 2 shards to train" in third.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--shards", "0"], "--shards 0: must be at least 1"),
        (["--cluster", "cloud"], "--cluster"),
        (["--", "--sedes", "3"], "unknown option --sedes"),
        (["--", "--ppo.lr", "fast"], "--ppo.lr: 'fast' is not a number"),
        (["--sbatch", "account"], "--sbatch account: must be NAME=VALUE"),
        (["--", "--teacher", "chatgml"], "did you mean 'chatglm'"),
        (["--", "--seeds", "8"], "the run has 1 chunks, so at most 1 shards"),
        (["--", "--rollout.steps", "1000", "--seeds", "16"], "--rollout.steps 1000: at most an episode's"),
    ],
)
def test_bad_input(arguments, says, tmp_path):
    done = here("launch", "--out", tmp_path / "run", *arguments)
    assert (done.status, done.out) == (2, "")
    assert says in done.err.splitlines()[-1]


@pytest.fixture
def begun(tmp_path):
    """A run whose first shard has ended, and whose second has not begun."""
    out = tmp_path / "run"
    assert here("run", *TINY, "--out", out, "--shard", "0/2").status == 0
    return out


@pytest.mark.parametrize("ended", [1, 2])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([*TINY, "--ppo.lr", "0.5"], "--ppo.lr 0.5 (the run was started with 0.002)"),
        ([], "--seeds 8 (the run was started with 3)"),
    ],
    ids=["changed", "left out"],
)
def test_other_flags_than_before_are_refused(begun, ended, flags, says, monkeypatch):
    """Whether a shard is left to be trained or all have ended."""
    if ended == 2:
        shutil.copytree(begun / "shards/0-of-2", begun / "shards/1-of-2")
    monkeypatch.setattr(launching, "submit", lambda *arguments: pytest.fail("jobs were submitted"))
    monkeypatch.setattr(launching, "join", lambda out: 77)
    run = ("launch", "--cluster", "local", "--out", begun, "--")
    if flags or ended == 1:
        done = here(*run, *flags)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
        assert says in done.err and "give the flags that it was started with" in done.err
    else:  # they need not be repeated where all shards know theirs
        assert here(*run).status == 77


def test_shards_that_begin_later_take_the_width_of_the_others(begun):
    command = launching.commands_of(launching.Options(out=begun), [])[Shard(1, 2)]
    assert read_options(command)[0].config.seeds_per_chunk == 2


def test_what_is_for_sbatch_reaches_it(tmp_path, monkeypatch):
    given = {}
    executor = submitit.AutoExecutor
    monkeypatch.setattr(executor, "__init__", lambda self, folder, cluster: None)
    monkeypatch.setattr(executor, "update_parameters", lambda self, **values: given.update(values))

    @contextlib.contextmanager
    def batch(self):
        yield
        given["requeue"] = os.environ["SBATCH_REQUEUE"]  # jobs are submitted as the context ends

    monkeypatch.setattr(executor, "batch", batch)
    options = launching.Options(out=tmp_path, gpus=1, sbatch=("account=lab", "mem-per-cpu=4G"))
    assert launching.submit(options, []) == []
    assert given["slurm_additional_parameters"] == {"account": "lab", "mem_per_cpu": "4G"}
    assert given["gpus_per_node"] == 1 and "cpus_per_task" not in given
    assert given["slurm_signal_delay_s"] == 90 and given["requeue"] == "1"
    assert "SBATCH_REQUEUE" not in os.environ


def test_without_a_scheduler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = apart(
        "launch", "--cluster", "slurm", "--out", tmp_path / "run", "--", "--seeds", "16"
    )  # submitit logs to the stderr it finds
    assert (done.status, done.out) == (2, "")
    assert "--cluster slurm: " in done.err.splitlines()[-1]


def test_without_submitit(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    done = here("launch", "--out", tmp_path / "run", "--", "--seeds", "16")
    assert done.status == 2 and f"{how_to_install('cluster')}\n" in done.err


def test_another_split_is_refused(tmp_path):
    folder = tmp_path / "run/shards/0-of-3"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    done = here("launch", "--cluster", "local", "--shards", "2", "--out", tmp_path / "run")
    assert done.status == 2 and "has been split into 3 before" in done.err
