"""Which tasks there are: one module a task beside this one, found by name, imported when asked for."""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from jaxteach.utils.errors import UserError, nearest

if TYPE_CHECKING:
    from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary
    from jaxteach.worlds.minigrid.paper.facts.base import Facts
    from jaxteach.worlds.minigrid.paper.task import Task

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
    _check_name(name)
    if name not in _registered:
        _registered[name] = _defined_in(f"jaxteach.tasks.{name}", name)
    return _registered[name]


def facts_class(name: str) -> type["Facts"]:
    """The class of a task's facts: without JAX if the task has a module in `tasks.facts`, else its own.

    Args:
        name: the task's name.

    Raises:
        UserError: if no task has that name.
    """
    _check_name(name)
    return (
        task_class(name)
        if needs_jax(name)
        else _defined_in(f"jaxteach.worlds.minigrid.paper.facts.{name}", name)
    )


def needs_jax(*names: str | None) -> bool:
    """Whether the facts of any of some tasks are known to their classes alone, whose import starts JAX.

    A command sets JAX up before it asks for such facts, and otherwise only once it has refused wrong input.

    Args:
        *names: as for `make_task`; None, and what is no task, counts for nothing.
    """
    package = importlib.import_module("jaxteach.worlds.minigrid.paper.facts")
    stated = {module.name for module in pkgutil.iter_modules(package.__path__)}
    bases = {name.partition(":")[0] for name in names if name is not None}
    return not (bases & set(task_names())) <= stated


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
    cls = task_class(name.partition(":")[0])
    return cls.make(**_changes(cls, name, parameters))


def task_facts(name: str, **parameters: Any) -> "Facts":
    """The facts of a task, such as its words and the numbers that a run depends on; see `facts_class`.

    Args:
        name: as for `make_task`.
        **parameters: as for `make_task`, numbers only.

    Returns:
        The facts.

    Raises:
        UserError: as `make_task` does.
    """
    if needs_jax(name):
        return make_task(name, **parameters)
    cls = facts_class(name.partition(":")[0])
    facts = cls(**_changes(cls, name, parameters))
    facts.check()
    return facts


def vocabulary(name: str) -> "Vocabulary":
    """How captions and plans of a task name its objects (of its variant, for `name:variant`)."""
    return task_facts(name).vocabulary


def _check_name(name: str) -> None:
    if name not in task_names():
        raise UserError(f"unknown task '{name}': {nearest(name, task_names())}")


def _defined_in(module: str, name: str) -> Any:
    """The class that a module defines under a task's name."""
    found = [v for v in vars(importlib.import_module(module)).values() if isinstance(v, type)]
    return next(v for v in found if v.__module__ == module and getattr(v, "name", None) == name)


def _changes(cls: type["Facts"], name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What a variant's name and parameters change, the parameters last."""
    base, _, variant = name.partition(":")
    if variant and variant not in cls.variants:
        raise UserError(f"unknown variant '{variant}' of task '{base}': {nearest(variant, cls.variants)}")
    changes = {key: value for key, value in parameters.items() if value is not None}
    return {**cls.variants.get(variant, {}), **changes}


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
