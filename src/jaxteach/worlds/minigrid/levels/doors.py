"""Levels of doors and keys outside the grid of equal rooms: DoorKey, LockedRoom, RedBlueDoors."""

import dataclasses
import functools
import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level, put, room
from jaxteach.worlds.minigrid.palette import DOOR, LOCKED, ROOM, Palette
from jaxteach.worlds.minigrid.rules import Play, read
from jaxteach.worlds.minigrid.state import State, start


def divmod_cell(at: Array, width: Array) -> tuple[Array, Array]:
    """Cell number i32[] of a room's inside, `width` cells wide, as (row, column) of the grid."""
    return 1 + at // width, 1 + at % width


@dataclasses.dataclass(frozen=True, kw_only=True)
class DoorKey(Level):
    """A wall with a locked door between agent and goal; the key lies on the agent's side."""

    palette = Palette((*ROOM, *LOCKED, "key", "goal"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("use the key to open the door and then get to the goal",)

    def generate(self, draws: Draws) -> State:
        cells = room(self.height, self.width)
        cells[-2, -2] = k.GOAL_CODE
        split = draws.between(2, self.width - 3)
        columns = jnp.arange(self.width)[None]
        grid = jnp.where(columns == split, jnp.uint8(k.WALL_CODE), jnp.asarray(cells))
        # The agent, then the key: two cells of those left of the wall.
        agent, key = draws.distinct((self.height - 2) * (split - 1), 2)
        (row, column), (key_row, key_column) = (divmod_cell(at, split - 1) for at in (agent, key))
        # The door never stands in the last row of the room.
        grid = put(grid, draws.between(1, self.height - 3), split, k.code(k.LOCKED, k.YELLOW))
        grid = put(grid, key_row, key_column, k.code(k.KEY, k.YELLOW))
        return start(grid, row, column, draws.below(4))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LockedRoom(Level):
    """Six rooms at a hall, each door of another colour; a locked one holds the goal, another the key."""

    palette = Palette((*ROOM, *LOCKED, "key", "goal"), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        pairs = itertools.permutations(k.COLOURS, 2)
        return tuple(
            f"get the {a} key from the {b} room, unlock the {a} door and go to the goal" for a, b in pairs
        )

    def generate(self, draws: Draws) -> State:
        west, east, depth = self.width // 2 - 2, self.width // 2 + 2, self.height // 3
        cells = room(self.height, self.width)
        cells[:, [west, east]] = k.WALL_CODE
        for top in range(0, 3 * depth, depth):
            cells[top, :west] = cells[top, east:] = k.WALL_CODE
        grid = jnp.asarray(cells)
        # Rooms are numbered west, east, then the next pair down.
        locked, colours = draws.below(6), draws.permutation(6)
        key_room = draws.below(5)
        key_room = key_room + (key_room >= locked)

        def inside(number: Array) -> tuple[Array, Array]:
            """A uniform cell of one room."""
            row = number // 2 * depth + draws.between(1, depth - 1)
            return row, jnp.where(number % 2 == 0, 0, east) + draws.between(1, west - 1)

        grid = put(grid, *inside(locked), k.GOAL_CODE)
        for number in range(6):
            kind = jnp.where(locked == number, k.LOCKED, k.CLOSED)
            side = west if number % 2 == 0 else east
            grid = put(grid, number // 2 * depth + 3, side, k.code(kind, colours[number]))
        grid = put(grid, *inside(key_room), k.code(k.KEY, colours[locked]))
        row, column = draws.between(1, self.height - 2), draws.between(west + 1, east - 1)
        a, b = colours[locked], colours[key_room]
        return start(grid, row, column, draws.below(4), mission=a * 5 + b - (b > a))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RedBlueDoors(Level):
    """A room with a red door on its left and a blue one on its right: the red one must be open first."""

    palette = Palette((*ROOM, *DOOR), ("red", "blue"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("open the red door then the blue door",)

    def generate(self, draws: Draws) -> State:
        size = self.height
        west, east = size // 2, size // 2 + size - 1
        cells = room(self.height, self.width)
        cells[:, [west, east]] = k.WALL_CODE
        row, column = draws.between(1, size - 2), draws.between(west + 1, east - 1)
        red, blue = draws.between(1, size - 2), draws.between(1, size - 2)
        grid = put(jnp.asarray(cells), red, west, k.code(k.CLOSED, k.RED))
        grid = put(grid, blue, east, k.code(k.CLOSED, k.BLUE))
        return start(grid, row, column, draws.below(4), place_row=red, place_column=west)

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert before.place_row is not None and before.place_column is not None
        red = read(before.grid, self.height, self.width, before.place_row, before.place_column)
        red_was_open = k.kind_of(red) == k.OPEN
        # The blue door opens but once: that ends the episode, either way.
        colour = happened.ahead & happened.ahead.dtype.type(k.COLOUR_BITS)
        blue_opens = happened.opened & (colour == k.BLUE << 4)
        return blue_opens & red_was_open, blue_opens & ~red_was_open

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        kinds = [k.code(kind, k.RED) for kind in (k.OPEN, k.CLOSED, k.LOCKED)]
        row, column = np.argwhere(np.isin(cells & k.LOOKS, kinds))[0]
        return {"place_row": int(row), "place_column": int(column)}


LEVELS: dict[str, Level] = {
    **{
        f"MiniGrid-DoorKey-{n}x{n}-v0": DoorKey(height=n, width=n, max_steps=10 * n**2) for n in (5, 6, 8, 16)
    },
    "MiniGrid-LockedRoom-v0": LockedRoom(height=19, width=19, max_steps=190),
    **{
        f"MiniGrid-RedBlueDoors-{n}x{n}-v0": RedBlueDoors(height=n, width=2 * n, max_steps=20 * n**2)
        for n in (6, 8)
    },
}
