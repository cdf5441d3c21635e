"""Presets, and how they fill in what a configuration leaves open. No JAX here."""

import dataclasses

from jaxteach.config.checks import check, check_rollout
from jaxteach.config.settings import BY_OPTIONS, PPO, Config, Corrupt, Decay, Distill, Rollout, Student
from jaxteach.tasks.registry import facts_class, task_facts, task_settings
from jaxteach.utils.errors import UserError, nearest

FAST = Config()
PAPER = Config(
    preset="paper",
    seeds=4,
    decay=Decay("linear_plateau", start=10.0, floor=0.1, plateau_at=1980, off_at=3000),
    student=Student("cnn"),
    ppo=PPO(lr=1e-3, lr_end=1e-3, entropy_weight=0.001, returns="monte_carlo", epochs=3, minibatch=128),
    rollout=Rollout("episodes", envs=10),
)
PRESETS = {"fast": FAST, "paper": PAPER}
LEVEL = "level"
"""The preset that each task has of its own, if any: see `tasks.registry.task_settings`."""
PAPER_ENV_STEPS = 300_000
CHUNK = {"fast": 8, "paper": 4, LEVEL: 8}
"""Seeds of a chunk, by preset."""


def preset(name: str, task: str | None = None) -> Config:
    """The configuration a preset starts from.

    Args:
        name: fast, paper or level.
        task: whose own settings the preset level takes; the others are the same for all tasks.

    Raises:
        UserError: for any other name, or if nothing was found for the task.
    """
    if name == LEVEL:
        return _own_settings(task or FAST.task)
    if name not in PRESETS:
        raise UserError(f"unknown preset '{name}': {nearest(name, (*PRESETS, LEVEL))}")
    return PRESETS[name]


def _own_settings(task: str) -> Config:
    """The fast preset, changed by what was found for a task."""
    settings = task_settings()
    if task not in settings:
        known = nearest(task, tuple(settings))
        raise UserError(f"--preset {LEVEL}: nothing was found for task {task}, leave the flag out: {known}")
    own = {
        name: dataclasses.replace(getattr(FAST, name), **found) if isinstance(found, dict) else found
        for name, found in settings[task].items()
    }
    return dataclasses.replace(FAST, preset=LEVEL, task=task, **own)


def resolve(config: Config) -> Config:
    """Fill in what was left to the preset, and refuse what cannot be run.

    Args:
        config: as parsed.

    Returns:
        The same configuration with every number in place.

    Raises:
        UserError: naming the field at fault.
    """
    check(config)
    check_rollout(config, task_facts(config.task, **dataclasses.asdict(config.variant)))
    env_steps = config.env_steps
    if env_steps is None:
        task = facts_class(config.task.partition(":")[0])
        env_steps = PAPER_ENV_STEPS if config.preset == "paper" else task.env_steps
    if config.method in BY_OPTIONS:
        # Its folder must not be named after a teacher that it does not read.
        config = dataclasses.replace(
            config, teacher="none", decay=Decay("none"), distill=Distill(), corrupt=Corrupt()
        )
    return dataclasses.replace(
        config,
        seeds_per_chunk=config.seeds_per_chunk or CHUNK[config.preset],
        env_steps=env_steps,
        eval_episodes=config.eval_episodes_resolved,
    )
