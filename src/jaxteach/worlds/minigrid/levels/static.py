"""Levels of walls, lava and a goal: Empty, DistShift, LavaGap, Crossing, FourRooms."""

import dataclasses
import functools
import itertools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level, put, room
from jaxteach.worlds.minigrid.palette import ROOM, Palette
from jaxteach.worlds.minigrid.state import State, start


@dataclasses.dataclass(frozen=True, kw_only=True)
class Empty(Level):
    """A room with the goal in its lower right corner; the agent starts in the upper left one, or anywhere."""

    see_through: ClassVar[bool] = True
    anywhere: bool = False

    palette = Palette((*ROOM, "goal"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("get to the green goal square",)

    @functools.cached_property
    def layouts(self) -> np.ndarray:
        cells = room(self.height, self.width)
        cells[-2, -2] = k.GOAL_CODE
        return cells[None]

    def generate(self, draws: Draws) -> State:
        (cells,) = self.layouts
        if not self.anywhere:
            return start(jnp.asarray(cells), 1, 1, layout=0)
        ((row, column),) = draws.cells(cells == k.EMPTY, 1)
        return start(jnp.asarray(cells), row, column, draws.below(4), layout=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistShift(Level):
    """Two strips of lava between agent and goal, the lower one in row `strip`; nothing is drawn."""

    see_through: ClassVar[bool] = True
    strip: int

    palette = Palette((*ROOM, "goal", "lava"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("get to the green goal square",)

    @functools.cached_property
    def layouts(self) -> np.ndarray:
        cells = room(self.height, self.width)
        cells[1, -2] = k.GOAL_CODE
        cells[[1, self.strip], 3 : self.width - 3] = k.LAVA_CODE
        return cells[None]

    def generate(self, draws: Draws) -> State:
        return start(jnp.asarray(self.layouts[0]), 1, 1, layout=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LavaGap(Level):
    """A column of lava with one gap."""

    palette = Palette((*ROOM, "goal", "lava"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("avoid the lava and get to the green goal square",)

    @functools.cached_property
    def layouts(self) -> np.ndarray:
        inside = range(1, self.height - 1)
        found = []
        for column, gap in itertools.product(range(2, self.width - 2), inside):
            cells = room(self.height, self.width)
            cells[-2, -2] = k.GOAL_CODE
            cells[[row for row in inside if row != gap], column] = k.LAVA_CODE
            found.append(cells)
        return np.stack(found)

    def generate(self, draws: Draws) -> State:
        gap_column, gap_row = draws.between(2, self.width - 3), draws.between(1, self.height - 2)
        layout = (gap_column - 2) * (self.height - 2) + gap_row - 1
        return start(jnp.asarray(self.layouts)[layout], 1, 1, layout=layout)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crossing(Level):
    """Lines of lava or of walls across a square room, with openings that make one monotone path."""

    crossings: int
    lava: bool

    @property
    def palette(self) -> Palette:
        return Palette((*ROOM, "goal", "lava") if self.lava else (*ROOM, "goal"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        if self.lava:
            return ("avoid the lava and get to the green goal square",)
        return ("find the opening and get to the green goal square",)

    def generate(self, draws: Draws) -> State:
        size, n = self.height, (self.height - 3) // 2
        # Lines can stand at 2, 4, ...: n columns, then n rows; `crossings` of all are drawn.
        drawn = draws.permutation(2 * n) < self.crossings
        columns, rows = drawn[:n], drawn[n:]
        place = jnp.arange(size)
        at_line = (place % 2 == 0) & (place >= 2) & (place <= 2 * n)
        line = jnp.clip(place // 2 - 1, 0, n - 1)
        across_columns, across_rows = at_line & columns[line], at_line & rows[line]
        inside = (place >= 1) & (place <= size - 2)
        blocked = (across_rows[:, None] | across_columns[None]) & inside[:, None] & inside[None]
        cells = room(size, size)
        cells[-2, -2] = k.GOAL_CODE
        code = jnp.uint8(k.LAVA_CODE if self.lava else k.WALL_CODE)
        grid = jnp.where(blocked, code, jnp.asarray(cells))

        def limits(lines: Array) -> Array:
            """The walls and lines that bound rooms, in order, i32[n + 2]; the far wall repeats."""
            ordered = jnp.sort(jnp.where(lines, 2 * jnp.arange(n) + 2, size - 1))
            return jnp.concatenate([jnp.zeros(1, jnp.int32), ordered, jnp.full(1, size - 1)])

        by_column, by_row = limits(columns), limits(rows)
        left = jnp.sum(columns, dtype=jnp.int32)
        passed_columns = passed_rows = jnp.int32(0)
        for done in range(self.crossings):
            # The path crosses what is left of both in a uniform order.
            eastwards = draws.below(self.crossings - done) < left
            low = jnp.where(eastwards, by_row[passed_rows], by_column[passed_columns])
            high = jnp.where(eastwards, by_row[passed_rows + 1], by_column[passed_columns + 1])
            opening = draws.between(low + 1, high - 1)
            row = jnp.where(eastwards, opening, by_row[passed_rows + 1])
            column = jnp.where(eastwards, by_column[passed_columns + 1], opening)
            grid = put(grid, row, column, k.EMPTY)
            step = eastwards.astype(jnp.int32)
            left, passed_columns, passed_rows = left - step, passed_columns + step, passed_rows + 1 - step
        return start(grid, 1, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FourRooms(Level):
    """Four rooms, joined by one opening in each wall between two; agent and goal anywhere."""

    palette = Palette((*ROOM, "goal"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("reach the goal",)

    def generate(self, draws: Draws) -> State:
        middle = self.height // 2
        cells = room(self.height, self.width)
        cells[middle] = cells[:, middle] = k.WALL_CODE
        grid = jnp.asarray(cells)
        openings = []
        for low in (1, middle + 1):
            openings += [(draws.between(low, low + middle - 2), jnp.int32(middle))]
            openings += [(jnp.int32(middle), draws.between(low, low + middle - 2))]
        for opening in openings:
            grid = put(grid, *opening, k.EMPTY)
        # The empty cells are those of the rooms, which never change, and the openings.
        rooms = np.nonzero(cells == k.EMPTY)
        rows, columns = (
            jnp.concatenate([jnp.asarray(inside, jnp.int32), jnp.stack(more)])
            for inside, more in zip(rooms, zip(*openings, strict=True), strict=True)
        )
        agent, goal = draws.distinct(rows.shape[0], 2)
        grid = put(grid, rows[goal], columns[goal], k.GOAL_CODE)
        return start(grid, rows[agent], columns[agent], draws.below(4))


def _crossing(size: int, n: int, lava: bool) -> Crossing:
    return Crossing(height=size, width=size, max_steps=4 * size**2, crossings=n, lava=lava)


def _empty(size: int, anywhere: bool = False) -> Empty:
    return Empty(height=size, width=size, max_steps=4 * size**2, anywhere=anywhere)


LEVELS: dict[str, Level] = {
    **{f"MiniGrid-Empty-{n}x{n}-v0": _empty(n) for n in (5, 6, 8, 16)},
    **{f"MiniGrid-Empty-Random-{n}x{n}-v0": _empty(n, anywhere=True) for n in (5, 6)},
    "MiniGrid-DistShift1-v0": DistShift(height=7, width=9, max_steps=252, strip=2),
    "MiniGrid-DistShift2-v0": DistShift(height=7, width=9, max_steps=252, strip=5),
    **{f"MiniGrid-LavaGapS{n}-v0": LavaGap(height=n, width=n, max_steps=4 * n**2) for n in (5, 6, 7)},
    **{
        f"MiniGrid-{name}CrossingS{size}N{n}-v0": _crossing(size, n, name == "Lava")
        for name in ("Lava", "Simple")
        for size, n in ((9, 1), (9, 2), (9, 3), (11, 5))
    },
    "MiniGrid-FourRooms-v0": FourRooms(height=19, width=19, max_steps=100),
}
