"""Plans of runs: each is carried out once, in one process, and kept, whichever figure asked for it.

A job is a label and a configuration. It becomes a run folder in runs/experiments/, named after all that
decides its results, and what is there already is not trained again.
"""

import contextlib
import dataclasses
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from committed import committed
from common import ROOT, Options, processor, say
from reporting import Result

from jaxteach.analysis import load_run
from jaxteach.config import Config, resolve
from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import own_fields, read_object, typed
from jaxteach.utils.surroundings import source_digest

RUNS = ROOT / "runs" / "experiments"
RATES = {"simple_door_key": 120_000, "lava_door_key": 80_000, "colored_door_key": 65_000, "two_door": 55_000}
"""Environment steps a second on two quiet cores, for the prediction, until runs here have shown their own."""
SLOWER = {"cnn": 85, "gru": 2}
"""How many times as long other students take."""
COMPILING = 15.0
"""Seconds to compile a program, about."""
PROGRAMS = 6
"""Compiled programs kept for the runs to come: each holds some 2,000 mappings of memory, of which Linux
grants a process 65,530, and of many levels each has its own."""


@dataclass(frozen=True)
class Job:
    """One run of a figure.

    Attributes:
        label: what the figure calls it; together with the task unique in the figure.
        config: what to train.
    """

    label: str
    config: Config


def carry_out(jobs: Sequence[Job], options: Options) -> list[Result]:
    """Train what has not been trained yet, and read everything back; with so_far or redraw train nothing.

    Args:
        jobs: what the figure needs, without sweeps.
        options: the command line's.

    Returns:
        A result for each job, in their order; with so_far or redraw for those that there are.

    Raises:
        UserError: with so_far or redraw, nothing is there.
    """
    if options.redraw:
        return committed(jobs, options.out)
    return [Result(job.label, job.config, load_run(folder)) for job, folder in trained(jobs, options)]


def trained(jobs: Sequence[Job], options: Options) -> list[tuple[Job, Path]]:
    """Train what has not been trained yet.

    Ends the process, with what is done so far kept, on Ctrl-C; and if only the plan was asked for.

    Args:
        jobs: what the figure needs.
        options: the command line's.

    Returns:
        Each job, written out, with its finished run folder, in their order; with so_far those that there are.

    Raises:
        UserError: with so_far nothing is done.
    """
    from jaxteach.utils.signals import Stopping

    # Written out once, for resolving is what tells two configurations apart.
    resolved = [dataclasses.replace(job, config=resolve(job.config)) for job in jobs]
    folders = {job: folder_of(job.config) for job in resolved}
    unique = {folders[job]: job for job in resolved}
    missing = [job for folder, job in unique.items() if not (folder / "summary.json").exists()]
    say(f"{options.figure}: {len(jobs)} runs, {len(jobs) - len(missing)} there already; {predict(missing)}")
    tell_of_other_code([folder for folder, job in unique.items() if job not in missing])
    if options.plan:
        sys.exit(0)
    if options.so_far:
        resolved = [job for job in resolved if (folders[job] / "summary.json").exists()]
        missing = []
        if not resolved:
            raise UserError(f"{options.figure}: no run is there yet: leave --so-far out to train them")
    programs: list[Any] = []
    with Stopping() as stopping:
        for number, job in enumerate(missing, 1):
            began = time.perf_counter()
            if not train_job(job, folders[job], programs, stopping):
                say(f"stopped; the same command continues where it was ({folders[job]})")
                sys.exit(stopping.status)
            make_room(programs)
            seconds = time.perf_counter() - began
            say(f"[{number}/{len(missing)}] {job.config.task}: {job.label}, {seconds:.0f} s")
    return [(job, folders[job]) for job in resolved]


def folder_of(config: Config) -> Path:
    """The run folder of a resolved configuration: its name says the task, its digest everything."""
    from jaxteach.runs import fingerprint
    from jaxteach.teacher.loading import load_teacher

    digest = fingerprint(config, load_teacher(config.teacher, config.task), deterministic=False)
    return RUNS / f"{config.task.replace(':', '-')}-{digest[:16]}"


def tell_of_other_code(folders: Sequence[Path]) -> None:
    """Say in one line which of the runs that are used again come from other code, versions or devices."""
    from jaxteach.runs.run_folder import device
    from jaxteach.utils.jax_setup import versions

    today = {"source_sha256": source_digest(), "versions": versions(), "device": device()}
    found: dict[str, list[str]] = {}
    for folder in folders:
        then = {**read_object(folder / "config.json"), **read_object(folder / "summary.json")}
        differ = [name for name, value in today.items() if then.get(name) != value]
        if differ:
            found.setdefault(" and ".join(differ), []).append(folder.name)
    for what, names in found.items():
        say(f"{len(names)} of them with other {what} than today, such as {names[0]}: remove to train anew")


def commit() -> str | None:
    """The commit that is checked out, marked where src/ differs from it; None outside of a git checkout."""
    head = _git("rev-parse", "HEAD")
    return head + ("-changed" if _git("status", "--porcelain", "--", "src") else "") if head else None


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def predict(jobs: Sequence[Job]) -> str:
    """About how long jobs will take, in words."""
    from jaxteach.config.fields import compiled_for
    from jaxteach.config.sweep import grid

    if not jobs:
        return "nothing to train"
    # Taught and untaught students are separate programs.
    seconds = COMPILING * len({(compiled_for(job.config), job.config.teacher == "none") for job in jobs})
    for job in jobs:
        steps = len(grid(job.config)) * job.config.seeds * (job.config.env_steps or 0)
        seconds += 1.25 * steps / rate_of(job.config)  # a quarter more for the evaluation
    tens = math.ceil(seconds / 10)
    return f"about {f'{tens * 10} s' if tens < 12 else f'{round(seconds / 60)} min'} of training to come"


@dataclass(frozen=True)
class Shown:
    """What an earlier run tells of speed, in its summary.json."""

    student: str
    method: str
    env_steps_per_second: float


def rate_of(config: Config) -> float:
    """Environment steps a second: what earlier runs of the kind have shown here, else on two quiet cores."""
    base = config.task.partition(":")[0]
    shown = []
    for file in RUNS.glob(f"{base}*/summary.json"):
        # A damaged one is named where its results are needed.
        with contextlib.suppress(UserError):
            run = typed(Shown, own_fields(Shown, read_object(file)), str(file))
            if (run.student, run.method) == (config.student.name, config.method):
                shown.append(run.env_steps_per_second)
    usual = RATES.get(base, 40_000) / SLOWER.get(config.student.name, 1)
    return float(np.median(shown)) if shown else usual


def make_room(programs: list[Any]) -> None:
    """Let go of all but the programs used last, and of what JAX compiled for others."""
    if len(programs) > PROGRAMS:
        import jax

        del programs[:-PROGRAMS]
        jax.clear_caches()


def train_job(job: Job, path: Path, programs: list[Any], stopping: Any) -> bool:
    """Carry out one run, or continue with it, and leave its folder finished.

    Args:
        job: with its configuration resolved.
        path: its folder.
        programs: compiled so far; one is used again if it fits, else one is added.
        stopping: signals.

    Returns:
        Whether it has ended; false if a signal stopped it.
    """
    from jaxteach.runs import Hooks, execute
    from jaxteach.teacher.loading import load_teacher

    table = load_teacher(job.config.teacher, job.config.task)
    hooks = Hooks(notice=say, stop=lambda: stopping.asked)
    facts = {"source_sha256": source_digest(), "commit": commit(), "processor": processor()}
    return execute(job.config, table, path, hooks, programs=programs, facts=facts).complete
