"""MiniGrid's levels as navix environments."""

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import navix
from jax import Array
from navix.spaces import Continuous, Discrete
from navix.states import EventsManager, State

from jaxteach.tasks.protocol import Obs
from jaxteach.utils.errors import UserError, nearest
from jaxteach.worlds.minigrid.features import VIEW
from jaxteach.worlds.minigrid.fixed_rules import FixedRules, check_parameters
from jaxteach.worlds.minigrid.levels import LEVELS
from jaxteach.worlds.minigrid.task import LevelState, LevelTask, task_maker

PARAMETERS = ("max_steps", "observation_fn", "observation_space", "gamma", "disable_autoreset")


class LevelNavixState(State):
    """navix's state around a level's, without entities: navix's own observations do not apply.

    Attributes:
        game: the level's state.
    """

    game: LevelState = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Keep navix from filling `events`: the rules here never read them."""


class LevelEnvironment(FixedRules):
    """A level behind navix's interface."""

    def as_state(self, game: LevelState, key: Array, before: State | None) -> LevelNavixState:
        """See `FixedRules.as_state`."""
        del before
        return LevelNavixState(key=key, grid=None, cache=None, entities={}, events=EventsManager(), game=game)

    def shown(self, state: LevelNavixState) -> Obs:
        """Farama's observation: image u8[7, 7, 3], direction u8[], mission u16[]."""
        return self.task.observe(state.game)

    def mission_text(self, state: LevelNavixState) -> str:
        """The words of a state's mission."""
        assert isinstance(self.task, LevelTask)
        return self.task.level.missions[int(state.game.env.mission)]


@dataclasses.dataclass(frozen=True)
class Image:
    """The image of Farama's observation; equal for equal tasks, so that equal levels share their programs."""

    task: LevelTask

    def __call__(self, state: LevelNavixState) -> Array:
        """u8[7, 7, 3]."""
        image: Array = self.task.observe(state.game)["image"]
        return image


def make_environment(name: str, **parameters: Any) -> LevelEnvironment:
    """A level as a navix environment; it shows the image of Farama's observation, u8[7, 7, 3].

    Args:
        name: Farama's id.
        **parameters: max_steps, gamma, disable_autoreset; observation_fn, of a `LevelNavixState`, with its
            observation_space.

    Raises:
        UserError: for a parameter that is unknown or cannot be changed.
    """
    check_parameters(name, parameters)
    for parameter in parameters:
        if parameter not in PARAMETERS:
            raise UserError(f"unknown parameter '{parameter}' of {name}: {nearest(parameter, PARAMETERS)}")
    steps = parameters.pop("max_steps", None)
    changes = {} if steps is None else {"max_steps": steps}
    task = task_maker(name).make(observation="view", **changes)
    own = {
        "observation_fn": Image(task),
        "observation_space": Discrete.create(256, (VIEW, VIEW, 3), jnp.uint8),
    }
    return LevelEnvironment.create(
        height=task.level.height,
        width=task.level.width,
        max_steps=task.max_steps,
        action_space=Discrete.create(len(task.action_names)),
        reward_space=Continuous.create((), jnp.asarray(min(0.0, task.level.loss)), jnp.asarray(1.0)),
        task=task,
        **{**own, **parameters},
    )


def register() -> list[str]:
    """Register every level with navix, by Farama's id.

    Returns:
        The ids.
    """
    for name in LEVELS:
        navix.register_env(name, functools.partial(make_environment, name))
    return list(LEVELS)
