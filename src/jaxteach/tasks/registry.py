"""Which tasks there are: one module a task beside this one, found by name, imported when asked for."""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from jaxteach.errors import UserError, nearest

if TYPE_CHECKING:
    from jaxteach.tasks.engine.captions import Vocabulary
    from jaxteach.tasks.engine.task import Task

_registered: dict[str, type["Task"]] = {}


def task_names() -> tuple[str, ...]:
    """Every task's name; imports no task."""
    package = importlib.import_module("jaxteach.tasks")
    modules = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg} - {"registry"}
    return tuple(sorted(modules | set(_registered)))


def register_task(task: type["Task"]) -> type["Task"]:
    """Add a task defined outside this package; usable as a decorator.

    Args:
        task: the class; its `name` is what users write.

    Returns:
        The class, unchanged.

    Raises:
        UserError: if the name is taken by another class.
    """
    if task.name in task_names() and _registered.get(task.name, task) is not task:
        raise UserError(f"a task named '{task.name}' exists already: choose another name")
    _registered[task.name] = task
    return task


def task_class(name: str) -> type["Task"]:
    """The class of a task.

    Args:
        name: the task's name.

    Raises:
        UserError: if no task has that name.
    """
    if name not in task_names():
        raise UserError(f"unknown task '{name}': {nearest(name, task_names())}")
    if name not in _registered:
        module = importlib.import_module(f"jaxteach.tasks.{name}")
        found = [v for v in vars(module).values() if isinstance(v, type) and getattr(v, "name", None) == name]
        _registered[name] = found[0]
    return _registered[name]


def make_task(name: str, **parameters: Any) -> "Task":
    """Build a task.

    Args:
        name: the task's name, or `name:variant` for one of its ready-made variants.
        **parameters: changes to its defaults, such as `room_min=8`; None leaves the default.

    Returns:
        The task.

    Raises:
        UserError: for an unknown task or variant, or impossible parameters.
    """
    base, _, variant = name.partition(":")
    cls = task_class(base)
    if variant and variant not in cls.variants:
        raise UserError(f"unknown variant '{variant}' of task '{base}': {nearest(variant, cls.variants)}")
    changes = {key: value for key, value in parameters.items() if value is not None}
    return cls.make(**{**cls.variants.get(variant, {}), **changes})


def vocabulary(name: str) -> "Vocabulary":
    """How captions and plans of a task name its objects (of its variant, for `name:variant`)."""
    return make_task(name).vocabulary


def register_navix() -> list[str]:
    """Register every task with navix, so that `navix.make` builds it.

    Returns:
        The ids registered, such as `Navix-SimpleDoorKey-v0`.
    """
    import navix

    ids = []
    for name in task_names():
        cls = task_class(name)
        task_id = f"Navix-{cls.__name__}-v0"
        navix.register_env(task_id, lambda cls=cls, **kwargs: cls.make(**{"rendering": True, **kwargs}))
        ids.append(task_id)
    return ids
