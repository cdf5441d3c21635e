"""Jobs that train shards: what runs within one, and what the scheduler says of it. No JAX here."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.files import write_atomic
from jaxteach.utils.json_file import read_object

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
"""What a scheduler may be asked to send before a time limit or a preemption; submitit's is SIGUSR2."""
LOOK = 10.0
"""Seconds between two questions to SLURM's queue, which all users share."""
NOISE = ("srun:", "slurmstepd", "submitit ")
"""How lines begin in a job's stderr that are not the run's."""
OVER = (
    "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT".split()
)
"""States of SLURM which a job does not leave; of any other it may yet run (again)."""


@dataclass
class ShardJob:
    """A job: `python -m jaxteach.run` of one shard, which is saved and queued again when the job has to end.

    A scheduler signals every process of a job, and some of them twice (SIGTERM before SIGUSR2, or srun
    forwards what its tasks got already), while the second signal ends a run at once. The run is therefore
    shielded from SIGTERM and the warnings, and gets one SIGINT from here.

    Attributes:
        command: the run's.
        folder: the shard's own run folder.
        delayed: submitit's `DelayedSubmission`, in which it queues a callable again.
    """

    command: list[str]
    folder: Path
    delayed: Any

    def __call__(self) -> None:
        """Train until the run ends or the scheduler ends the job.

        Raises:
            RuntimeError: the run has failed: it ended with another status than 0, unasked.
            SystemExit: the job has to end before the run; submitit then takes down no result.
        """
        before, relay, shield = saved(self.folder), Relay(), {signal.SIGTERM, *WARNINGS}
        for number in (signal.SIGINT, *shield):
            signal.signal(number, relay.hear)
        signal.pthread_sigmask(signal.SIG_BLOCK, shield)  # the mask is inherited, by exec as well
        relay.run = subprocess.Popen(self.command, process_group=0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, shield)
        relay.send()
        status = relay.run.wait()
        if status == 0:
            return
        # A run that was asked to stop may end in any way; but a mistake that it names would come again.
        if not relay.heard or status == 2:
            raise RuntimeError(failure(status))
        if relay.heard & {*WARNINGS} and saved(self.folder) > before:
            requeue()
        raise SystemExit(143)

    def checkpoint(self) -> Any:
        """What submitit queues again if the warning comes before the run has been started."""
        return self.delayed(self)


class Relay:
    """Passes on to a run that it has to stop: once, whatever signals the job gets, and as SIGINT.

    Attributes:
        heard: the signals so far.
        run: its process; None until it has been started.
    """

    def __init__(self) -> None:
        self.heard: set[int] = set()
        self.run: subprocess.Popen[bytes] | None = None
        self._sent = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.heard.add(number)
        self.send()

    def send(self) -> None:
        """Stop the run, if a signal has been heard and it has been started."""
        if self.heard and self.run is not None and not self._sent:
            self._sent = True
            self.run.send_signal(signal.SIGINT)


def failure(status: int) -> str:
    """How a run ended that nothing had asked to end; said on stderr too if only the system knows why."""
    if status > 0:
        return f"python -m jaxteach.run ended with status {status}"
    name = signal.Signals(-status).name
    why = " (out of memory?)" if name == "SIGKILL" else ""
    said = f"python -m jaxteach.run was killed by {name}{why}"
    print(said, file=sys.stderr, flush=True)
    return said


def saved(folder: Path) -> tuple[int, int]:
    """How far a shard would continue from: chunks that have ended, and updates in the newest checkpoint.

    Args:
        folder: the shard's.
    """
    ended = sum(1 for path in folder.glob("metrics/*.npz") if path.stem.isdecimal())
    updates = (int(path.name) for path in folder.glob("checkpoints/*/*") if path.name.isdecimal())
    return ended, max(updates, default=0)


def env_steps(folder: Path) -> int:
    """Environment steps a shard has taken so far.

    Args:
        folder: the shard's.
    """
    try:
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return int(json.loads(lines[-1])["env_steps"])
    except (OSError, ValueError, IndexError):
        return 0


def requeue() -> None:
    """Have SLURM queue this job again; where it refuses, that is left to the launching process."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    job = f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID")
    if job is not None and os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["scontrol", "requeue", job], timeout=60, check=False)


class Queue:
    """What SLURM's queue says of jobs, asked every `LOOK` seconds. sacct would need accounting to be on."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, str]] | None = {}
        self._over: dict[str, int] = {}
        self._asked = float("-inf")

    def look(self, jobs: list[str]) -> None:
        """Ask about jobs, unless that was done a moment ago. If SLURM does not answer, no job is over."""
        if not jobs or time.monotonic() - self._asked < LOOK:
            return
        self._asked = time.monotonic()
        self._found = ask(jobs)
        for job in jobs if self._found is not None else ():
            self._over[job] = self._over.get(job, 0) + 1 if self.state(job) in ("", *OVER) else 0

    def state(self, job: str) -> str:
        """The state of a job when SLURM was asked last; "" if it had forgotten it."""
        return (self._found or {}).get(job, ("", ""))[0]

    def over(self, job: str) -> bool:
        """Whether a job has ended.

        That has to be seen twice: files reach other machines late, and a job that is being queued again may
        show another state for a moment.
        """
        return self._found is not None and self._over.get(job, 0) > 1

    def __str__(self) -> str:
        if self._found is None:
            return "SLURM does not answer"
        words = [
            state.lower() + (f" ({reason})" if state == "PENDING" and reason != "None" else "")
            for state, reason in self._found.values()
            if state not in OVER
        ]
        return ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))


def ask(jobs: list[str]) -> dict[str, tuple[str, str]] | None:
    """The state of each job, and why it waits; those that SLURM has forgotten are left out.

    Args:
        jobs: their numbers, such as 12 or 12_0.

    Returns:
        (state, reason) of each job; None if SLURM does not answer.
    """
    masters = sorted({job.partition("_")[0] for job in jobs})
    command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r", "--jobs"]
    try:
        done = subprocess.run([*command, ",".join(masters)], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode:
        return {} if "Invalid job id" in done.stderr else None
    lines = (line.split("|") for line in done.stdout.splitlines())
    return {line[0]: (line[1], line[2]) for line in lines if len(line) == 3 and line[0] in jobs}


def last_words(log: Path) -> str:
    """The last line a run wrote to the stderr of its job; what submitit and SLURM add is left out.

    Args:
        log: the file of the job's stderr.
    """
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    lines = [line for line in text.splitlines() if line.strip()]
    reports = [number for number, line in enumerate(lines) if line.startswith("submitit ERROR")]
    own = [line for line in lines[: reports[-1] if reports else None] if not line.startswith(NOISE)]
    return one_line(own[-1]) if own else "it said nothing"


def logs(out: Path) -> Path:
    """Where the jobs of a run leave their output, and submitit what it hands over."""
    return out / "shards" / "logs"


def read_jobs(out: Path) -> dict[str, str]:
    """The numbers of the jobs submitted so far, by shard; none if that is not written down, or damaged."""
    try:
        found = read_object(out / "shards" / "jobs.json")
    except (FileNotFoundError, UserError):
        return {}
    return {shard: job for shard, job in found.items() if isinstance(job, str)}


def write_jobs(out: Path, numbers: dict[str, str]) -> None:
    """Write down the numbers of jobs, by shard; those of other shards stay."""
    write_atomic(out / "shards" / "jobs.json", json.dumps(read_jobs(out) | numbers, indent=1).encode())


def read_pair(text: str) -> tuple[str, str]:
    """Read one --sbatch.

    Raises:
        UserError: if it is no NAME=VALUE.

    >>> read_pair("mem=16G")
    ('mem', '16G')
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UserError(f"--sbatch {text}: must be NAME=VALUE, such as account=lab")
    return name.lstrip("-").replace("-", "_"), value
