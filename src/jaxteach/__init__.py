"""jaxteach: LLM4Teach as one compiled JAX program. Names load on first use, so importing this is free."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxteach.config import Config
    from jaxteach.runs import Hooks, execute
    from jaxteach.student.deployed import load_policy
    from jaxteach.tasks import make_task, register_navix, register_task
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.training.train import train
    from jaxteach.utils.errors import UserError
    from jaxteach.worlds.minigrid.environment import make

__all__ = [
    "Config",
    "Hooks",
    "UserError",
    "execute",
    "load_policy",
    "load_teacher",
    "make",
    "make_task",
    "register_navix",
    "register_task",
    "train",
]

_HOMES = {
    "Config": "config",
    "Hooks": "runs",
    "UserError": "utils.errors",
    "execute": "runs",
    "load_policy": "student.deployed",
    "load_teacher": "teacher.loading",
    "make": "worlds.minigrid.environment",
    "make_task": "tasks",
    "register_navix": "tasks",
    "register_task": "tasks",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxteach' has no attribute '{name}'")
    return getattr(importlib.import_module(f"jaxteach.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if sys.argv[:1] == ["-m"]:
    # Python is looking for a command, as in `python -m jaxteach.run`. It takes seconds until it has been
    # imported, and nothing can be lost until then; what can be lost later, the command guards itself.
    from jaxteach.utils.signals import AtOnce

    AtOnce().__enter__()
