"""What a level is: a generator, missions and an end rule, beside a few static facts."""

import abc
import dataclasses
import functools
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.palette import ALL, STILL, Palette
from jaxteach.worlds.minigrid.rules import Play
from jaxteach.worlds.minigrid.state import State


@dataclasses.dataclass(frozen=True, kw_only=True)
class Level(abc.ABC):
    """One kind of MiniGrid environment; static and hashable.

    Attributes:
        height: H, rows of the grid, at most 25.
        width: W.
        max_steps: environment steps an episode may last.
        n_balls: B, moving balls.
        see_through: whether walls and closed doors hide nothing.
        boxes_hold: whether boxes may hold things (codes are u16 then).
        n_actions: how many of the seven actions differ in effect from every other.
        loss: the reward of failing.
    """

    height: int
    width: int
    max_steps: int
    n_balls: int = 0

    see_through: ClassVar[bool] = False
    boxes_hold: ClassVar[bool] = False
    n_actions: ClassVar[int] = 7
    loss: ClassVar[float] = 0.0

    @property
    def code(self) -> Any:
        """The type of a cell's code."""
        return jnp.uint16 if self.boxes_hold else jnp.uint8

    @property
    def palette(self) -> Palette:
        """What can lie in it; a level that adds to what its base has says so here."""
        return ALL

    @property
    def still(self) -> bool:
        """Whether no cell ever changes: there is no door, nothing to carry, nothing that moves."""
        return set(self.palette.kinds) <= set(STILL)

    @functools.cached_property
    def layouts(self) -> np.ndarray | None:
        """Every grid an episode can have, codes u8[L, H, W], in levels that are `still` and have few.

        What is seen there is looked up instead of worked out: L * H * W views are made when the level is
        first traced. None in all other levels.
        """
        return None

    @functools.cached_property
    @abc.abstractmethod
    def missions(self) -> tuple[str, ...]:
        """The missions an episode can have; `State.mission` is an index into them."""

    @abc.abstractmethod
    def generate(self, draws: Draws) -> State:
        """Draw an episode's first state, of one environment.

        Args:
            draws: where randomness comes from.

        Returns:
            A state without the axis N, as from `state.start`.
        """

    def means(self, action: Array) -> Array:
        """The action u8[N] that is carried out for each action u8[N] that is given."""
        return action

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        """What ends an episode besides the clock.

        Args:
            before: N environments before the action (balls already moved).
            happened: what the action did.

        Returns:
            bool[N] each: success, failure.
        """
        return self.reached_goal(happened), self.burnt(happened)

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        """What the state keeps beside the grid, worked out from an episode's first grid and its mission.

        Args:
            cells: u16[H, W], codes.
            mission: an index into `missions`.

        Returns:
            Fields of the state: layout, target, place_row, place_column where the level has them.

        Raises:
            LookupError: the grid is no first grid of this level.
        """
        if self.layouts is None:
            return {}
        same = np.flatnonzero((self.layouts == cells).all(axis=(1, 2)))
        if not len(same):
            raise LookupError("the level has no such layout")
        return {"layout": int(same[0])}

    @staticmethod
    def reached_goal(happened: Play) -> Array:
        """bool[N], the agent stepped onto a goal."""
        return happened.moved & (happened.ahead_kind == k.GOAL)

    @staticmethod
    def burnt(happened: Play) -> Array:
        """bool[N], the agent stepped into lava."""
        return happened.moved & (happened.ahead_kind == k.LAVA)


def room(height: int, width: int) -> np.ndarray:
    """An empty room with its walls, codes u8[H, W], to be used as a constant."""
    cells = np.full((height, width), k.EMPTY, np.uint8)
    cells[[0, -1]] = k.WALL_CODE
    cells[:, [0, -1]] = k.WALL_CODE
    return cells


def put(grid: Array, row: Array | int, column: Array | int, codes: Array | int) -> Array:
    """The grid code[H, W] with one cell replaced."""
    value = jnp.asarray(codes).astype(grid.dtype)
    return grid.at[row, column].set(value, mode="promise_in_bounds")


def is_free(grid: Array) -> Array:
    """bool[H, W], the empty cells of code[H, W]."""
    return grid == k.EMPTY


def distance(height: int, width: int, row: Array | int, column: Array | int) -> tuple[Array, Array]:
    """How many rows, how many columns each cell lies from one cell: i32[H, 1], i32[1, W]."""
    return jnp.abs(jnp.arange(height)[:, None] - row), jnp.abs(jnp.arange(width)[None] - column)


def found(cells: np.ndarray, looks: int) -> tuple[int, int]:
    """The first cell, row by row, that holds a thing of these looks.

    Args:
        cells: u16[H, W].
        looks: a code without contents.

    Returns:
        Row and column.

    Raises:
        LookupError: there is none.
    """
    places = np.argwhere((cells & k.LOOKS) == looks)
    if not len(places):
        raise LookupError("the thing that the mission names is not on the grid")
    row, column = places[0]
    return int(row), int(column)
