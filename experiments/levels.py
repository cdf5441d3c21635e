"""MiniGrid's hard levels, what a seed is given in each, and how it is taught: the preset `level`."""

from jaxteach.config import Config, preset
from jaxteach.tasks.registry import task_settings

ENV_STEPS: dict[str, int] = {
    task.removeprefix("MiniGrid-"): settings["env_steps"] for task, settings in task_settings().items()
}
"""What a seed of every method takes, in environment steps."""


def level_settings(level: str) -> Config:
    """How LLM4Teach's students of a level are taught.

    Args:
        level: its id without MiniGrid-.
    """
    return preset("level", f"MiniGrid-{level}")


DECAY = level_settings("DoorKey-8x8-v0").decay
"""As in most of the levels."""
