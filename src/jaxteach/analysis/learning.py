"""What a figure of runs shows: success and return while learning, named by what tells the runs apart."""

from collections.abc import Sequence

from jaxteach.analysis.curves import (
    WINDOW,
    Band,
    Curve,
    learning_curve,
    return_while_learning,
    success_while_learning,
)
from jaxteach.analysis.figures import Level, Panel
from jaxteach.analysis.runs import COUNTS, Run
from jaxteach.utils.errors import UserError


def learning_panels(
    runs: Sequence[Run], *, window: int = WINDOW, band: Band = "iqr", labels: Sequence[str] | None = None
) -> tuple[Panel, Panel]:
    """Reduce runs to a panel of success and one of return, with the teachers' own success as lines.

    Args:
        runs: at least one; interrupted runs are welcome.
        window: episodes to look back on, see `success_while_learning`.
        band: what is drawn of the seeds, see `learning_curve`.
        labels: names of the runs; by default `run_labels`.

    Returns:
        The panels "success rate" and "return".

    Raises:
        UserError: if a run is too short for a single window; it is named.
    """
    names = run_labels(runs) if labels is None else labels
    success, returns = [], []
    for run, name in zip(runs, names, strict=True):
        if run.live is not None:
            success.append(_known(run.live.curve(name, "success", band), run, WINDOW))
            returns.append(run.live.curve(name, "return", band))
            continue
        steps = run.metrics["env_steps"]
        started, finished, succeeded = (run.metrics[count] for count in COUNTS)
        rates = success_while_learning(started, finished, succeeded, window)
        gains = return_while_learning(started, finished, run.metrics["return"], window)
        success.append(_known(learning_curve(name, steps, rates, band), run, window))
        returns.append(learning_curve(name, steps, gains, band))
    return (
        Panel("success rate", tuple(success), teacher_levels(runs)),
        Panel("return", tuple(returns)),
    )


def teacher_levels(runs: Sequence[Run]) -> tuple[Level, ...]:
    """Find the teachers' own success rates.

    Args:
        runs: the runs; those without a teacher, or interrupted before it was measured, have none.

    Returns:
        One level for each teacher, task and rate.
    """
    found = {
        (run.setting("teacher"), run.setting("task"), run.teacher_success_rate)
        for run in runs
        if run.teacher_success_rate is not None
    }
    several_tasks = len({task for _, task, _ in found}) > 1
    several = len(found) > 1
    return tuple(
        Level(
            (f"{name} alone" if several else "teacher alone") + (f", {task}" if several_tasks else ""), rate
        )
        for name, task, rate in sorted(found, key=str)
        if rate is not None
    )


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Name runs by the settings in which they differ, or by their folders where those do not tell them apart.

    Args:
        runs: the runs.

    Returns:
        One name a run, all different unless a folder is given twice; a single run is "student".
    """
    if len(runs) == 1:
        return ["student"]
    phrases = [_phrases(run) for run in runs]
    differing = [key for key in phrases[0] if len({phrase[key] for phrase in phrases} - {""}) > 1]
    names = [", ".join(filter(None, (phrase[key] for key in differing))) for phrase in phrases]
    for detail in ([run.path.resolve().name for run in runs], [str(run.path) for run in runs]):
        repeated = {name for name in names if names.count(name) > 1 or not name}
        names = [
            (f"{name} ({more})" if name else more) if name in repeated else name
            for name, more in zip(names, detail, strict=True)
        ]
    if len({run.seeds for run in runs}) > 1:
        names = [f"{name}, n = {run.seeds}" for name, run in zip(names, runs, strict=True)]
    return names


def run_title(runs: Sequence[Run]) -> str:
    """Title of the figure: the tasks and the number of seeds.

    Args:
        runs: the runs.

    Returns:
        Such as "lava_door_key, 8 seeds each".
    """
    tasks = ", ".join(dict.fromkeys(run.setting("task") for run in runs))
    low, high = min(run.seeds for run in runs), max(run.seeds for run in runs)
    count = f"{low} to {high} seeds" if low < high else f"{low} seed{'s' if low > 1 else ''}"
    return f"{tasks}, {count}" + (" each" if low == high and len(runs) > 1 else "")


def run_note(window: int, band: Band, runs: Sequence[Run] = ()) -> str:
    """Explain lines and bands.

    Args:
        window: episodes looked back on.
        band: what is drawn of the seeds.
        runs: what is drawn; of those that are read from their logs it is told how far they are.

    Returns:
        A text for below the figure.
    """
    drawn = {
        "iqr": "Line: median over seeds; band: their interquartile range",
        "ci95": "Line: interquartile mean over seeds; band: its 95 % bootstrap interval",
    }[band]
    said = [f"{drawn}. Over the last {window} episodes started, all of them finished."]
    return " ".join([*said, *(f"{standing(run, window, band)}." for run in runs if run.live)])


def standing(run: Run, window: int, band: Band) -> str:
    """How far a run is that has not ended, and what its curves lack.

    Args:
        run: the run.
        window: episodes that were asked for.
        band: as asked for.
    """
    if run.live is None:
        return run.standing
    told = f"{run.standing}; drawn from its log"
    told += f", over {WINDOW} episodes, not {window}" if window != WINDOW else ""
    return told + (", without an interval" if band == "ci95" else "")


def _known(curve: Curve, run: Run, window: int) -> Curve:
    """Refuse a curve that has no points."""
    if curve.env_steps.size == 0:
        unknown = f"at no update have the last {window} episodes of every seed finished"
        if run.live is not None:
            raise UserError(f"{run.path} has nothing to draw yet: {unknown}")
        raise UserError(
            f"{run.path} is too short to draw: {unknown}; "
            "train for more --env-steps, or plot with a smaller --window"
        )
    return curve


def _phrases(run: Run) -> dict[str, str]:
    """A run's settings, as a label words them; empty where one has no bearing."""
    teacher, preset = run.setting("teacher"), run.setting("preset")
    return {
        "task": run.setting("task"),
        "method": run.setting("method"),
        "teacher": "no teacher" if teacher == "none" else f"taught by {teacher}",
        "decay": "" if teacher == "none" else run.setting("decay"),
        "student": run.setting("student"),
        "preset": "" if preset == "none" else f"preset {preset}",
    }
