"""Whole runs of the command line, each a process: seconds, peak memory, what was compiled."""

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxteach.utils.errors import UserError

PROGRAM = "jit_run_segment-"
"""What the compiled training program is called in the cache of compiled programs."""
LOOK = 0.05
"""Seconds between two looks at a running process."""


@dataclasses.dataclass(frozen=True)
class Run:
    """The results of one run.

    Attributes:
        flags: of its command line, but for folders.
        seeds: how many were trained.
        env_steps: environment steps of all seeds together.
        train_seconds: of training alone.
        compile_seconds: of getting the training program ready, by compiling or from the cache.
        start_seconds: from the start of the process until training began.
        total_seconds: of the process.
        peak_bytes: the most memory that was resident; None where the system does not tell.
        metrics_bytes: of its metrics, uncompressed: results that stay in memory until the run ends.
        params_bytes: of its parameters, uncompressed: results that leave memory with their chunk.
        compiled: training programs added to the cache.
        confirmed_env_steps_to_95: environment steps a seed to a success of 0.95, confirmed (median); None if
            it is not.
    """

    flags: str
    seeds: int
    env_steps: int
    train_seconds: float
    compile_seconds: float
    start_seconds: float
    total_seconds: float
    peak_bytes: int | None
    metrics_bytes: int
    params_bytes: int
    compiled: int
    confirmed_env_steps_to_95: float | None

    @property
    def seconds_a_seed(self) -> float:
        """Seconds of training a seed."""
        return self.train_seconds / self.seeds

    @property
    def seconds_a_solved_seed(self) -> float | None:
        """Seconds of training a seed until its success was 0.95; None if it never was."""
        if self.confirmed_env_steps_to_95 is None:
            return None
        return self.train_seconds * self.confirmed_env_steps_to_95 / self.env_steps

    def __str__(self) -> str:
        memory = "" if self.peak_bytes is None else f", {self.peak_bytes / 1e6:.0f} MB"
        return (
            f"{self.seconds_a_seed:.4f} s a seed, begins after {self.start_seconds:.1f} s "
            f"(compile {self.compile_seconds:.1f} s), {self.total_seconds:.1f} s in all{memory}"
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON values, with what follows from them."""
        derived = {
            "seconds_a_seed": self.seconds_a_seed,
            "seconds_a_solved_seed": self.seconds_a_solved_seed,
        }
        return {**dataclasses.asdict(self), **derived}


def run(out: Path, cache: Path, flags: Sequence[str]) -> Run:
    """Train in a separate process, and wait for it.

    Args:
        out: the run's folder, not there yet.
        cache: the folder of compiled programs.
        flags: of the command line.

    Raises:
        UserError: if the run fails.
    """
    before, began, start, peak = programs(cache), time.perf_counter(), None, None
    command = [sys.executable, "-m", "jaxteach.run", "--out", str(out), "--cache", str(cache), *flags]
    log = out.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                # Written once everything is compiled.
                if start is None and (out / "config.json").exists():
                    start = time.perf_counter() - began
                peak = peak_memory(process.pid) or peak
                time.sleep(LOOK)
        finally:
            process.kill()
    total = time.perf_counter() - began
    if process.returncode != 0:
        last = (log.read_text().strip().splitlines() or ["no output"])[-1]
        raise UserError(f"jaxteach.run {' '.join(flags)} ended with status {process.returncode}: {last}")
    summary = json.loads((out / "summary.json").read_text())
    return Run(
        flags=" ".join(flags),
        seeds=len(summary["seeds"]),
        env_steps=sum(summary["env_steps"]),
        train_seconds=summary["wall_seconds"]["train"],
        compile_seconds=summary["wall_seconds"]["compile"],
        start_seconds=total if start is None else start,
        total_seconds=total,
        peak_bytes=peak,
        metrics_bytes=array_bytes(out / "metrics.npz"),
        params_bytes=sum(array_bytes(file) for file in out.glob("params/*.npz")),
        compiled=programs(cache) - before,
        confirmed_env_steps_to_95=summary["confirmed_crossings"]["0.95"]["env_steps"],
    )


def programs(cache: Path) -> int:
    """How many training programs a cache holds."""
    return sum(1 for file in cache.glob(f"{PROGRAM}*") if file.name.endswith("-cache"))


def peak_memory(pid: int) -> int | None:
    """The most memory of a process that was ever resident, in bytes; None if the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return found[0] if found else None


def array_bytes(file: Path) -> int:
    """Bytes of the arrays in an .npz file."""
    with np.load(file, allow_pickle=False) as arrays:
        return sum(arrays[name].nbytes for name in arrays.files)
