"""How many wrong instructions a student can correct: the same states always, or new ones at each step."""

import dataclasses
from typing import Any

import numpy as np
from common import FIRST_SEED, Options, Scale, main
from drawing import Curve, Panel, learning_figure, save, title_of
from reporting import Result
from running import Job, carry_out

from jaxteach.analysis import bootstrap_interval
from jaxteach.config import Config, Corrupt

TEACHERS = {"colored_door_key": "chatglm", "MiniGrid-DoorKey-8x8-v0": "rule-ideal"}
"""Tasks with many abstract states, 14 and 21, and the tables of theirs that errors are put into."""
STATES = {"colored_door_key": (1, 2, 4, 7), "MiniGrid-DoorKey-8x8-v0": (1, 2, 4, 7, 10)}
"""Numbers of states that are always wrong."""
ENV_STEPS = {"MiniGrid-DoorKey-8x8-v0": 131_072}
"""Environment steps a seed where the task's own are far more than its taught students need."""
SHARES = (0.5, 0.8, 0.9, 0.95)
"""Shares of answers that are wrong at random: up to where the teacher alone fails."""
TABLES = 8
"""Which states are wrong decides a lot: they are drawn so often, each time for some of the seeds."""
NOTE = (
    "Line: mean success in the end; band: 95 % bootstrap interval, over wrong tables (states) or seeds "
    "(noise). Teachers: the same wrong tables, and the same noise, alone."
)


@dataclasses.dataclass(frozen=True)
class Point:
    """The effect of a number of errors.

    Attributes:
        mode: systematic or noise.
        amount: how many states are wrong (systematic), or which share of the answers (noise).
        n_states: of the table.
        students: success, [table] means over its seeds, or [seed] where there is one table.
        teachers: their teachers' success alone, [table].
        runs: behind it, one for each table.
    """

    mode: str
    amount: float
    n_states: int
    students: np.ndarray
    teachers: np.ndarray
    runs: tuple[Result, ...]


def errors(scale: Scale, task: str) -> dict[str, Config]:
    """Runs by label: "none", "noise <share>", and "states <number>/<draw>"."""
    shorter: dict[str, Any] = {} if scale.quick or task not in ENV_STEPS else {"env_steps": ENV_STEPS[task]}
    true = scale.config(task, teacher=TEACHERS[task], **shorter)
    found = {"none": true}
    for share in SHARES[-1:] if scale.quick else SHARES:
        found[f"noise {share:g}"] = dataclasses.replace(true, corrupt=Corrupt(share, "noise"))
    tables = 1 if scale.quick else TABLES
    each = scale.seeds // tables
    for number in STATES[task][-1:] if scale.quick else STATES[task]:
        for draw in range(tables):
            found[f"states {number}/{draw}"] = dataclasses.replace(
                true,
                corrupt=Corrupt(seed=draw, states=number),
                # Fresh seeds for every draw, as many in all as elsewhere; no chunk is padded.
                seeds=each,
                seeds_per_chunk=min(each, true.seeds_per_chunk or 8),
                first_seed=FIRST_SEED + draw * each,
            )
    return found


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    jobs = [Job(label, config) for task in TEACHERS for label, config in errors(scale, task).items()]
    results = carry_out(jobs, options)
    panels, rows = [], []
    for task in TEACHERS:
        own = [result for result in results if result.task == task]
        for mode in ("systematic", "noise"):
            points = points_of(mode, own)
            panels.append(panel_of(task, mode, points))
            rows += [row_of(task, point, scale.window) for point in points]
    title = f"Students of teachers who err, n = {scale.seeds} seeds a point"
    picture = learning_figure(title, NOTE, panels, columns=2)
    save(options, results, {options.figure: picture}, rows, panels)


def points_of(mode: str, results: list[Result]) -> list[Point]:
    """The numbers of errors of one kind, ascending, of one task; without errors first."""
    runs = [r for r in results if not r.config.corrupt.any or r.config.corrupt.mode == mode]
    points = []
    for amount in sorted({amount_of(result, mode) for result in runs}):
        group = tuple(result for result in runs if amount_of(result, mode) == amount)
        means = np.array([result.success.mean() for result in group])
        points.append(
            Point(
                mode=mode,
                amount=amount,
                n_states=max(counted(result, "n_states") for result in results),
                # Seeds of one wrong table share its errors: tables, not seeds, are what was drawn at random.
                students=means if len(group) > 1 else group[0].success,
                teachers=np.array([result.teacher_success for result in group], np.float64),
                runs=group,
            )
        )
    return points


def amount_of(result: Result, mode: str) -> float:
    """How many states of a run's teacher are wrong, as its summary counts them, or which share of answers."""
    return result.config.corrupt.share if mode == "noise" else counted(result, "n_wrong")


def counted(result: Result, what: str) -> int:
    """What a run's summary counts of the errors of its teacher; 0 without errors."""
    assert result.run.summary is not None
    return int((result.run.summary["corrupt"] or {}).get(what, 0))


def panel_of(task: str, mode: str, points: list[Point]) -> Panel:
    """Students and their teachers alone, against the number of errors."""
    states = f"states wrong, of {points[0].n_states}"
    what = states if mode == "systematic" else "share wrong at random"
    curves = tuple(curve_of(who, points, who) for who in ("students", "teachers"))
    return Panel(f"{title_of(task)}: {what}", curves, along="errors")


def curve_of(label: str, points: list[Point], who: str) -> Curve:
    """Mean success of students or teachers against the number of errors."""
    scores = [np.asarray(getattr(point, who)) for point in points]
    ends = np.array([bootstrap_interval(score, "mean") for score in scores])
    centre = np.array([score.mean() for score in scores])
    amounts = np.array([point.amount for point in points])
    return Curve(label, min(map(len, scores)), "ci95", amounts, centre, ends[:, 0], ends[:, 1])


def row_of(task: str, point: Point, window: int) -> dict[str, Any]:
    """A point as a row of summary.csv; "above" is a share of the tables."""
    low, high = bootstrap_interval(point.students, "mean")
    teacher_low, teacher_high = bootstrap_interval(point.teachers, "mean")
    seeds = np.concatenate([run.success for run in point.runs])
    steps = np.concatenate([run.steps_to(0.8, window) for run in point.runs])
    above = [run.success.mean() > np.array([run.teacher_success, 0.8]) for run in point.runs]  # [table, 2]
    systematic = point.mode == "systematic"
    return {
        "task": task,
        "run": f"{'states' if systematic else 'noise'} {point.amount:g}",
        "n_wrong": int(point.amount) if systematic else None,
        "n_states": point.n_states,
        "share": point.amount / point.n_states if systematic else point.amount,
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
