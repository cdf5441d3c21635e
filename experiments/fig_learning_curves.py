"""Success while learning: LLM4Teach against reinforcement alone, cloning only and the teacher alone."""

from common import Options, Scale, main
from drawing import BAND, learning_figure, save, seeds_note, success_panel, teacher_level, title_of
from methods import METHODS, configured
from reporting import summary_row
from running import Job, carry_out

from jaxteach.config import PPO, Config, Decay

TASKS = ("simple_door_key", "lava_door_key", "colored_door_key", "two_door")
QUICK_TASKS = ("simple_door_key", "lava_door_key")


def methods(scale: Scale, task: str) -> dict[str, Config]:
    """The methods compared: each tuned alike, with the same network."""
    return {
        **{method: configured(scale, task, method) for method in METHODS},
        # The teacher's term alone: lambda's size does not matter then, for Adam divides by the gradient's.
        "cloning only": scale.config(
            task, decay=Decay("constant"), ppo=PPO(policy_weight=0.0, value_weight=0.0, entropy_weight=0.0)
        ),
    }


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    tasks = QUICK_TASKS if scale.quick else TASKS
    jobs = [Job(label, config) for task in tasks for label, config in methods(scale, task).items()]
    results = carry_out(jobs, options)
    by_task = {task: [result for result in results if result.task == task] for task in tasks}
    panels = [
        success_panel(title_of(task), runs, scale.window, teacher_level(runs))
        for task, runs in by_task.items()
    ]
    title = f"Success while learning, {seeds_note(results)} a curve"
    note = f"{BAND} Over the last {scale.window} episodes started, all of them finished."
    rows = [summary_row(result, scale.window) for result in results]
    save(options, results, {options.figure: learning_figure(title, note, panels, columns=2)}, rows, panels)


if __name__ == "__main__":
    main(__doc__, figure)
