"""How much the teacher's quality matters: tables of different models, an ideal one, a uniform one, none."""

from common import Options, Scale, main
from drawing import dots_figure, save, seeds_note, steps_dots, success_dots, title_of
from reporting import Result, summary_row
from running import Job, carry_out

from jaxteach.config import Config, Decay
from jaxteach.teacher import table_names

TASKS = ("simple_door_key", "lava_door_key", "colored_door_key")


def teachers(scale: Scale, task: str) -> dict[str, Config]:
    """Every shipped table of a task, and no teacher at all."""
    names = ["chatglm", *(name for name in table_names(task) if name != "chatglm")]
    if scale.quick:
        names = names[:3]
    return {
        **{name: scale.config(task, teacher=name) for name in names},
        "none (RL only)": scale.config(task, decay=Decay("none")),
    }


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    tasks = TASKS[:1] if scale.quick else TASKS
    jobs = [Job(label, config) for task in tasks for label, config in teachers(scale, task).items()]
    results = carry_out(jobs, options)
    panels = []
    for task in tasks:
        # From the best teacher to the worst; the one who is not asked comes last.
        runs = sorted((result for result in results if result.task == task), key=quality, reverse=True)
        panels.append(success_dots(title_of(task), runs, mark=asked))
        panels.append(steps_dots(title_of(task), runs, scale.window))
    title = f"Students of better and worse teachers, {seeds_note(results)} each"
    note = "Dots: IQM (steps: median) over seeds; lines: 95 % bootstrap intervals; grey: the teacher alone."
    rows = [summary_row(result, scale.window, asked=asked(result)) for result in results]
    save(options, results, {options.figure: dots_figure(title, note, panels, columns=2)}, rows)


def asked(result: Result) -> bool:
    """Whether the teacher was asked at all."""
    return result.config.decay.name != "none"


def quality(result: Result) -> tuple[bool, float]:
    """The teacher's success alone, to sort by."""
    return asked(result), result.teacher_success or 0.0


if __name__ == "__main__":
    main(__doc__, figure)
