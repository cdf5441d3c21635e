"""Which share of wrong instructions a student can correct: the same errors always, or new ones each step."""

import dataclasses
from typing import Any

import numpy as np
from common import FIRST_SEED, Options, Scale, main
from drawing import Curve, Panel, learning_figure, save, title_of
from reporting import Result
from running import Job, carry_out

from jaxteach.analysis import bootstrap_interval
from jaxteach.config import Config, Corrupt
from jaxteach.tasks import make_task
from jaxteach.teacher.corruption import systematic
from jaxteach.teacher.loading import load_teacher

TASKS = ("simple_door_key", "lava_door_key")
FULL_TASKS = (*TASKS, "colored_door_key")
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5)
TABLES = 16
"""Which states are wrong decides a lot: systematic errors are drawn so often, each for some of the seeds."""
NOTE = (
    "Line: mean success in the end; band: 95 % bootstrap interval, over wrong tables (systematic) or seeds "
    "(noise). Across: of the abstract states (systematic), of the instructions (noise)."
)


@dataclasses.dataclass(frozen=True)
class Point:
    """The effect of a share of errors.

    Attributes:
        mode: systematic or noise.
        nominal: the share asked for.
        share: of the states or of the instructions.
        students: success, [table] means over its seeds, or [seed] where there is one table.
        teachers: their teachers' success alone, [table].
        runs: behind it, one for each table.
    """

    mode: str
    nominal: float
    share: float
    students: np.ndarray
    teachers: np.ndarray
    runs: tuple[Result, ...]


def errors(scale: Scale, task: str) -> dict[str, Config]:
    """Runs by label: "<mode> <share>", and "/<draw>" for systematic errors."""
    true = scale.config(task)
    found = {"none 0": true}
    tables = 1 if scale.quick else TABLES
    each = scale.seeds // tables
    for share in SHARES[-1:] if scale.quick else SHARES[1:]:
        found[f"noise {share:g}"] = dataclasses.replace(true, corrupt=Corrupt(share, "noise"))
        for draw in range(tables):
            found[f"systematic {share:g}/{draw}"] = dataclasses.replace(
                true,
                corrupt=Corrupt(share, "systematic", draw),
                # Fresh seeds for every draw, as many in all as elsewhere; no chunk is padded.
                seeds=each,
                seeds_per_chunk=min(each, true.seeds_per_chunk or 8),
                first_seed=FIRST_SEED + draw * each,
            )
    return found


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    tasks = TASKS[:1] if scale.quick else FULL_TASKS if scale.name == "full" else TASKS
    jobs = [Job(label, config) for task in tasks for label, config in errors(scale, task).items()]
    results = carry_out(jobs, options)
    panels, rows = [], []
    for task in tasks:
        points = [
            point
            for mode in ("systematic", "noise")
            for point in points_of(mode, [result for result in results if result.task == task])
        ]
        curves = [
            curve_of(f"{who}s, {mode}", [point for point in points if point.mode == mode], f"{who}s")
            for mode in ("systematic", "noise")
            for who in ("student", "teacher")
        ]
        panels.append(Panel(title_of(task), tuple(curves), along="share of wrong instructions"))
        rows += [row_of(task, point, scale.window) for point in points]
    title = f"Students of teachers who err, n = {scale.seeds} seeds a point"
    picture = learning_figure(title, NOTE, panels, columns=2)
    save(options, results, {options.figure: picture}, rows, panels)


def points_of(mode: str, results: list[Result]) -> list[Point]:
    """The shares of one kind of error, ascending, of one task."""
    runs = [r for r in results if r.config.corrupt.share == 0 or r.config.corrupt.mode == mode]
    points = []
    for nominal in sorted({result.config.corrupt.share for result in runs}):
        group = tuple(result for result in runs if result.config.corrupt.share == nominal)
        means = np.array([result.success.mean() for result in group])
        points.append(
            Point(
                mode=mode,
                nominal=nominal,
                share=float(np.mean([wrong_share(result.config) for result in group])),
                # Seeds of one wrong table share its errors: tables, not seeds, are what was drawn at random.
                students=means if len(group) > 1 else group[0].success,
                teachers=np.array([result.teacher_success for result in group], np.float64),
                runs=group,
            )
        )
    return points


def wrong_share(config: Config) -> float:
    """The share of instructions that are wrong: of its states, for a table that always errs alike."""
    if config.corrupt.mode == "noise" or config.corrupt.share == 0:
        return config.corrupt.share
    table = load_teacher(config.teacher, config.task)
    assert table is not None
    note = systematic(table, make_task(config.task).language.options, config.corrupt).provenance
    return len(note["corruption"]["states"]) / len(table.states) if "corruption" in note else 0.0


def curve_of(label: str, points: list[Point], who: str) -> Curve:
    """Mean success of students or teachers against the share of errors."""
    scores = [np.asarray(getattr(point, who)) for point in points]
    ends = np.array([bootstrap_interval(score, "mean") for score in scores])
    centre = np.array([score.mean() for score in scores])
    shares = np.array([point.share for point in points])
    return Curve(label, min(map(len, scores)), "ci95", shares, centre, ends[:, 0], ends[:, 1])


def row_of(task: str, point: Point, window: int) -> dict[str, Any]:
    """A point as a row of summary.csv; "above" is a share of the tables."""
    low, high = bootstrap_interval(point.students, "mean")
    teacher_low, teacher_high = bootstrap_interval(point.teachers, "mean")
    seeds = np.concatenate([run.success for run in point.runs])
    steps = np.concatenate([run.steps_to(0.8, window) for run in point.runs])
    above = [run.success.mean() > np.array([run.teacher_success, 0.8]) for run in point.runs]  # [table, 2]
    return {
        "task": task,
        "run": f"{point.mode} {point.nominal:g}",
        "share": point.share,
        "tables": len(point.runs),
        "seeds": len(seeds),
        "success_mean": float(seeds.mean()),
        "success_low": low,
        "success_high": high,
        "teacher_success": float(point.teachers.mean()),
        "teacher_low": teacher_low,
        "teacher_high": teacher_high,
        "above_teacher": float(np.mean(above, axis=0)[0]),
        "above_0.8": float(np.mean(above, axis=0)[1]),
        "confirmed_0.8": float(np.isfinite(steps).mean()),
    }


if __name__ == "__main__":
    main(__doc__, figure)
