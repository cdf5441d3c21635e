"""Memory: a thing at the start of a hall says which of the two things at its end to go to."""

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level, put, room
from jaxteach.worlds.minigrid.palette import ROOM, Palette
from jaxteach.worlds.minigrid.rules import Play
from jaxteach.worlds.minigrid.state import State, start

ROOM_END = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Memory(Level):
    """A small room, a hall, and a crossing where success lies on one side and failure on the other.

    Attributes:
        any_length: whether the hall's length is drawn.
    """

    any_length: bool

    palette = Palette((*ROOM, "key", "ball"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("go to the matching object at the end of the hallway",)

    def generate(self, draws: Draws) -> State:
        middle = self.height // 2
        end = draws.between(ROOM_END, self.width - 3) if self.any_length else jnp.int32(self.width - 3)
        row, column = jnp.arange(self.height)[:, None], jnp.arange(self.width)[None]
        by_row = jnp.abs(row - middle)
        start_room = (by_row == 2) & (column >= 1) & (column <= ROOM_END)
        hall = (by_row == 1) & (column >= ROOM_END) & ((column < end) | (column == ROOM_END))
        crossing = ((column == end) & (row != middle)) | (column == end + 2)
        walls = jnp.asarray(room(self.height, self.width))
        grid = jnp.where(start_room | hall | crossing, jnp.uint8(k.WALL_CODE), walls)
        agent_column = draws.between(1, end)
        cue, above = k.KEY + draws.below(2), k.KEY + draws.below(2)
        below = k.KEY + k.BALL - above
        grid = put(grid, middle - 1, 1, k.code(cue, k.GREEN))
        grid = put(grid, middle - 2, end + 1, k.code(above, k.GREEN))
        grid = put(grid, middle + 2, end + 1, k.code(below, k.GREEN))
        goal_row = jnp.where(above == cue, middle - 1, middle + 1)
        return start(grid, middle, agent_column, k.EAST, place_row=goal_row, place_column=end + 1)

    def means(self, action: Array) -> Array:
        """Nothing can be picked up: pickup toggles."""
        return jnp.where(action == k.PICKUP, jnp.uint8(k.TOGGLE), action)

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert before.place_row is not None and before.place_column is not None
        there = happened.column == before.place_column
        won = there & (happened.row == before.place_row)
        return won, there & (happened.row == jnp.uint8(self.height - 1) - before.place_row)

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        middle = self.height // 2
        things = (k.code(k.KEY, k.GREEN), k.code(k.BALL, k.GREEN))
        column = int(np.flatnonzero(np.isin(cells[middle - 2, ROOM_END + 1 :], things))[0]) + ROOM_END + 1
        same = cells[middle - 2, column] == cells[middle - 1, 1]
        return {"place_row": middle - 1 if same else middle + 1, "place_column": column}


def _level(size: int, any_length: bool = False) -> Memory:
    return Memory(height=size, width=size, max_steps=5 * size**2, any_length=any_length)


LEVELS: dict[str, Level] = {
    **{f"MiniGrid-MemoryS{n}-v0": _level(n) for n in (7, 9, 11, 13)},
    **{f"MiniGrid-MemoryS{n}Random-v0": _level(n, any_length=True) for n in (13, 17)},
}
