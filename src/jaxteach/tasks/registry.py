"""Which tasks there are, by name; the one place that knows the worlds. A task is imported when asked for."""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from jaxteach.tasks.language import Language
from jaxteach.utils.errors import UserError, nearest, one_line
from jaxteach.utils.jax_setup import import_matplotlib
from jaxteach.utils.registry import Registry, own

if TYPE_CHECKING:
    from jaxteach.tasks.protocol import Features, Teachable

_PAPER = "jaxteach.worlds.minigrid.paper"


class Facts(Protocol):
    """What is known of a task without JAX.

    Attributes:
        name: the task's.
        max_steps: environment steps an episode may last.
        facts: the world in a few sentences, for an LLM.
        language: what can be said about it.
    """

    @property
    def name(self) -> str: ...

    @property
    def max_steps(self) -> int: ...

    @property
    def facts(self) -> str: ...

    @property
    def language(self) -> Language: ...


class Maker(Protocol):
    """What builds a task: its class, or a task that has no parameters.

    Attributes:
        name: the task's.
        env_steps: environment steps a seed trains for by default.
        variants: ready-made changes of its parameters, by name.
    """

    name: str
    env_steps: int
    variants: dict[str, dict[str, Any]]

    @property
    def make(self) -> "Callable[..., Teachable]":
        """Builds the task from the parameters that it has."""


def _checked(name: str, maker: Any) -> Maker:
    """Refuse what cannot build a task.

    Raises:
        ValueError: naming the field.
    """
    for field, kind in (("name", str), ("env_steps", int), ("variants", dict)):
        value = getattr(maker, field, None)
        if not isinstance(value, kind):
            raise ValueError(f"its {field} is {value!r}, not of type {kind.__name__}")
    if maker.name != name:
        raise ValueError(f"its name is {maker.name!r}")
    if not callable(getattr(maker, "make", None)):
        raise ValueError("it has no function make")
    return maker


_tasks: Registry[Maker] = Registry(
    "task",
    "jaxteach.tasks",
    {
        "colored_door_key": f"{_PAPER}.colored_door_key:ColoredDoorKey",
        "lava_door_key": f"{_PAPER}.lava_door_key:LavaDoorKey",
        "simple_door_key": f"{_PAPER}.simple_door_key:SimpleDoorKey",
        "two_door": f"{_PAPER}.two_door:TwoDoor",
    },
    _checked,
)
_FACTS = {
    "colored_door_key": f"{_PAPER}.facts.colored_door_key:ColoredDoorKeyFacts",
    "lava_door_key": f"{_PAPER}.facts.lava_door_key:LavaDoorKeyFacts",
    "simple_door_key": f"{_PAPER}.facts.simple_door_key:SimpleDoorKeyFacts",
    "two_door": f"{_PAPER}.facts.two_door:TwoDoorFacts",
}
"""Where tasks state their facts without JAX."""
_LEVELS = "jaxteach.worlds.minigrid.task"
_NAVIX = "jaxteach.worlds.navix"
_FAMILIES = {"BabyAI-": _LEVELS, "MiniGrid-": _LEVELS, "Navix-": _NAVIX}
"""Modules whose `task_maker(name)` knows all names that begin so, and refuses those it has not."""
_SHARED = "jaxteach.worlds.minigrid.taught.families:FAMILIES"
"""Words that several tasks share, by the name that their tables go by; without JAX."""
_SETTINGS = "jaxteach.worlds.minigrid.taught.settings:SETTINGS"
"""What was found for some tasks, fields of a configuration by task; without JAX."""
_READERS = {
    "agent_view": "jaxteach.worlds.minigrid.features:restore",
    "egocentric": f"{_PAPER}.features:restore",
    "raw_cells": "jaxteach.worlds.minigrid.features:restore",
    "raw_map": f"{_PAPER}.features:restore",
    "seen_map": "jaxteach.worlds.minigrid.features:restore",
    "vector": "jaxteach.worlds.vectors:restore",
    "map": "jaxteach.worlds.vectors:restore",
    "symbols": "jaxteach.worlds.vectors:restore",
}
"""What builds features again from what config.json says of them, by its "reader"; NumPy alone."""


def task_names() -> tuple[str, ...]:
    """Every task's name, those of families left out; imports no task."""
    return _tasks.names()


def is_task(name: str) -> bool:
    """Whether a name may be a task's; that of a family is looked up when the task is made."""
    return name in _tasks or _family(name) is not None


def _family(name: str) -> str | None:
    """The module that knows a name, or whose names it resembles: it refuses one in other letters."""
    for prefix, module in _FAMILIES.items():
        if name.lower().startswith(prefix.lower()) and name not in _tasks:
            return module
    return None


def ships_task(name: str) -> bool:
    """Whether a task's rules come with this package, not from a plugin, another library or its user."""
    base = name.partition(":")[0]
    return _tasks.ships(base) or _family(base) == _LEVELS


def check_task_name(name: str) -> None:
    """Refuse a name that no task has.

    Raises:
        UserError: with the nearest names.
    """
    if not is_task(name):
        raise UserError(f"unknown task '{name}': {nearest(name, task_names())}")


def task_settings() -> Mapping[str, Mapping[str, Any]]:
    """What was found for some tasks: fields of a configuration, those of its groups as objects, by task."""
    settings: Mapping[str, Mapping[str, Any]] = own(_SETTINGS)
    return settings


def register_task[M: Maker](task: M) -> M:
    """Add a task defined outside this package; usable as a decorator.

    Args:
        task: a class, or a task that has no parameters; its `name` is what users write.

    Returns:
        The same.

    Raises:
        UserError: if the name is taken by another, or it is no task.
    """
    _tasks.register(str(getattr(task, "name", task)), task)
    return task


def task_class(name: str) -> Maker:
    """What builds a task.

    Args:
        name: the task's name, without a variant.

    Raises:
        UserError: if no task has that name, or its plugin cannot be used.
    """
    family = _family(name)
    if family is None:
        return _tasks.get(name)
    if family == _NAVIX:
        import_matplotlib()  # a line, not a traceback from navix, where its settings are damaged
    maker: Maker = own(f"{family}:task_maker")(name)
    return maker


def needs_jax(*names: str | None) -> bool:
    """Whether the facts of any of some tasks are known to their makers alone, whose import starts JAX.

    A command sets JAX up before it asks for such facts, and otherwise only once it has refused wrong input.

    Args:
        *names: as for `make_task`; None, and what is no task, counts for nothing.
    """
    bases = {name.partition(":")[0] for name in names if name is not None} - set(own(_SHARED))
    return any(is_task(base) and not _states_facts(base) for base in bases)


def _states_facts(base: str) -> bool:
    """Whether a task's facts are stated without JAX."""
    return base in _FACTS and _tasks.ships(base)


def make_task(name: str, **parameters: Any) -> "Teachable":
    """Build a task.

    Args:
        name: the task's name, or `name:variant` for one of its ready-made variants.
        **parameters: changes to its defaults, such as `room_min=8`; None leaves the default.

    Returns:
        The task.

    Raises:
        UserError: for an unknown task or variant, or impossible parameters.
    """
    base = name.partition(":")[0]
    maker = task_class(base)
    changes = _changes(maker, name, parameters)
    if ships_task(base):  # what is ours, the tests have checked
        return maker.make(**changes)
    from jaxteach.tasks.checks import check_task

    origin = _tasks.origin(base)
    who = f"{origin}: its task '{base}'" if origin else f"task '{base}'"
    accepted = inspect.signature(maker.make).parameters.values()
    if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in accepted):
        for unknown in sorted(set(changes) - {parameter.name for parameter in accepted}):
            raise UserError(f"task {base} has no --variant.{unknown.replace('_', '-')}: leave it out")
    try:
        task = maker.make(**changes)
    except UserError:
        raise
    except Exception as error:  # a user's own code can fail in any way
        raise UserError(f"{who}: its make fails: {one_line(f'{type(error).__name__}: {error}')}") from error
    check_task(task, who)
    return task


def facts_class(name: str) -> Any:
    """The class of a task's facts, without JAX if it states them so, else what builds the task."""
    check_task_name(name)
    return own(_FACTS[name]) if _states_facts(name) else task_class(name)


def task_facts(name: str, **parameters: Any) -> Facts:
    """The facts of a task, such as its words and the numbers that a run depends on.

    Args:
        name: as for `make_task`.
        **parameters: as for `make_task`, numbers only.

    Returns:
        The facts.

    Raises:
        UserError: as `make_task` does.
    """
    base = name.partition(":")[0]
    if is_task(base) and not _states_facts(base):
        return make_task(name, **parameters)
    cls = facts_class(base)
    facts = cls(**_changes(cls, name, parameters))
    facts.check()
    return facts


def language(name: str) -> Language:
    """What can be said about a task (its variant, for `name:variant`), or about tasks that share tables."""
    shared = own(_SHARED).get(name)
    words: Language = task_facts(name).language if shared is None else shared.language
    return words


def table_owners() -> tuple[str, ...]:
    """The names that shipped tables go by: tasks, and families of tasks that share them; imports no task."""
    return (*task_names(), *own(_SHARED))


def load_features(described: dict[str, Any], place: str) -> "Features":
    """Features as config.json describes them; needs NumPy alone.

    Args:
        described: from `Features.described`; without a "reader" it is of the first version: a view.
        place: what to call it in messages.

    Raises:
        UserError: no such features.
    """
    reader = described.get("reader")
    if not isinstance(reader, str) or reader not in _READERS:
        raise UserError(
            f"{place}: the reader {reader!r} is none of jaxteach's own, which alone can be built again: "
            f"{', '.join(_READERS)}"
        )
    features: Features = own(_READERS[reader])(described, place)
    return features


def _changes(maker: Any, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What a variant's name and parameters change, the parameters last."""
    base, _, variant = name.partition(":")
    if variant and not maker.variants:
        raise UserError(f"task '{base}' has no variants: write --task {base}")
    if variant and variant not in maker.variants:
        raise UserError(f"unknown variant '{variant}' of task '{base}': {nearest(variant, maker.variants)}")
    changes = {key: value for key, value in parameters.items() if value is not None}
    return {**maker.variants.get(variant, {}), **changes}


def register_navix() -> list[str]:
    """Register the paper's tasks and MiniGrid's levels with navix, so that `navix.make` builds them.

    Returns:
        The ids registered, such as `Navix-SimpleDoorKey-v0` and `MiniGrid-DoorKey-8x8-v0`.
    """
    tasks: list[str] = own(f"{_PAPER}.navix_environment:register")(
        [task_class(name) for name in task_names()]
    )
    levels: list[str] = own("jaxteach.worlds.minigrid.navix_levels:register")()
    return tasks + levels
