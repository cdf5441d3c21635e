"""What the teacher's uncertainty is worth: soft against single plans, and the ways to get it from a model."""

from common import Options, Scale, main
from drawing import (
    BAND,
    Level,
    learning_figure,
    save,
    seeds_note,
    success_panel,
    teacher_level,
    title_of,
)
from reporting import Result, summary_row
from running import Job, carry_out

from jaxteach.config import Config, Distill
from jaxteach.teacher import table_names

TASKS = ("simple_door_key", "lava_door_key", "colored_door_key")
ESTIMATORS = ("sample", "verbalized", "score")
"""Endings of table names; the paper says statistical, verbalised and logits."""


def answers(scale: Scale, task: str) -> dict[str, Config]:
    """ChatGLM's table, read in different ways."""
    ways = {
        "soft": Distill(),
        "hard": Distill(teacher="hard"),
        "argmax": Distill(teacher="argmax"),
        "held": Distill(teacher="held"),
        "soft, by certainty": Distill(weighting="entropy"),
    }
    if scale.quick:
        ways.pop("soft, by certainty")
    return {label: scale.config(task, distill=distill) for label, distill in ways.items()}


def estimators(scale: Scale, task: str) -> dict[str, Config]:
    """Tables of one model, by estimator, wherever they are shipped for the task."""
    names = [name for name in table_names(task) if name.endswith(ESTIMATORS)]
    found = {name: scale.config(task, teacher=name) for name in names}
    return dict(list(found.items())[:2]) if scale.quick else found


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    tasks = TASKS[:1] if scale.quick else TASKS
    plans = [(task, part(scale, task)) for task in tasks for part in (answers, estimators)]
    jobs = [Job(label, config) for _, part in plans for label, config in part.items()]
    results = carry_out(jobs, options)
    panels = []
    for task, part in plans:
        runs = [result for result in results if result.task == task and result.label in part]
        if runs:
            what = "ChatGLM" if "soft" in part else "estimators"
            levels = teacher_levels(runs) if "soft" in part else teacher_level(runs)
            panels.append(success_panel(f"{title_of(task)}, {what}", runs, scale.window, levels))
    title = f"The teacher's uncertainty, {seeds_note(results)} a curve"
    figures = {options.figure: learning_figure(title, BAND, panels, columns=2)}
    save(options, results, figures, [summary_row(result, scale.window) for result in results], panels)


def teacher_levels(runs: list[Result]) -> tuple[Level, ...]:
    """The success of the teacher alone, by which of its plans count; hard acts as soft does."""
    alone = [result for result in runs if result.label in ("soft", "argmax", "held")]
    return tuple(level for run in alone for level in teacher_level([run], f"teacher alone, {run.label}"))


if __name__ == "__main__":
    main(__doc__, figure)
