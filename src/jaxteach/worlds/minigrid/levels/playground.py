"""Playground: nine rooms, twelve doors, twelve things, nothing to be done."""

import dataclasses
import functools

import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level, put, room
from jaxteach.worlds.minigrid.palette import DOOR, ROOM, THINGS, Palette
from jaxteach.worlds.minigrid.rules import Play
from jaxteach.worlds.minigrid.state import State, start

N_THINGS = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class Playground(Level):
    """An episode ends by the clock alone."""

    palette = Palette((*ROOM, *DOOR, *THINGS), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("",)

    def generate(self, draws: Draws) -> State:
        step = self.height // 3
        cells = room(self.height, self.width)
        cells[[step, 2 * step]] = k.WALL_CODE
        cells[:, [step, 2 * step]] = k.WALL_CODE
        grid = jnp.asarray(cells)
        (row, column), *places = draws.cells(cells == k.EMPTY, N_THINGS + 1)
        for line in (step, 2 * step):
            for low in (0, step, 2 * step):
                # The last place of each wall never has the door.
                grid = put(grid, low + draws.between(1, step - 2), line, k.code(k.CLOSED, draws.below(6)))
                grid = put(grid, line, low + draws.between(1, step - 2), k.code(k.CLOSED, draws.below(6)))
        for place in places:
            grid = put(grid, *place, k.code(k.KEY + draws.below(3), draws.below(6)))
        return start(grid, row, column, draws.below(4))

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        never = jnp.zeros_like(happened.moved)
        return never, never


LEVELS: dict[str, Level] = {"MiniGrid-Playground-v0": Playground(height=19, width=19, max_steps=100)}
