"""ObstructedMaze: locked doors, balls before them, keys in boxes; a blue ball is to be found."""

import dataclasses
import functools
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels.rooms import AHEAD, Cell, RoomLevel, add, took
from jaxteach.worlds.minigrid.palette import LOCKED, ROOM, Palette
from jaxteach.worlds.minigrid.rules import Play
from jaxteach.worlds.minigrid.state import State, start

TARGET = k.code(k.BALL, k.BLUE)
BLOCKING = k.code(k.BALL, k.GREEN)
BOX = k.code(k.BOX, k.GREY)
MIDDLE = (1, 1)
# Rooms beside the middle, in the order of directions, and the corner of each quarter: row, column of rooms.
SIDES = ((1, 2), (2, 1), (1, 0), (0, 1))
CORNERS = ((0, 2), (2, 2), (2, 0), (0, 0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObstructedMaze(RoomLevel):
    """Either two rooms and one locked door, or 3x3 rooms of which some quarters are used.

    Attributes:
        quarters: how many of the four rooms beside the middle have doors; 0 for two rooms.
        boxed: whether keys lie in boxes.
        blocked: whether a ball lies before each locked door.
        agent_room: where the agent starts.
        doors_first: whether all doors and balls of a room are placed before its keys. If not, the second
            ball may fall onto the first key, which is then missing (Farama's `v0` levels).
    """

    boxes_hold: ClassVar[bool] = True
    quarters: int
    boxed: bool
    blocked: bool
    agent_room: tuple[int, int]
    doors_first: bool = False

    @property
    def palette(self) -> Palette:
        box = ("box",) if self.boxed else ()
        return Palette((*ROOM, *LOCKED, "key", "ball", *box), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("pick up the blue ball",)

    def generate(self, draws: Draws) -> State:
        places, colours = self.doorways(draws), draws.permutation(6)
        grid = self.walls()
        if self.quarters == 0:
            grid = self._lock(grid, places, (0, 0), 0, colours[0])
            grid = self._key(draws, grid, (0, 0), colours[0])
            grid = add(grid, self.place(draws, grid, 0, 1), TARGET)
            return start(grid, *self.agent(draws, grid, *self.agent_room), target=TARGET)
        for i, side in enumerate(SIDES[: self.quarters]):
            grid = add(grid, places[(*MIDDLE, i)], k.code(k.CLOSED, colours[i]))
            turns = [((i + turn) % 4, colours[(i + turn) % 6]) for turn in (-1, 1)]
            for wall, colour in turns:
                grid = self._lock(grid, places, side, wall, colour)
                if not self.doors_first:
                    grid = self._key(draws, grid, side, colour)
            if self.doors_first:
                for _, colour in turns:
                    grid = self._key(draws, grid, side, colour)
        corner = jnp.asarray(np.array(CORNERS))[draws.below(self.quarters)]
        grid = add(grid, self.place(draws, grid, corner[0], corner[1]), TARGET)
        return start(grid, *self.agent(draws, grid, *self.agent_room), target=TARGET)

    def _lock(
        self,
        grid: Array,
        places: dict[tuple[int, int, int], Cell],
        room: tuple[int, int],
        wall: int,
        colour: Array,
    ) -> Array:
        """Add a locked door to a room, and the ball before it."""
        row, column = places[(*room, wall)]
        grid = add(grid, (row, column), k.code(k.LOCKED, colour))
        if self.blocked:
            by_row, by_column = AHEAD[wall]
            grid = add(grid, (row - by_row, column - by_column), BLOCKING)
        return grid

    def _key(self, draws: Draws, grid: Array, room: tuple[int, int], colour: Array) -> Array:
        """Add a key to a room, in a box if keys are hidden."""
        key = k.code(k.KEY, colour)
        return add(grid, self.place(draws, grid, *room), BOX | key << 8 if self.boxed else key)

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert before.target is not None
        won = took(before.target, happened)
        return won, jnp.zeros_like(won)

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        return {"target": TARGET}


def _two_rooms(boxed: bool, blocked: bool) -> ObstructedMaze:
    return ObstructedMaze(
        height=6,
        width=11,
        side=6,
        rows=1,
        columns=2,
        max_steps=288,
        quarters=0,
        boxed=boxed,
        blocked=blocked,
        agent_room=(0, 0),
    )


def _maze(
    quarters: int,
    rooms_visited: int,
    agent_room: tuple[int, int],
    boxed: bool = True,
    blocked: bool = True,
    doors_first: bool = False,
) -> ObstructedMaze:
    return ObstructedMaze(
        height=16,
        width=16,
        side=6,
        rows=3,
        columns=3,
        max_steps=4 * rooms_visited * 36,
        quarters=quarters,
        boxed=boxed,
        blocked=blocked,
        agent_room=agent_room,
        doors_first=doors_first,
    )


_EAST = SIDES[0]

LEVELS: dict[str, Level] = {
    "MiniGrid-ObstructedMaze-1Dl-v0": _two_rooms(boxed=False, blocked=False),
    "MiniGrid-ObstructedMaze-1Dlh-v0": _two_rooms(boxed=True, blocked=False),
    "MiniGrid-ObstructedMaze-1Dlhb-v0": _two_rooms(boxed=True, blocked=True),
    "MiniGrid-ObstructedMaze-2Dl-v0": _maze(1, 4, _EAST, boxed=False, blocked=False),
    "MiniGrid-ObstructedMaze-2Dlh-v0": _maze(1, 4, _EAST, blocked=False),
    "MiniGrid-ObstructedMaze-2Dlhb-v0": _maze(1, 4, _EAST),
    "MiniGrid-ObstructedMaze-1Q-v0": _maze(1, 5, MIDDLE),
    "MiniGrid-ObstructedMaze-2Q-v0": _maze(2, 11, _EAST),
    "MiniGrid-ObstructedMaze-Full-v0": _maze(4, 25, MIDDLE),
    "MiniGrid-ObstructedMaze-2Dlhb-v1": _maze(1, 4, _EAST, doors_first=True),
    "MiniGrid-ObstructedMaze-1Q-v1": _maze(1, 5, MIDDLE, doors_first=True),
    "MiniGrid-ObstructedMaze-2Q-v1": _maze(2, 11, _EAST, doors_first=True),
    "MiniGrid-ObstructedMaze-Full-v1": _maze(4, 25, MIDDLE, doors_first=True),
}
