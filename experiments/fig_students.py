"""Three students: the egocentric one, the reference's convolutions, and a recurrent one."""

from common import Options, main
from drawing import BAND, learning_figure, save, seeds_note, success_panel, teacher_level, title_of
from reporting import summary_row
from running import Job, carry_out

from jaxteach.config import Student

NETWORKS = ("ego", "cnn", "gru")
TASKS = ("simple_door_key", "lava_door_key")
SLOW = ("cnn", "lava_door_key")
"""Hours on a CPU, for its convolutions: only in --full."""


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    tasks = TASKS[:1] if scale.quick else TASKS
    jobs = [
        Job(name, scale.config(task, student=Student(name)))
        for task in tasks
        for name in NETWORKS
        if scale.name == "full" or (name, task) != SLOW
    ]
    results = carry_out(jobs, options)
    panels = []
    for task in tasks:
        runs = [result for result in results if result.task == task]
        panels.append(success_panel(title_of(task), runs, scale.window, teacher_level(runs)))
    title = f"Students, {seeds_note(results)} a curve"
    figures = {options.figure: learning_figure(title, BAND, panels)}
    save(options, results, figures, [summary_row(result, scale.window) for result in results], panels)


if __name__ == "__main__":
    main(__doc__, figure)
