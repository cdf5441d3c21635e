"""Which share of wrong instructions a student can correct: the same errors always, or new ones each step."""

import dataclasses

import numpy as np
from common import FIRST_SEED, Options, Scale, main
from drawing import Panel, learning_figure, save, share_curve, title_of
from reporting import Result, summary_row
from running import Job, carry_out

from jaxteach.config import Config, Corrupt

TASKS = ("simple_door_key", "lava_door_key")
FULL_TASKS = (*TASKS, "colored_door_key")
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5)
TABLES = 8
"""Which states are wrong decides a lot: systematic errors are drawn so often, each for some of the seeds."""


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
    panels = [panel_of(task, [result for result in results if result.task == task]) for task in tasks]
    title = f"Students of a teacher who errs, n = {scale.seeds} seeds a point"
    note = (
        "Line: interquartile mean of the final evaluation; band: its 95 % bootstrap interval. "
        f"Systematic errors: {1 if scale.quick else TABLES} draws of the wrong states (teacher: their mean)."
    )
    rows = [
        summary_row(result, scale.window, **dataclasses.asdict(result.config.corrupt)) for result in results
    ]
    save(options, results, {options.figure: learning_figure(title, note, panels, columns=2)}, rows, panels)


def panel_of(task: str, results: list[Result]) -> Panel:
    """Success against the share of errors: students and teachers, for both kinds of error."""
    curves = []
    for mode in ("systematic", "noise"):
        runs = [r for r in results if r.config.corrupt.share == 0 or r.config.corrupt.mode == mode]
        shares = sorted({result.config.corrupt.share for result in runs})
        at = [[result for result in runs if result.config.corrupt.share == share] for share in shares]
        students = [np.concatenate([result.success for result in group]) for group in at]
        teachers = [np.array([result.teacher_success for result in group], np.float64) for group in at]
        curves.append(share_curve(f"student, {mode}", shares, students))
        mean = np.array([rates.mean() for rates in teachers])
        curve = share_curve(f"teacher, {mode}", shares, teachers)
        curves.append(dataclasses.replace(curve, centre=mean, low=mean, high=mean))
    return Panel(title_of(task), tuple(curves), along="share of wrong instructions")


if __name__ == "__main__":
    main(__doc__, figure)
