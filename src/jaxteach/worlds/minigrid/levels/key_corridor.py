"""KeyCorridor: a hall between two columns of rooms; the ball lies in a locked one, the key in another."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels.rooms import Cell, RoomLevel, add, took
from jaxteach.worlds.minigrid.palette import LOCKED, ROOM, Palette
from jaxteach.worlds.minigrid.rules import Play
from jaxteach.worlds.minigrid.state import State, start

WEST, HALL, EAST = range(3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyCorridor(RoomLevel):
    """Three columns of rooms, the middle one a hall."""

    palette = Palette((*ROOM, *LOCKED, "key", "ball"), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return tuple(f"pick up the {colour} ball" for colour in k.COLOURS)

    def generate(self, draws: Draws) -> State:
        places = self.doorways(draws)
        step = self.side - 1
        grid = self.walls()
        for row in range(1, self.rows):
            grid = grid.at[row * step, HALL * step + 1 : EAST * step].set(k.EMPTY)
        locked, colour, ball = draws.below(self.rows), draws.below(6), draws.below(6)
        along = jnp.stack([places[row, EAST, 2][0] for row in range(self.rows)])[locked]
        grid = add(grid, (along, jnp.int32(EAST * step)), k.code(k.LOCKED, colour))
        target = k.code(k.BALL, ball)
        grid = add(grid, self.place(draws, grid, locked, EAST), target)
        key = k.code(k.KEY, colour)
        grid = add(grid, self.place(draws, grid, draws.below(self.rows), WEST), key)
        # Doors come after the agent, so that it may face one.
        agent = self.agent(draws, grid, self.rows // 2, HALL)
        grid = self._connect(draws, grid, places, locked)
        return start(grid, *agent, mission=ball, target=target)

    def _connect(
        self,
        draws: Draws,
        grid: Array,
        places: dict[tuple[int, int, int], Cell],
        locked: Array,
    ) -> Array:
        """Add closed doors of uniform colours, in walls drawn uniformly, until every room is reached.

        Farama draws a room and a wall until there may be a door; each wall can be drawn from both its
        sides, so the order in which walls come up is uniform.
        """
        walls = [(r, c, w) for r, c, w in places if w < 2 and (c, w) != (HALL, 1)]
        ends = [(r * 3 + c, r * 3 + c + 1 if w == 0 else (r + 1) * 3 + c) for r, c, w in walls]
        first, second = (jnp.asarray(np.array(rooms)) for rooms in zip(*ends, strict=True))
        locked_room = locked * 3 + EAST
        allowed = (first != locked_room) & (second != locked_room)
        keys = jnp.where(allowed, draws.bits((len(walls),)) | 1, jnp.uint32(0))
        colours = draws.below(6, (len(walls),))
        rows = jnp.stack([places[wall][0] for wall in walls])
        columns = jnp.stack([places[wall][1] for wall in walls])
        # Every room bears a label; rooms that reach each other share one. The hall and the locked room: 1.
        room = jnp.arange(self.rows * 3)
        labels = jnp.where((room % 3 == HALL) | (room == locked_room), HALL, room)

        def step(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            grid, keys, labels = carry
            wall = jnp.argmax(keys)
            door = k.code(k.CLOSED, colours[wall])
            grid = add(grid, (rows[wall], columns[wall]), door)
            a, b = labels[first[wall]], labels[second[wall]]
            return grid, keys.at[wall].set(0), jnp.where(labels == a, b, labels)

        def apart(carry: tuple[Array, Array, Array]) -> Array:
            return jnp.any(carry[2] != carry[2][0])

        return jax.lax.while_loop(apart, step, (grid, keys, labels))[0]

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert before.target is not None
        won = took(before.target, happened)
        return won, jnp.zeros_like(won)

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        return {"target": k.code(k.BALL, mission)}


def _level(side: int, rows: int) -> KeyCorridor:
    height, width = (side - 1) * rows + 1, (side - 1) * 3 + 1
    return KeyCorridor(height=height, width=width, max_steps=30 * side**2, side=side, rows=rows, columns=3)


LEVELS: dict[str, Level] = {
    f"MiniGrid-KeyCorridorS{side}R{rows}-v0": _level(side, rows)
    for side, rows in ((3, 1), (3, 2), (3, 3), (4, 3), (5, 3), (6, 3))
}
