"""What README shows: the tasks at their defaults, SimpleDoorKey without a teacher, the teachers alone."""

import dataclasses

from common import Options, Scale, main
from drawing import dots_figure, save, seeds_note, success_dots, title_of
from reporting import detailed_row
from running import Job, carry_out

from jaxteach.config import Config

TASKS = ("simple_door_key", "lava_door_key", "colored_door_key", "two_door")
UNTAUGHT = TASKS[:1]
SEEDS, EPISODES = 16, 1000
"""Of each run, from 0 on, and of each student."""
TEACHER_EPISODES = 4000
"""Of each teacher alone."""


def runs(scale: Scale, task: str) -> dict[str, Config]:
    """The command's defaults but for the number of seeds; where it is compared, no teacher at that budget."""
    taught = scale.config(task, first_seed=0)
    if not scale.quick:
        taught = dataclasses.replace(taught, seeds=SEEDS, eval_episodes=EPISODES)
    found = {"default": taught}
    if task in UNTAUGHT:
        found["no teacher"] = dataclasses.replace(taught, teacher="none")
    return found


def figure(options: Options) -> None:
    """Train, evaluate the teachers, draw, write."""
    scale = options.scale
    tasks = TASKS[:1] if scale.quick else TASKS
    jobs = [Job(label, config) for task in tasks for label, config in runs(scale, task).items()]
    results = carry_out(jobs, options)
    alone = {task: teacher_alone(task, 200 if scale.quick else TEACHER_EPISODES) for task in tasks}
    rows = [
        detailed_row(result, scale.window)
        | ({"teacher_success": alone[result.task]} if result.label == "default" else {})
        for result in results
    ]
    panels = [success_dots(title_of(task), [r for r in results if r.task == task]) for task in tasks]
    title = f"Defaults, {seeds_note(results)} each, from 0 on"
    note = "Dots: IQM over seeds; lines: 95 % bootstrap intervals; grey: the teacher alone."
    save(options, results, {options.figure: dots_figure(title, note, panels, columns=2)}, rows)


def teacher_alone(task: str, episodes: int) -> float:
    """The success of a task's default teacher, acting by its table."""
    from jaxteach.evaluate import Options as Evaluation
    from jaxteach.evaluate import evaluate_teacher

    asked = Evaluation(who="teacher", task=task, episodes=episodes)
    return float(evaluate_teacher(asked, None)["success_rate"]["mean"])


if __name__ == "__main__":
    main(__doc__, figure)
