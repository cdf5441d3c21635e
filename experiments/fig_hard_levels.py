"""MiniGrid's hard levels: LLM4Teach with a rule's table, RL only and hierarchical RL, at equal budget."""

import dataclasses
import math
from typing import Any

from common import FIRST_SEED, Options, Scale, main
from drawing import RATE, DotPanel, dots_figure, save, seeds_note, steps_dot, success_dot
from levels import DECAY, ENV_STEPS, level_settings
from methods import OURS, configured
from reporting import Result, detailed_row
from running import Job, carry_out

from jaxteach.config import PPO, Config, Corrupt

N_SEEDS = 8
"""Of the default scale: the levels are many."""
SMALLER = {"Fetch-8x8-N3-v0": 131_072, "GoToDoor-8x8-v0": 65_536}
"""Budgets that were tried on reported seeds first, and were too small: they stay in the figure."""
QUICK = ("Unlock-v0", "GoToDoor-8x8-v0")
RIGHT = {
    "KeyCorridorS3R3-v0": (0.985, 0.906, 0.996),
    "KeyCorridorS6R3-v0": (0.932, 0.762, 0.959),
    "ObstructedMaze-1Dlh-v0": (0.989, 0.739, 0.742),
    "ObstructedMaze-1Dlhb-v0": (0.486, 0.518, 0.482),
    "MultiRoom-N2-S4-v0": (0.930, 0.273, 0.559),
    "MultiRoom-N4-S5-v0": (0.548, 0.175, 0.352),
}
"""How often three LLMs were right about the next subgoal: Words as Beacons, its repository, rq4_config."""
AS_RIGHT = "as right as"
LLMS = ("Llama", "DeepSeek", "Qwen")
SUCCESS = (
    "Dots: IQM over seeds of success in the end; lines: 95 % bootstrap intervals; grey: the teacher alone."
)
WRONG = f"{SUCCESS} Wrong states, as many as the LLM had wrong answers, always say one other option."
LEAST = 131_072
"""Environment steps of students of wrong tables, in levels that have no budget above."""


def seeds(scale: Scale) -> int:
    """Seeds of each run."""
    return N_SEEDS if scale.name == "default" else scale.seeds


def budget(scale: Scale, level: str) -> dict[str, Any]:
    """What all students of a level are given: environment steps, a network, batches."""
    taught = level_settings(level)
    given: dict[str, Any] = {"student": taught.student, "rollout": taught.rollout}
    return given if scale.quick else {**given, "seeds": seeds(scale), "env_steps": ENV_STEPS[level]}


def methods(scale: Scale, level: str) -> dict[str, Config]:
    """The methods compared: the same budget, network and batches for each."""
    task = f"MiniGrid-{level}"
    taught = level_settings(level)
    own = budget(scale, level)
    # The entropy's weight was found for taught students alone.
    alone = {"ppo": dataclasses.replace(taught.ppo, entropy_weight=PPO().entropy_weight), "teacher": "none"}
    found = {
        OURS: configured(scale, task, OURS, teacher="rule-ideal", decay=taught.decay, ppo=taught.ppo, **own),
        "RL only": configured(scale, task, "RL only", **alone, **own),
        "hierarchical RL": configured(scale, task, "hierarchical RL", **alone, **own),
    }
    if level in SMALLER and not scale.quick:
        less = {**own, "env_steps": SMALLER[level]}
        label = f"{OURS}, {SMALLER[level]:,} steps"
        found[label] = configured(scale, task, OURS, teacher="rule-ideal", decay=DECAY, **less)
    return found


def wrong_teachers(scale: Scale, level: str) -> dict[str, Config]:
    """Students of tables that are wrong in as many states as three LLMs were."""
    if scale.quick:
        return {}
    own: dict[str, Any] = {"seeds": seeds(scale), "env_steps": ENV_STEPS.get(level, LEAST)}
    return {
        f"{AS_RIGHT} {llm}": scale.config(
            f"MiniGrid-{level}", teacher="rule-ideal", decay=DECAY, corrupt=Corrupt(share=1 - right), **own
        )
        for llm, right in zip(LLMS, RIGHT[level], strict=True)
    }


def figure(options: Options) -> None:
    """Train, draw, write."""
    scale = options.scale
    levels = QUICK if scale.quick else tuple(ENV_STEPS)
    jobs = [Job(label, config) for level in levels for label, config in methods(scale, level).items()]
    # The taught students first: what is asked of them is what the others are compared with.
    jobs.sort(key=lambda job: job.label != OURS)
    wrong = [Job(label, config) for level in RIGHT for label, config in wrong_teachers(scale, level).items()]
    found = carry_out([*jobs, *wrong], options)
    of_wrong = [result for result in found if result.label.startswith(AS_RIGHT)]
    results = [result for result in found if result not in of_wrong]
    by_level = {level: [r for r in results if r.task == f"MiniGrid-{level}"] for level in levels}
    by_level = {level: runs for level, runs in by_level.items() if runs}
    panels = [panel for level, runs in by_level.items() for panel in panels_of(level, runs, scale.window)]
    title = f"Hard levels of MiniGrid, {seeds_note(results)} each, from {FIRST_SEED} on"
    note = (
        "Success in the end: IQM over seeds with its 95 % bootstrap interval; grey: the teacher alone. "
        "Steps to 0.8 while learning, where episodes began (in Full they end much later): the median over "
        "seeds with its interval; not confirmed: within the run's budget, for most of them beyond the axis."
    )
    # Pictures compare methods: of some of the runs they would show half of a comparison.
    figures = {} if options.so_far else {options.figure: dots_figure(title, note, panels, columns=4)}
    if of_wrong and not options.so_far:
        title = f"Students of tables as wrong as three LLMs were, {seeds_note(of_wrong)} each"
        per_level = {level: [r for r in of_wrong if r.task == f"MiniGrid-{level}"] for level in RIGHT}
        panels = [success_panel_of(level, runs) for level, runs in per_level.items() if runs]
        figures[f"{options.figure}_wrong"] = dots_figure(title, WRONG, panels, columns=3)
    shown = [*(r for runs in by_level.values() for r in runs), *of_wrong]
    rows = [detailed_row(r, scale.window, unlisted=r.unlisted) for r in shown]
    save(options, found, figures, rows)


def panels_of(level: str, runs: list[Result], window: int) -> tuple[DotPanel, DotPanel]:
    """A level's two panels; steps up to the last ones confirmed, for budgets are many times as long."""
    steps = tuple(steps_dot(run, 0.8, window, strong=run.label == OURS) for run in runs)
    budget = max(run.budget for run in runs)
    confirmed = [end for dot in steps for end in (dot.centre, dot.high) if math.isfinite(end)]
    right = min(1.5 * max(confirmed), budget) if confirmed else budget
    name = f"{short(level)}: steps to 0.8"
    return success_panel_of(level, runs), DotPanel(name, "environment steps of each seed", steps, right)


def success_panel_of(level: str, runs: list[Result]) -> DotPanel:
    """Success in the end."""
    dots = tuple(success_dot(run, strong=run.label == OURS) for run in runs)
    return DotPanel(f"{short(level)}: success", RATE, dots)


def short(level: str) -> str:
    """A level without its version."""
    return level.rsplit("-v", 1)[0]


if __name__ == "__main__":
    main(__doc__, figure, in_parts=True)
