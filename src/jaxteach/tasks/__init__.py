"""What the house may know of a world: the protocols, the words, and which tasks there are."""

from jaxteach.tasks.registry import (
    language,
    make_task,
    needs_jax,
    register_navix,
    register_task,
    task_facts,
    task_names,
)

__all__ = [
    "language",
    "make_task",
    "needs_jax",
    "register_navix",
    "register_task",
    "task_facts",
    "task_names",
]
