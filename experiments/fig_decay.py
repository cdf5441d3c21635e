"""Which decay of lambda is best: every schedule, rates, floors and lengths of the plateau, constants."""

from typing import Any

from common import Options, Scale, main
from drawing import (
    BAND,
    dots_figure,
    learning_figure,
    save,
    seeds_note,
    steps_dots,
    success_dots,
    success_panel,
    teacher_level,
    title_of,
)
from levels import ENV_STEPS
from reporting import Result, summary_row
from running import Job, carry_out

from jaxteach.config import Decay

TASKS = ("simple_door_key", "lava_door_key")
"""Where every schedule is tried."""
SETTLED = ("colored_door_key", "two_door")
"""Where the paper's schedule and the one that follows the student are compared."""
SETTLED_LEVELS = ("DoorKey-8x8-v0", "UnlockPickup-v0", "MultiRoom-N4-S5-v0", "KeyCorridorS3R3-v0")
"""The same, on levels of MiniGrid with their ideal tables."""
SHAPES = ("linear_plateau", "linear", "exponential", "cosine", "step", "adaptive")
ALWAYS = 0.9999
"""As off_at: never off."""


def schedules(scale: Scale) -> dict[str, Decay]:
    """Every schedule shown, by its label; the default is the first."""
    shapes = {name: Decay(name) for name in SHAPES}
    constants = {f"constant, start {start:g}": Decay("constant", start=start) for start in (0.1, 1.0, 10.0)}
    rates = {f"plateau-at {at:g}": Decay(plateau_at=at) for at in (0.05, 0.1, 0.4)}
    floors = {f"floor {floor:g}": Decay(floor=floor) for floor in (0.0, 0.02, 0.2, 1.0)}
    lengths = {
        "off-at 0.3": Decay(off_at=0.3),
        "off-at 0.8": Decay(off_at=0.8),
        f"off-at {ALWAYS:g} (never)": Decay(off_at=ALWAYS),
    }
    if scale.quick:
        constants, rates, floors, lengths = (
            dict(list(part.items())[:1]) for part in (constants, rates, floors, lengths)
        )
    return {**shapes, **constants, **rates, **floors, **lengths, "none (RL only)": Decay("none")}


def settled(scale: Scale) -> list[Job]:
    """The paper's schedule and the one that follows the student, on further tasks and levels."""
    levels: dict[str, Any] = {level: {"env_steps": ENV_STEPS[level]} for level in SETTLED_LEVELS}
    if scale.quick:
        levels = {SETTLED_LEVELS[0]: {}}
    teachers: dict[str, Any] = {} if scale.quick else {task: {} for task in SETTLED}
    teachers |= {f"MiniGrid-{level}": {"teacher": "rule-ideal", **own} for level, own in levels.items()}
    return [
        Job(name, scale.config(task, decay=Decay(name), **own))
        for task, own in teachers.items()
        for name in ("linear_plateau", "adaptive")
    ]


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    tasks = TASKS[:1] if scale.quick else TASKS
    jobs = [
        Job(label, scale.config(task, decay=decay))
        for task in tasks
        for label, decay in schedules(scale).items()
    ]
    results = carry_out([*jobs, *settled(scale)], options)
    panels, dots = [], []
    for task in dict.fromkeys(result.task for result in results):
        runs = [result for result in results if result.task == task]
        shapes = [result for result in runs if result.label in SHAPES]
        panels.append(success_panel(title_of(task), shapes, scale.window, teacher_level(runs)))
        if task in TASKS:  # elsewhere two schedules are compared, whose curves say it all
            dots.append(success_dots(title_of(task), runs, strong=is_default))
            dots.append(steps_dots(title_of(task), runs, scale.window, strong=is_default))
    default = Decay()
    defaults = (
        "Names are those of --decay and of --decay.NAME. Unless said otherwise: "
        f"start {default.start:g}, floor {default.floor:g}, plateau-at {default.plateau_at:g}, "
        f"off-at {default.off_at:g}, of the run."
    )
    note = f"Dots: IQM (steps: median); lines: 95 % bootstrap intervals; grey: teacher alone. {defaults}"
    save(
        options,
        results,
        {
            options.figure: learning_figure(
                f"Decays of lambda, {seeds_note(results)} a curve", f"{BAND} {defaults}", panels, columns=4
            ),
            f"{options.figure}_sweep": dots_figure(
                f"Decays of lambda, {seeds_note(results)} each", note, dots, columns=2
            ),
        },
        [summary_row(result, scale.window) for result in results],
        panels,
    )


def is_default(result: Result) -> bool:
    """Whether a result is the default's."""
    return result.label == SHAPES[0]


if __name__ == "__main__":
    main(__doc__, figure)
