"""A real SLURM ends jobs in every way it has: the joined run is that of one process, to the bit."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jaxteach.runs.jobs import read_jobs, saved
from jaxteach.runs.shards import Shard
from tests.commands import ROOT, TINY, apart
from tests.runs.cluster import said, slurm, until

pytestmark = pytest.mark.slow
# SLURM sends SIGCONT some seconds before the signal that ends a job, which lets a held run train that long.
FLAGS = (*TINY, "--seeds", "6", "--env-steps", "524288", "--host-devices", "1")
LAUNCH = ("--shards", "3", "--minutes", "60", "--warn-seconds", "10")
PATIENCE = 300.0
"""Seconds for whatever takes a few on a machine that is not busy."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm(tmp_path_factory.mktemp("slurm")) as variables:
        yield variables | {"PYTHONPATH": str(ROOT / "src")}


@pytest.fixture
def launch(cluster):
    """Starts `launch` in a separate process, which is gone after the test."""
    with contextlib.ExitStack() as stack:

        def start(out):
            command = [sys.executable, "-m", "jaxteach.launch", *LAUNCH, "--out", out, "--", *FLAGS]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            process = stack.enter_context(subprocess.Popen(command, env=cluster, text=True, **pipes))
            stack.callback(process.kill)
            return process

        yield start


def hold(folders):
    """Wait until the runs in folders train, further than before, and hold them there: their processes."""
    before, held = {folder: logged(folder) for folder in folders}, {}
    end = time.monotonic() + PATIENCE
    while len(held) < len(folders):
        assert time.monotonic() < end, f"only {[folder.name for folder in held]} began to train"
        for folder in folders:
            if folder not in held and logged(folder) > before[folder]:
                held[folder] = json.loads((folder / "lock").read_text())["pid"]
                os.kill(held[folder], signal.SIGSTOP)
        time.sleep(0.01)
    return [held[folder] for folder in folders]


def asked_to_stop(pid):
    """Whether SIGINT waits for a process that is held."""
    try:
        with open(f"/proc/{pid}/status") as file:
            pending = [int(line.split()[1], 16) for line in file if line.startswith(("SigPnd", "ShdPnd"))]
    except FileNotFoundError:  # with most signals SLURM sends SIGCONT, and the run has stopped already
        return True
    return any(mask >> (signal.SIGINT - 1) & 1 for mask in pending)


def gone(pid):
    return not os.path.exists(f"/proc/{pid}")


def let_save(folder, pid):
    """Wait until a run that is held has been asked to stop, and let it: it saves what it has trained."""
    until(lambda: asked_to_stop(pid), PATIENCE, "it was not asked to stop")
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    until(lambda: gone(pid), PATIENCE, "it did not stop")
    ended, updates = saved(folder)
    assert ended == 0 and updates >= 0.95 * logged(folder)


def end_by(cluster, folder, pid, *command):
    """End a job by a command."""
    subprocess.run(command, env=cluster, check=True)
    let_save(folder, pid)


def meet_the_limit(cluster, folder, pid, job):
    """Have a job run into its time limit; after that it has time enough."""
    shorten(cluster, job)
    let_save(folder, pid)
    limit(cluster, job, 60)


def kill_with_its_job(pid):
    """SIGKILL a run and the process above it, as if the machine had gone."""
    with open(f"/proc/{pid}/stat") as file:
        parent = int(file.read().rpartition(")")[2].split()[1])
    for each in (parent, pid):
        os.kill(each, signal.SIGKILL)
    until(lambda: gone(pid), PATIENCE, "it was not killed")


def shorten(cluster, job):
    """Have the time limit of a running job come soon: SLURM counts it in minutes."""
    began = re.search(r"RunTime=(\d+):(\d+):(\d+)", said(cluster, "scontrol", "show", "job", job))
    hours, minutes, seconds = map(int, began.groups())
    limit(cluster, job, 60 * hours + minutes + (seconds + 30) // 60 + 1)


def limit(cluster, job, minutes):
    subprocess.run(["scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}"], env=cluster, check=True)


def logged(folder):
    """Updates in a shard's log, 0 before it has one."""
    try:
        return json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["update"]
    except (FileNotFoundError, IndexError, ValueError):
        return 0


def test_time_limit_preemption_kill_and_cancellation_end_in_the_same_bits(cluster, launch, tmp_path):
    one, parts = tmp_path / "one", tmp_path / "parts"
    folders = [Shard(index, 3).folder(parts) for index in range(3)]
    assert apart("run", *FLAGS, "--out", one).status == 0
    process = launch(parts)
    held = hold(folders)
    jobs = read_jobs(parts)

    with ThreadPoolExecutor() as pool:
        limited = pool.submit(meet_the_limit, cluster, folders[0], held[0], jobs["0/3"])
        cancelled = pool.submit(end_by, cluster, folders[2], held[2], "scancel", jobs["2/3"])
        end_by(cluster, folders[1], held[1], "scontrol", "requeue", jobs["1/3"])
        [again] = hold(folders[1:2])
        assert read_jobs(parts) == jobs
        kill_with_its_job(again)
        cancelled.result()
        limited.result()

    _, err = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 1, err
    assert "shard 1/3: its job was lost (FAILED); submitted again" in err
    assert "shard 2/3 has failed: its job was cancelled" in err and "2 of 3 shards have ended" in err
    assert "sacct" not in err
    assert (parts / "shards/logs" / f"{jobs['0/3']}_0_log.out").read_text().count("Starting with") == 2

    process = launch(parts)
    out, err = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 0 and "6 seeds" in out, err
    assert "1 of 3 shards to train" in err

    for name in ("metrics.npz", *(f"params/{chunk:05d}.npz" for chunk in range(3))):
        with np.load(one / name) as ours, np.load(parts / name) as theirs:
            for array in ours.files:
                np.testing.assert_array_equal(ours[array], theirs[array])
    rates = [json.loads((run / "summary.json").read_text())["success_rate"] for run in (one, parts)]
    assert rates[0] == rates[1]


def test_a_launch_takes_up_jobs_that_are_in_the_queue_and_tells_what_fails(launch, tmp_path):
    """Shard 2 fails in every job: a file lies where its folder would be."""
    out = tmp_path / "run"
    (out / "shards").mkdir(parents=True)
    (out / "shards/2-of-3").write_text("")
    first = launch(out)
    held = hold([Shard(index, 3).folder(out) for index in range(2)])
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130 and "the jobs continue" in err
    jobs = read_jobs(out)
    second = launch(out)
    assert "3 of 3 shards to train" in second.stderr.readline()
    assert f"shard 0/3 is in the queue already (job {jobs['0/3']})" in second.stderr.readline()
    for pid in held:
        os.kill(pid, signal.SIGCONT)
    _, err = second.communicate(timeout=2 * PATIENCE)
    assert second.returncode == 1, err
    last = [line for line in err.splitlines() if line.startswith("shard 2/3 has failed")]
    assert len(last) == 1 and "error: " in last[0] and "srun" not in last[0]
    assert "submitted again" not in err


def test_tasks_of_an_array_submitted_again_by_hand(cluster, tmp_path):
    out, script = tmp_path / "run", tmp_path / "job.sh"
    run = (sys.executable, "-m", "jaxteach.run", *TINY, "--host-devices", "1", "--out", out, "--resume")
    script.write_text(
        f"#!/bin/bash\n#SBATCH --output={tmp_path}/%a.log\n" + " ".join(map(str, run)) + " --shard slurm\n"
    )

    def submit(array):
        subprocess.run(["sbatch", "--wait", f"--array={array}", script], env=cluster, check=False)

    submit("4-5%1")
    ended = [out / f"shards/{index}-of-2/summary.json" for index in range(2)]
    assert all(file.exists() for file in ended)
    shutil.rmtree(ended[1].parent)
    submit("5")
    assert ended[1].exists() and len(list((out / "shards").glob("*-of-*"))) == 2
    submit("1")
    assert "against 2 shards" in (tmp_path / "1.log").read_text()
    assert said(cluster, "squeue", "--noheader") == ""
