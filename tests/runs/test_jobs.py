"""Tests of the jobs that train shards: signals, what is queued again, and what SLURM's queue says."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from jaxteach import launch as launching
from jaxteach.runs import jobs as jobs_module
from jaxteach.runs.jobs import Queue, ShardJob, ask, last_words, read_jobs, saved, write_jobs
from jaxteach.runs.shards import Shard
from tests.commands import ROOT, here

# A run that notes which signals reach it, takes a moment to stop once it got SIGINT, and saves on the way.
RUN = """
import os, pathlib, signal, sys, time
got = []
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
    signal.signal(number, lambda number, frame: got.append(number))
folder = pathlib.Path(sys.argv[1])
(folder / "pid.tmp").write_text(str(os.getpid()))
(folder / "pid.tmp").rename(folder / "pid")
while signal.SIGINT not in got:
    time.sleep(0.01)
time.sleep(0.5)
if "saves" in sys.argv:
    (folder / "checkpoints/00000/8").mkdir(parents=True)
(folder / "got").write_text(" ".join(map(str, map(int, got))))
sys.exit(2 if "fails" in sys.argv else 130)
"""
JOB = """
import pathlib, sys
from jaxteach.runs.jobs import ShardJob
ShardJob([sys.executable, *sys.argv[2:]], pathlib.Path(sys.argv[1]), None)()
"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Starts a job on a machine whose `scontrol` notes what it is asked for, in tmp_path / asked."""
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "scontrol").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    (bin / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "7")

    def start(*arguments):
        command = [sys.executable, "-c", JOB, str(tmp_path), *map(str, arguments)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    return start


def started(job, folder, *arguments):
    process = job("-c", RUN, folder, *arguments)
    while not (folder / "pid").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process, int((folder / "pid").read_text())


@pytest.mark.parametrize("first", [signal.SIGUSR2, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_whatever_a_scheduler_sends_and_to_whom_a_run_is_stopped_once(job, tmp_path, first):
    process, run = started(job, tmp_path)
    for number in (first, signal.SIGTERM, signal.SIGUSR2, signal.SIGTERM, signal.SIGCONT):
        process.send_signal(number)
        if number not in (signal.SIGINT, signal.SIGUSR1):  # for which the stand-in has no handler
            os.kill(run, number)
        time.sleep(0.05)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert (tmp_path / "got").read_text() == str(int(signal.SIGINT))


@pytest.mark.parametrize(
    ("number", "saves", "array", "asked"),
    [
        (signal.SIGUSR2, True, None, "requeue 7"),
        (signal.SIGUSR2, True, ("3", "1"), "requeue 3_1"),
        (signal.SIGUSR2, False, None, None),
        (signal.SIGTERM, True, None, None),
    ],
    ids=["time limit", "of an array", "nothing saved", "cancelled"],
)
def test_what_is_queued_again(job, tmp_path, monkeypatch, number, saves, array, asked):
    for name, value in zip(("JOB", "TASK"), array or (), strict=False):
        monkeypatch.setenv(f"SLURM_ARRAY_{name}_ID", value)
    process, _ = started(job, tmp_path, *(["saves"] if saves else []))
    process.send_signal(number)
    process.communicate(timeout=60)
    file = tmp_path / "asked"
    assert (file.read_text().strip() if file.exists() else None) == asked


def test_a_local_job_within_an_allocation_leaves_that_alone(job, tmp_path, monkeypatch):
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    process, _ = started(job, tmp_path, "saves")
    process.send_signal(signal.SIGUSR2)
    process.communicate(timeout=60)
    assert process.returncode == 143 and not (tmp_path / "asked").exists()


def test_a_run_that_fails_unasked_or_with_a_mistake_fails_its_job(job, tmp_path):
    _, err = job("-c", "import sys; sys.exit(3)").communicate(timeout=60)
    assert "RuntimeError: python -m jaxteach.run ended with status 3" in err
    _, err = job("-c", "import os; os.kill(os.getpid(), 9)").communicate(timeout=60)
    assert "python -m jaxteach.run was killed by SIGKILL (out of memory?)" in err.splitlines()[0]
    process, _ = started(job, tmp_path, "fails")
    process.send_signal(signal.SIGUSR2)
    _, err = process.communicate(timeout=60)
    assert "ended with status 2" in err and not (tmp_path / "asked").exists()
    process = job("-c", "")
    assert process.communicate(timeout=60) == (None, "") and process.returncode == 0


def test_submitit_can_queue_a_job_again_before_its_run_has_been_started(tmp_path):
    job = ShardJob([], tmp_path, lambda callable: ("delayed", callable))
    assert job.checkpoint() == ("delayed", job)


def test_how_far_a_shard_would_go_on_from(tmp_path):
    assert saved(tmp_path) == (0, 0)
    (tmp_path / "checkpoints/00000/8").mkdir(parents=True)
    (tmp_path / "checkpoints/00000/104.orbax-checkpoint-tmp").mkdir()
    assert saved(tmp_path) == (0, 8)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/00000.npz").write_bytes(b"")
    assert saved(tmp_path) == (1, 8)


def squeue(folder, monkeypatch, script):
    (folder / "squeue").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_what_the_queue_says(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs_module, "LOOK", 0.0)
    lines = "3_0|RUNNING|None\\n3_1|PENDING|BeginTime\\n3_2|FAILED|NonZeroExitCode\\n3_9|RUNNING|None\\n"
    squeue(tmp_path, monkeypatch, f'echo "$@" >{tmp_path}/asked; printf "{lines}"')
    queue = Queue()
    names = ["3_0", "3_1", "3_2", "4"]
    queue.look(names)
    assert (tmp_path / "asked").read_text().split()[-1] == "3,4"
    assert not any(map(queue.over, names)), "a state is believed once it has been seen twice"
    queue.look(names)
    assert [name for name in names if queue.over(name)] == ["3_2", "4"]
    assert (queue.state("3_2"), queue.state("4")) == ("FAILED", "")
    assert str(queue) == "1 pending (BeginTime), 1 running"
    squeue(tmp_path, monkeypatch, "echo down >&2; exit 1")
    queue.look(names)
    assert str(queue) == "SLURM does not answer" and not any(map(queue.over, names))
    squeue(tmp_path, monkeypatch, "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert ask(["4"]) == {}
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert ask(["4"]) is None


def test_the_queue_is_not_asked_all_the_time(monkeypatch):
    asked = []
    monkeypatch.setattr(jobs_module, "ask", lambda jobs: asked.append(jobs) or {})
    queue = Queue()
    for _ in range(3):
        queue.look(["1"])
    assert asked == [["1"]]


def test_the_last_words_of_a_run(tmp_path):
    log = tmp_path / "log"
    assert last_words(log) == "it said nothing"
    log.write_text(
        "submitit WARNING (now) - Bypassing signal SIGCONT\nerror: the disk is full\n\n"
        "submitit ERROR (now) - Submitted job triggered an exception\nTraceback\nRuntimeError: status 2\n"
        "srun: error: vm: task 0: Exited with exit code 1\n"
    )
    assert last_words(log) == "error: the disk is full"
    log.write_text("srun: error: vm: task 0: Killed\nslurmstepd-vm: error: *** STEP 2.0 ***\n")
    assert last_words(log) == "it said nothing"


def test_numbers_of_jobs_are_written_down(tmp_path):
    (tmp_path / "shards").mkdir()
    assert read_jobs(tmp_path) == {}
    write_jobs(tmp_path, {"0/2": "3_0", "1/2": "3_1"})
    write_jobs(tmp_path, {"1/2": "4"})
    assert read_jobs(tmp_path) == {"0/2": "3_0", "1/2": "4"}
    (tmp_path / "shards/jobs.json").write_text("[")
    assert read_jobs(tmp_path) == {}


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """A scheduler in which what happens to a job is what `scheduler.job` does with its shard's folder."""
    (tmp_path / "shards").mkdir()
    self = SimpleNamespace(submitted=Counter(), states={}, out=tmp_path)

    def submit(options, commands):
        handed = []
        for shard, _ in commands:
            self.submitted[shard] += 1
            number = f"{shard.index}-{self.submitted[shard]}"
            paths = SimpleNamespace(
                result_pickle=tmp_path / f"{number}.pkl", stderr=tmp_path / f"{number}.err"
            )
            shard.folder(tmp_path).mkdir(parents=True, exist_ok=True)
            self.states[number] = (self.job(shard, paths, self.submitted[shard]), "None")
            handed.append(SimpleNamespace(job_id=number, paths=paths))
        return handed

    monkeypatch.setattr(launching, "submit", submit)
    monkeypatch.setattr(jobs_module, "ask", lambda jobs: dict(self.states))
    monkeypatch.setattr(jobs_module, "LOOK", 0.0)
    monkeypatch.setattr(launching, "POLL", 0.0)
    self.wait = lambda: launching.Launch(launching.Options(out=tmp_path, shards=1), {Shard(0, 1): []}).wait()
    return self


def end(shard, out):
    (shard.folder(out) / "summary.json").write_text("{}")
    return "COMPLETED"


@pytest.mark.parametrize("state", ["NODE_FAIL", "TIMEOUT", "FAILED", "OUT_OF_MEMORY", "PREEMPTED", ""])
def test_a_job_that_is_lost_is_submitted_again_as_long_as_its_shard_gets_further(scheduler, state, capsys):
    def job(shard, paths, nth):
        (shard.folder(scheduler.out) / f"checkpoints/00000/{8 * nth}").mkdir(parents=True)
        return state if nth < 8 else end(shard, scheduler.out)

    scheduler.job = job
    assert scheduler.wait() == {}
    assert scheduler.submitted[Shard(0, 1)] == 8
    assert capsys.readouterr().err.count("submitted again") == 7


def test_a_job_that_is_lost_again_and_again_is_told(scheduler):
    def job(shard, paths, nth):
        paths.stderr.write_text("no GPU found\n")
        return "NODE_FAIL"

    scheduler.job = job
    [why] = scheduler.wait().values()
    assert "its job was lost (NODE_FAIL), 3 times in a row before anything was saved: no GPU found" in why
    assert scheduler.submitted[Shard(0, 1)] == 3


def fails(shard, paths, nth):
    paths.stderr.write_text("error: the disk is full\n")
    paths.result_pickle.write_bytes(b"")
    return "FAILED"


@pytest.mark.parametrize(
    ("job", "says"),
    [(fails, "error: the disk is full (log: "), (lambda *_: "CANCELLED", "its job was cancelled")],
    ids=["failed", "cancelled"],
)
def test_a_run_that_failed_and_a_cancelled_job_are_not_submitted_again(scheduler, job, says):
    scheduler.job = job
    [why] = scheduler.wait().values()
    assert says in why and scheduler.submitted[Shard(0, 1)] == 1


def test_a_job_that_cannot_be_submitted_again_leaves_the_others(scheduler, monkeypatch):
    def refuse(options, commands):
        raise launching.UserError("--cluster slurm: no more jobs")

    def job(shard, paths, nth):
        monkeypatch.setattr(launching, "submit", refuse)
        return "NODE_FAIL"

    scheduler.job = job
    [why] = scheduler.wait().values()
    assert "not submitted again: --cluster slurm: no more jobs" in why


def test_when_a_job_is_told_to_save():
    options = launching.Options(out=ROOT)
    assert launching.warning(options) == 90
    assert launching.warning(launching.Options(out=ROOT, minutes=2)) == 30
    assert launching.warning(launching.Options(out=ROOT, minutes=2, warn_seconds=5)) == 5


@pytest.mark.parametrize("seconds", ["0", "-1", "60", "90"])
def test_a_warning_that_the_limit_leaves_no_room_for_is_refused(seconds, tmp_path):
    done = here("launch", "--out", tmp_path, "--minutes", "1", "--warn-seconds", seconds)
    assert done.status == 2 and "must be from 1 to below the limit of a job, 60 s" in done.err
