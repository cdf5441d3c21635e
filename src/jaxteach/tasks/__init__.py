"""The tasks: what is learnt. One module here a task; `engine` holds what they share."""

from jaxteach.tasks.registry import (
    make_task,
    needs_jax,
    register_navix,
    register_task,
    task_facts,
    task_names,
    vocabulary,
)

__all__ = [
    "make_task",
    "needs_jax",
    "register_navix",
    "register_task",
    "task_facts",
    "task_names",
    "vocabulary",
]
