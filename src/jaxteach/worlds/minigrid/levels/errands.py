"""Levels whose mission names a thing among others: Fetch, GoToDoor, GoToObject, PutNear."""

import dataclasses
import functools
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level, distance, found, is_free, put, room
from jaxteach.worlds.minigrid.levels.rooms import took
from jaxteach.worlds.minigrid.palette import DOOR, ROOM, THINGS, Palette
from jaxteach.worlds.minigrid.rules import Play
from jaxteach.worlds.minigrid.state import State, start

# The looks of things, numbered colour by colour: key, ball, box of the first colour, and so on.
LOOKS = tuple(k.code(kind, colour) for colour in range(6) for kind in k.PORTABLE)
NAMES = tuple(f"{colour} {kind}" for colour in k.COLOURS for kind in ("key", "ball", "box"))
PHRASES = ("get a", "go get a", "fetch a", "go fetch a", "you must fetch a")


def beside(happened: Play, row: Array, column: Array) -> Array:
    """bool[N], the agent stands one step from a cell, whichever way it faces."""
    by_row = jnp.minimum(happened.row - row, row - happened.row)  # u8 wraps: the smaller is the distance
    by_column = jnp.minimum(happened.column - column, column - happened.column)
    return (by_row + by_column) == 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fetch(Level):
    """Pick up a thing of the looks that the mission names; picking up any other fails.

    Attributes:
        n_things: keys and balls lying about; some may look alike.
    """

    see_through: ClassVar[bool] = True
    n_things: int

    palette = Palette((*ROOM, "key", "ball"), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return tuple(
            f"{phrase} {colour} {kind}"
            for phrase in PHRASES
            for colour in k.COLOURS
            for kind in ("key", "ball")
        )

    def generate(self, draws: Draws) -> State:
        cells = room(self.height, self.width)
        grid = jnp.asarray(cells)
        *places, (row, column) = draws.cells(cells == k.EMPTY, self.n_things + 1)
        things = []
        for place in places:
            things.append((draws.below(2), draws.below(6)))
            kind, colour = things[-1]
            grid = put(grid, *place, k.code(k.KEY + kind, colour))
        chosen = draws.below(self.n_things)
        kind, colour = (jnp.stack(values)[chosen] for values in zip(*things, strict=True))
        mission = draws.below(len(PHRASES)) * 12 + colour * 2 + kind
        target = k.code(k.KEY + kind, colour)
        return start(grid, row, column, draws.below(4), mission=mission, target=target)

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert before.target is not None
        right = took(before.target, happened)
        return right, happened.picked & ~right

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        return {"target": k.code(k.KEY + mission % 2, mission // 2 % 6)}


class Arrival(Level):
    """Say `done` one step from a place; saying it elsewhere, or toggling anything, fails."""

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert before.place_row is not None and before.place_column is not None
        near = beside(happened, before.place_row, before.place_column)
        done = happened.action == k.DONE
        return done & near, (done & ~near) | (happened.action == k.TOGGLE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoToDoor(Arrival):
    """Four doors of different colours, one in each wall of a room of random size."""

    see_through: ClassVar[bool] = True

    palette = Palette((*ROOM, *DOOR), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return tuple(f"go to the {colour} door" for colour in k.COLOURS)

    def generate(self, draws: Draws) -> State:
        height, width = draws.between(5, self.height), draws.between(5, self.width)
        row, column = jnp.arange(self.height)[:, None], jnp.arange(self.width)[None]
        within = (row < height) & (column < width)
        edge = (row == 0) | (column == 0) | (row == height - 1) | (column == width - 1)
        grid = jnp.where(within & edge, jnp.uint8(k.WALL_CODE), jnp.uint8(k.EMPTY))
        zero = jnp.int32(0)
        doors = (
            (zero, draws.between(2, width - 3)),
            (height - 1, draws.between(2, width - 3)),
            (draws.between(2, height - 3), zero),
            (draws.between(2, height - 3), width - 1),
        )
        colours = draws.permutation(6)[:4]
        for number, (door_row, door_column) in enumerate(doors):
            door = k.code(k.CLOSED, colours[number]).astype(jnp.uint8)
            grid = jnp.where((row == door_row) & (column == door_column), door, grid)
        agent_row, agent_column = draws.between(1, height - 2), draws.between(1, width - 2)
        chosen = draws.below(4)
        place_row, place_column = (jnp.stack(values)[chosen] for values in zip(*doors, strict=True))
        return start(
            grid,
            agent_row,
            agent_column,
            draws.below(4),
            mission=colours[chosen],
            place_row=place_row,
            place_column=place_column,
        )

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        row, column = found(cells, k.code(k.CLOSED, mission))
        return {"place_row": row, "place_column": column}


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoToObject(Arrival):
    """Different things lie about; what counts is where the named one lay first.

    Attributes:
        n_things: how many.
    """

    see_through: ClassVar[bool] = True
    n_things: int

    palette = Palette((*ROOM, *THINGS), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return tuple(f"go to the {name}" for name in NAMES)

    def generate(self, draws: Draws) -> State:
        cells = room(self.height, self.width)
        grid = jnp.asarray(cells)
        things = draws.distinct(len(LOOKS), self.n_things)
        *places, (row, column) = draws.cells(cells == k.EMPTY, self.n_things + 1)
        for place, thing in zip(places, things, strict=True):
            grid = put(grid, *place, jnp.asarray(LOOKS)[thing])
        chosen = draws.below(self.n_things)
        place_row, place_column = (jnp.stack(values)[chosen] for values in zip(*places, strict=True))
        return start(
            grid,
            row,
            column,
            draws.below(4),
            mission=jnp.stack(things)[chosen],
            place_row=place_row,
            place_column=place_column,
        )

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        row, column = found(cells, LOOKS[mission])
        return {"place_row": row, "place_column": column}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PutNear(Level):
    """Pick up one thing and drop it next to where another lay first; one attempt.

    Attributes:
        n_things: different things, no two of them next to each other.
    """

    see_through: ClassVar[bool] = True
    n_things: int

    palette = Palette((*ROOM, *THINGS), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return tuple(f"put the {a} near the {b}" for a in NAMES for b in NAMES if a != b)

    def generate(self, draws: Draws) -> State:
        grid = jnp.asarray(room(self.height, self.width))
        things = draws.distinct(len(LOOKS), self.n_things)
        apart = jnp.ones((self.height, self.width), bool)
        places = []
        for thing in things:
            places.append(draws.cell(is_free(grid) & apart))
            by_row, by_column = distance(self.height, self.width, *places[-1])
            apart = apart & ((by_row > 1) | (by_column > 1))
            grid = put(grid, *places[-1], jnp.asarray(LOOKS)[thing])
        row, column = draws.cell(is_free(grid))
        moved, other = draws.below(self.n_things), draws.below(self.n_things - 1)
        other = other + (other >= moved)
        a, b = jnp.stack(things)[moved], jnp.stack(things)[other]
        place_row, place_column = (jnp.stack(values)[other] for values in zip(*places, strict=True))
        return start(
            grid,
            row,
            column,
            draws.below(4),
            mission=a * (len(NAMES) - 1) + b - (b > a),
            target=jnp.asarray(LOOKS)[a],
            place_row=place_row,
            place_column=place_column,
        )

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert before.target is not None and before.place_row is not None and before.place_column is not None
        by_row = happened.ahead_row - before.place_row + jnp.uint8(1)
        by_column = happened.ahead_column - before.place_column + jnp.uint8(1)
        near = (by_row <= 2) & (by_column <= 2)  # u8: -1 wraps to 0, anything less to much more
        won = happened.dropped & near
        # A drop that nothing came of ends the episode too.
        tried = (happened.action == k.DROP) & (happened.held != 0)
        wrong = happened.picked & ~took(before.target, happened)
        return won, (tried & ~won) | wrong

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        a, b = divmod(mission, len(NAMES) - 1)
        row, column = found(cells, LOOKS[b + (b >= a)])
        return {"target": LOOKS[a], "place_row": row, "place_column": column}


def _square(size: int, steps: int) -> dict[str, int]:
    return {"height": size, "width": size, "max_steps": steps}


LEVELS: dict[str, Level] = {
    **{
        f"MiniGrid-Fetch-{n}x{n}-N{things}-v0": Fetch(**_square(n, 5 * n**2), n_things=things)
        for n, things in ((5, 2), (6, 2), (8, 3))
    },
    **{f"MiniGrid-GoToDoor-{n}x{n}-v0": GoToDoor(**_square(n, 4 * n**2)) for n in (5, 6, 8)},
    **{f"MiniGrid-GoToObject-{n}x{n}-N2-v0": GoToObject(**_square(n, 5 * n**2), n_things=2) for n in (6, 8)},
    **{
        f"MiniGrid-PutNear-{n}x{n}-N{things}-v0": PutNear(**_square(n, 5 * n), n_things=things)
        for n, things in ((6, 2), (8, 3))
    },
}
