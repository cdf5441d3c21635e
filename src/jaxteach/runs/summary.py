"""The results of a run: metrics.npz and summary.json, and with a sweep those of every point."""

from typing import Any

import numpy as np

from jaxteach.config import Config
from jaxteach.config.sweep import Point
from jaxteach.runs.run_folder import RunFolder, describe
from jaxteach.runs.shards import Shard
from jaxteach.teacher.success import Success
from jaxteach.teacher.table import PlanTable
from jaxteach.teacher.wrong import describe_errors
from jaxteach.training.evaluation import summarise
from jaxteach.training.metrics import UNLISTED
from jaxteach.training.state import Plan
from jaxteach.training.train import Training

SHARED = (
    "task",
    "method",
    "student",
    "preset",
    "teacher",
    "teacher_plans",
    "corrupt",
    "teacher_success_rate",
    "teacher_episodes",
    "eval_episodes",
)
"""What is the same at every point of a sweep."""
TOLD = (
    "decay",
    "diverged",
    "unlisted_steps",
    "env_steps_to_success",
    "confirmed_crossings",
    "success_rate",
    "return",
    "length",
)
"""What a sweep's summary tells of each point."""


def write_metrics(
    plan: Plan, points: tuple[Point, ...], folder: RunFolder, training: Training, table: PlanTable | None
) -> None:
    """Write metrics.npz of a run, finished or stopped; with a sweep, into the folders of its points.

    Args:
        plan: the run's.
        points: of its sweep.
        folder: the run's; its config.json is there.
        training: its results.
        table: the teacher's, or None.
    """
    for number, point in enumerate(points):
        own, at = training.at(number), folder.at(point)
        if own.chunks:
            if point.label:
                at.write_config(point.config, plan.student.reader, table)
            at.write_metrics(own.seed_ids, own.metrics)


def write_summary(
    plan: Plan,
    points: tuple[Point, ...],
    folder: RunFolder,
    training: Training,
    table: PlanTable | None,
    alone: Success | None,
    wall: dict[str, float],
    **more: Any,
) -> dict[str, Any]:
    """Write summary.json of a complete run and of each point of its sweep.

    Args:
        plan: the run's.
        points: of its sweep.
        folder: the run's.
        training: complete.
        table: the teacher's, or None.
        alone: the success of the teacher alone; None without a teacher.
        wall: what the process took in seconds, for `wall_seconds`.
        more: what else the summary shall hold.

    Returns:
        The contents of summary.json.
    """
    summaries = []
    for number, point in enumerate(points):
        own = training.at(number)
        seconds = {"train": own.seconds, "evaluate": own.evaluate_seconds}
        summary = {
            **summarise_run(point.config, table, own, alone),
            **more,
            "wall_seconds": {**wall, **seconds},
        }
        folder.at(point).write_summary(summary)
        summaries.append(summary)
    if not plan.config.sweep:
        return summaries[0]
    steps = sum(sum(summary["env_steps"]) for summary in summaries)
    whole = {
        **{name: summaries[0][name] for name in SHARED},
        "seeds": summaries[0]["seeds"],
        "points": [
            {
                "label": point.label,
                "values": point.values,
                "folder": str(folder.at(point).path.relative_to(folder.path)),
                **{name: summary[name] for name in TOLD},
            }
            for point, summary in zip(points, summaries, strict=True)
        ],
        "env_steps_per_second": steps / training.seconds,
        **more,
        "wall_seconds": {**wall, "train": training.seconds, "evaluate": training.evaluate_seconds},
    }
    folder.write_summary(whole)
    return whole


def write_shard(shard: Shard, folder: RunFolder, training: Training, wall: dict[str, float]) -> None:
    """Write summary.json of a shard that has ended: what it trained. The chunks stay, to be joined.

    Args:
        shard: which.
        folder: its own.
        training: complete.
        wall: what its process took in seconds.
    """
    folder.write_summary(
        {
            "shard": str(shard),
            "seeds": sorted({int(seed) for seed in training.seed_ids}),
            "diverged": training.diverged,
            "env_steps_per_second": training.env_steps / training.seconds,
            "wall_seconds": {**wall, "train": training.seconds, "evaluate": training.evaluate_seconds},
        }
    )


def summarise_run(
    config: Config, table: PlanTable | None, training: Training, alone: Success | None
) -> dict[str, Any]:
    """Gather summary.json, but for the wall times of the process.

    Args:
        config: resolved, without a sweep.
        table: the teacher's, or None.
        training: complete, of one point.
        alone: the success of the teacher alone; None without a teacher.
    """
    from jaxteach.analysis import (
        confirmed_crossings,
        describe_crossings,
        env_steps_to_success,
        median_env_steps,
    )

    metrics = training.metrics
    episodes = metrics["env_steps"], metrics["started"], metrics["finished"], metrics["succeeded"]
    env_steps = metrics["env_steps"][:, -1]
    return {
        "task": config.task,
        "method": config.method,
        "student": config.student.name,
        "decay": config.decay.name,
        "preset": config.preset,
        "teacher": describe(table),
        "teacher_plans": None if table is None else config.distill.teacher,
        "corrupt": describe_errors(table, config.corrupt),
        "seeds": [int(seed) for seed in training.seed_ids],
        "diverged": training.diverged,
        "env_steps": [int(steps) for steps in env_steps],
        "teacher_success_rate": None if alone is None else alone.rate,
        "teacher_episodes": None if alone is None else alone.episodes,
        "unlisted_steps": None if table is None or UNLISTED not in metrics else int(metrics[UNLISTED].sum()),
        "env_steps_to_success": median_env_steps(env_steps_to_success(*episodes)),
        "confirmed_crossings": describe_crossings(confirmed_crossings(*episodes)),
        "eval_episodes": config.eval_episodes,
        **summarise(training.final),
        "env_steps_per_second": float(np.sum(env_steps)) / training.seconds,
    }
