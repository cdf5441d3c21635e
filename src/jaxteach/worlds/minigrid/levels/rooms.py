"""Equal rooms in rows and columns that share their walls (Farama's RoomGrid): what their levels draw with."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level, put
from jaxteach.worlds.minigrid.rules import Play

# Walls of a room, and the doors in them, in the order of directions: right, down, left, up.
AHEAD = ((0, 1), (1, 0), (0, -1), (-1, 0))
Cell = tuple[Array, Array]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoomLevel(Level):
    """A level of rooms; rooms are given as (row, column) of the grid of rooms.

    Attributes:
        side: cells from a room's wall to its opposite wall, both counted.
        rows: rows of rooms.
        columns: columns of rooms.
    """

    side: int
    rows: int
    columns: int

    def walls(self) -> Array:
        """The rooms without any door, code[H, W]."""
        cells = np.full((self.height, self.width), k.EMPTY, np.dtype(self.code))
        cells[:: self.side - 1] = k.WALL_CODE
        cells[:, :: self.side - 1] = k.WALL_CODE
        return jnp.asarray(cells)

    def doorways(self, draws: Draws) -> dict[tuple[int, int, int], Cell]:
        """A uniform place for a door in every wall between two rooms.

        Returns:
            The cell for each (row of rooms, column of rooms, wall), the same from both sides.
        """
        places: dict[tuple[int, int, int], Cell] = {}
        step = self.side - 1
        for row, column in np.ndindex(self.rows, self.columns):
            if column + 1 < self.columns:
                along = draws.between(row * step + 1, (row + 1) * step - 1)
                places[row, column, 0] = places[row, column + 1, 2] = (along, jnp.int32((column + 1) * step))
            if row + 1 < self.rows:
                along = draws.between(column * step + 1, (column + 1) * step - 1)
                places[row, column, 1] = places[row + 1, column, 3] = (jnp.int32((row + 1) * step), along)
        return places

    def corner(self, row: Array | int, column: Array | int) -> Cell:
        """The upper left cell of a room."""
        step = self.side - 1
        return jnp.asarray(row * step, jnp.int32), jnp.asarray(column * step, jnp.int32)

    def place(self, draws: Draws, grid: Array, row: Array | int, column: Array | int) -> Cell:
        """A uniform empty cell of a room, walls counted where they are broken through.

        Never within one step of where the agent is put at first, the middle of the middle room, whichever
        room it starts in later.
        """
        top, left = self.corner(row, column)
        cells = jax.lax.dynamic_slice(grid, (top, left), (self.side, self.side))
        middle_row = self.rows // 2 * (self.side - 1) + self.side // 2
        middle_column = self.columns // 2 * (self.side - 1) + self.side // 2
        index = jnp.arange(self.side)
        apart = jnp.abs(top + index - middle_row)[:, None] + jnp.abs(left + index - middle_column)[None]
        at_row, at_column = draws.cell((cells == k.EMPTY) & (apart >= 2))
        return top + at_row, left + at_column

    def agent(
        self, draws: Draws, grid: Array, row: Array | int, column: Array | int
    ) -> tuple[Array, Array, Array]:
        """The agent's row, column and direction: uniform over those that face an empty cell or a wall."""
        top, left = self.corner(row, column)
        # A margin, for slices that reach beyond the grid would be moved back onto it.
        wide = jnp.pad(grid, 1, constant_values=k.WALL_CODE)

        def shifted(by_row: int, by_column: int) -> Array:
            return jax.lax.dynamic_slice(
                wide, (top + 1 + by_row, left + 1 + by_column), (self.side, self.side)
            )

        free = shifted(0, 0) == k.EMPTY
        ways = [free & k.is_any(k.kind_of(shifted(*step)), (k.EMPTY, k.WALL)) for step in AHEAD]
        chosen = draws.which(jnp.stack(ways).reshape(-1))
        direction, cell = chosen // self.side**2, chosen % self.side**2
        return top + cell // self.side, left + cell % self.side, direction


def took(before_target: Array, happened: Play) -> Array:
    """bool[N], the thing with the target's looks u8[N] was picked up."""
    return happened.picked & ((happened.ahead.astype(jnp.uint8) & jnp.uint8(k.LOOKS)) == before_target)


def add(grid: Array, cell: Cell, codes: Array | int) -> Array:
    """The grid with one cell replaced."""
    return put(grid, cell[0], cell[1], codes)
