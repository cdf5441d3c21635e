"""The tasks as navix environments: for navix's agents, its renderer and `navix.make`."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import navix
from flax import struct
from jax import Array
from navix.components import EMPTY_POCKET_ID
from navix.entities import Door, Entities, Key, Lava, Player
from navix.rendering.cache import RenderingCache
from navix.spaces import Continuous, Discrete
from navix.states import EventsManager, State

from jaxteach.utils.errors import UserError, nearest
from jaxteach.worlds.minigrid.fixed_rules import FixedRules, check_parameters
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.state import GridState, on_wall
from jaxteach.worlds.minigrid.paper.task import Task

OWN = ("rendering", "observation_fn", "observation_space", "gamma", "disable_autoreset")
"""Parameters of the environment; all others are the task's numbers."""


class RoomState(State):
    """navix's state, computed from the task's own at every step.

    Attributes:
        kept: the task's state, from which everything else follows; no lava is None, because navix's agents
            reshape every array of a state and fail on one of no size.
    """

    kept: GridState = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Keep navix from filling `events`: the rules here never read them."""

    @property
    def game(self) -> GridState:
        """The task's state."""
        kept = self.kept
        if kept.lava is not None:
            return kept
        return kept.replace(lava=jnp.zeros((*kept.clock.shape, 0, 2), jnp.int32))


@dataclasses.dataclass(frozen=True)
class Documented:
    """The documented observation; equal for equal tasks, so that equal environments share their programs."""

    task: Task

    def __call__(self, state: RoomState) -> Array:
        """u8[H, W, 4]."""
        return self.task.observe(state.game)


class TaskEnvironment(FixedRules):
    """A door/key task behind navix's interface.

    Attributes:
        rendering: keep navix's wall map and tile cache in the state (12 kB and more an environment), for
            navix's own observations.
    """

    task: Task = struct.field(pytree_node=False, default=None)
    rendering: bool = struct.field(pytree_node=False, default=False)

    def as_state(self, game: GridState, key: Array, before: RoomState | None) -> RoomState:
        """A completed state as navix draws and observes it."""
        state = as_navix(game, key, self.task)
        if before is not None:
            return state.replace(grid=before.grid, cache=before.cache)
        return with_rendering(state, self.task) if self.rendering else state


def make_environment(maker: type[Task], **parameters: Any) -> TaskEnvironment:
    """A task as a navix environment.

    Args:
        maker: the task's class.
        **parameters: of the environment (`rendering`, `observation_fn` with its `observation_space`, `gamma`,
            `disable_autoreset`) and the task's numbers, such as `room_min=8`.

    Raises:
        UserError: for an impossible combination, or a parameter that is unknown or cannot be changed.
    """
    check_parameters(maker.name, parameters)
    for name in parameters:
        known = (*OWN, *maker.numbers())
        if name not in known:
            raise UserError(f"unknown parameter '{name}' of {maker.name}: {nearest(name, known)}")
    settings = {name: value for name, value in parameters.items() if name in OWN}
    task = maker.make(**{name: value for name, value in parameters.items() if name not in OWN})
    observation_fn, space = settings.pop("observation_fn", None), settings.pop("observation_space", None)
    own = observation_fn is None
    height, width = task.height, task.width
    return TaskEnvironment.create(
        height=height,
        width=width,
        max_steps=task.max_steps,
        observation_fn=Documented(task) if own else observation_fn,
        observation_space=Discrete.create(256, (height, width, 4), jnp.uint8) if own else space,
        action_space=Discrete.create(c.N_ACTIONS),
        reward_space=Continuous.create((), jnp.asarray(0.0), jnp.asarray(1.0)),
        task=task,
        **settings,
    )


def register(makers: Sequence[Any]) -> list[str]:
    """Register tasks with navix.

    Args:
        makers: what builds them; those that build no door/key task are left out.

    Returns:
        The ids, such as `Navix-SimpleDoorKey-v0`.
    """
    ids = []
    for maker in makers:
        if isinstance(maker, type) and issubclass(maker, Task):
            task_id = f"Navix-{maker.__name__}-v0"
            build = functools.partial(make_environment, maker)
            navix.register_env(task_id, lambda build=build, **kwargs: build(**{"rendering": True, **kwargs}))
            ids.append(task_id)
    return ids


def as_navix(game: GridState, key: Array, task: Task) -> RoomState:
    """A task's state as navix draws and observes it."""
    n_keys, n_doors = game.keys.colour.shape[0], game.doors.colour.shape[0]
    entities = {
        Entities.PLAYER: Player.create(
            position=game.position[None], direction=game.direction[None], pocket=game.pocket[None]
        ),
        Entities.KEY: Key.create(
            position=game.keys.position, id=jnp.arange(n_keys, dtype=jnp.int32), colour=game.keys.colour
        ),
        Entities.DOOR: Door.create(
            position=game.doors.position,
            # navix reads this only to draw a lock; which key opens a door is decided by colour.
            requires=jnp.where(game.doors.open == 1, EMPTY_POCKET_ID, jnp.zeros((n_doors,), jnp.int32)),
            colour=game.doors.colour,
            open=game.doors.open,
        ),
    }
    if game.lava.shape[0]:
        entities[Entities.LAVA] = Lava.create(position=game.lava)
    kept = game if game.lava.shape[0] else game.replace(lava=None)
    return RoomState(key=key, grid=None, cache=None, entities=entities, events=EventsManager(), kept=kept)


def with_rendering(state: RoomState, task: Task) -> RoomState:
    """Fill in what navix's own observations draw from: the wall map and the tile cache.

    Args:
        state: a state without `grid` and `cache`.
        task: its task.

    Returns:
        The same state with `grid` i32[H, W] (-1 wall, 0 floor) and a fresh rendering cache.
    """
    row, column = jnp.arange(task.height)[:, None], jnp.arange(task.width)[None, :]
    grid = jnp.where(on_wall(state.game.room, row, column), -1, 0)
    # No floor beneath a door would leave navix's view blocked where the door stands open.
    for d in range(state.game.doors.position.shape[0]):
        place = state.game.doors.position[d]
        grid = jnp.where((row == place[0]) & (column == place[1]), 0, grid)
    return state.replace(grid=grid, cache=RenderingCache.init(grid))
