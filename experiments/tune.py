"""Tunes every method alike: as many settings, on as many tuning seeds, chosen by one rule."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import Options, Scale, main, say
from methods import METHODS, untuned
from reporting import Result, command_flag, csv_text, origin_of
from running import Job, trained

from jaxteach.analysis import Run, load_run, success_while_learning
from jaxteach.config import Config, resolve
from jaxteach.config.sweep import grid, parse_axis
from jaxteach.utils.files import write_atomic
from jaxteach.utils.json_file import read_object

TASKS = ("simple_door_key", "lava_door_key", "colored_door_key", "two_door")
FIRST_SEED, N_SEEDS = 100, 3
"""Tuning seeds: none of them is reported."""
SHARED = ("ppo.entropy_weight=0.01,0.03", "ppo.gamma=0.99,0.995")
GRIDS = dict.fromkeys(METHODS, (*SHARED, "ppo.lr=0.002,0.001")) | {
    "RL + count bonus": (SHARED[0], "ppo.lr=0.002,0.001", "ppo.bonus_weight=0.001,0.0003")
}
"""What is tried for each method, every combination; of the same size for all, the defaults first."""
SHORTER = {"two_door": 393_216}
"""Environment steps a seed, of every method, where tuning at the task's own budget would take too long."""
RULE = (
    "the highest success while learning, averaged over the environment steps of the run and over the tuning "
    "seeds; the earlier in the grid where several are equal"
)


def tuning(scale: Scale, task: str, method: str) -> Config:
    """One method's sweep on one task."""
    axes = SHARED[:1] if scale.quick else GRIDS[method]
    shorter = {"env_steps": SHORTER[task]} if task in SHORTER and not scale.quick else {}
    seeds = scale.seeds if scale.quick else N_SEEDS
    own: dict[str, Any] = {"first_seed": FIRST_SEED, "seeds": seeds, "sweep": axes, **shorter}
    return untuned(scale, task, method, **own)


def tune(options: Options) -> None:
    """Train every method at every setting, choose, and write the choice with all that it rests on."""
    scale = options.scale
    tasks = options.tasks or (TASKS[:1] if scale.quick else TASKS)
    configs = [tuning(scale, task, method) for task in tasks for method in METHODS]
    jobs = [
        Job(method, resolve(config)) for config, method in zip(configs, [*METHODS] * len(tasks), strict=True)
    ]
    for job in jobs[: len(METHODS)]:
        say(f"{job.label}: {len(grid(job.config))} settings, {' x '.join(job.config.sweep)}")
    done = trained(jobs, options)
    for task in tasks:
        write(options, task, [whole(job, folder) for job, folder in done if job.config.task == task])


def whole(job: Job, folder: Path) -> Result:
    """A sweep's run as a whole; the curves are in the folders of its points."""
    config, summary = (read_object(folder / name) for name in ("config.json", "summary.json"))
    return Result(job.label, job.config, Run(folder, config, summary, {}))


def points_of(sweep: Result) -> list[Result]:
    """The runs of a sweep, one for each setting, in the order of the grid."""
    return [
        Result(point.label, point.config, load_run(sweep.run.path / "points" / point.label))
        for point in grid(sweep.config)
    ]


def write(options: Options, task: str, sweeps: Sequence[Result]) -> None:
    """Write a task's two files: a row for each method, setting and seed; the choice and where it comes from.

    Args:
        options: the command line's.
        task: the task.
        sweeps: of every method, as `whole` gives them.
    """
    rows = [row for sweep in sweeps for row in rows_of(sweep.label, points_of(sweep), options.scale.window)]
    table = csv_text(rows).encode()
    options.out.mkdir(parents=True, exist_ok=True)
    write_atomic(options.out / f"{task}.csv", table)
    chosen = choose(rows)
    choice = {
        "task": task,
        "command": f"python experiments/{options.figure}.py{command_flag(options)} --task {task}",
        "rule": RULE,
        "scale": dataclasses.asdict(options.scale),
        "seeds": sorted({row["seed"] for row in rows}),
        "grid": {sweep.label: dict(map(parse_axis, sweep.config.sweep)) for sweep in sweeps},
        "env_steps": {sweep.label: sweep.config.env_steps for sweep in sweeps},
        "chosen": chosen,
        "runs": [origin_of(sweep) for sweep in sweeps],
        "files": {f"{task}.csv": hashlib.sha256(table).hexdigest()},
    }
    write_atomic(options.out / f"{task}.json", (json.dumps(choice, indent=1) + "\n").encode())
    for method, one in chosen.items():
        values = ", ".join(f"{field} {value:g}" for field, value in one["values"].items())
        say(f"{task}: {method}: {values}; score {one['score']:.3f}, defaults {one['default_score']:.3f}")


def rows_of(method: str, runs: Sequence[Result], window: int) -> list[dict[str, Any]]:
    """A row for each setting and seed of a method."""
    rows = []
    for run in runs:
        columns = run.per_seed(window)
        scores = mean_success(run, window)
        for i, seed in enumerate(columns["seed"]):
            rows.append(
                {
                    "run": method,
                    "point": run.label,
                    "seed": int(seed),
                    "score": round(float(scores[i]), 6),
                    "success_rate": float(columns["success_rate"][i]),
                    "confirmed_env_steps_to_0.8": float(columns["confirmed_env_steps_to_0.8"][i]),
                }
            )
    return rows


def mean_success(run: Result, window: int) -> np.ndarray:
    """Success while learning averaged over a run, [seed]: 0 until it is known, then as it was last known."""
    counts = (run.run.metrics[name] for name in ("started", "finished", "succeeded"))
    return averaged(success_while_learning(*counts, window))


def averaged(rates: np.ndarray) -> np.ndarray:
    """The mean of each row, [seed, update] to [seed]; NaN stands for the number before it, at first for 0.

    >>> averaged(np.array([[np.nan, 0.5, np.nan, 1.0]])).tolist()
    [0.5]
    """
    known = np.concatenate([np.zeros((len(rates), 1)), rates], axis=1)
    at = np.where(np.isnan(known), 0, np.arange(known.shape[1])[None, :])
    return np.take_along_axis(known, np.maximum.accumulate(at, axis=1), axis=1)[:, 1:].mean(axis=1)


def choose(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The setting of each method by `RULE`, its score, and that of the first setting, which are the defaults.

    Args:
        rows: of the CSV file, settings in the order of the grid.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row["run"], {}).setdefault(row["point"], []).append(float(row["score"]))
    choices = {}
    for method, points in found.items():
        scores = {point: float(np.mean(values)) for point, values in points.items()}
        best = max(scores, key=lambda point: scores[point])  # the first of equal ones
        choices[method] = {
            "point": best,
            "values": {field: float(value) for field, value in (part.split("=") for part in best.split(","))},
            "score": round(scores[best], 6),
            "default_score": round(next(iter(scores.values())), 6),
        }
    return choices


if __name__ == "__main__":
    main(__doc__, tune, tasks=TASKS)
