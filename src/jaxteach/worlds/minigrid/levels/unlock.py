"""Two rooms and a locked door: Unlock, UnlockPickup, BlockedUnlockPickup."""

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels.rooms import RoomLevel, add, took
from jaxteach.worlds.minigrid.palette import LOCKED, ROOM, Palette
from jaxteach.worlds.minigrid.rules import Play
from jaxteach.worlds.minigrid.state import State, start

LEFT_ROOM, RIGHT_ROOM = (0, 0), (0, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unlock(RoomLevel):
    """Take the key, open the door."""

    palette = Palette((*ROOM, *LOCKED, "key"), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("open the door",)

    def generate(self, draws: Draws) -> State:
        door = self.doorways(draws)[0, 0, 0]
        colour = draws.below(6)
        grid = add(self.walls(), door, k.code(k.LOCKED, colour))
        grid = add(grid, self.place(draws, grid, *LEFT_ROOM), k.code(k.KEY, colour))
        return start(grid, *self.agent(draws, grid, *LEFT_ROOM))

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        return happened.opened, jnp.zeros_like(happened.opened)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UnlockPickup(RoomLevel):
    """Open the door and pick up the box behind it; with `blocked`, a ball lies before the door."""

    blocked: bool

    @property
    def palette(self) -> Palette:
        ball = ("ball",) if self.blocked else ()
        return Palette((*ROOM, *LOCKED, "key", *ball, "box"), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return tuple(f"pick up the {colour} box" for colour in k.COLOURS)

    def generate(self, draws: Draws) -> State:
        door = self.doorways(draws)[0, 0, 0]
        box, colour = draws.below(6), draws.below(6)
        target = k.code(k.BOX, box)
        grid = self.walls()
        grid = add(grid, self.place(draws, grid, *RIGHT_ROOM), target)
        grid = add(grid, door, k.code(k.LOCKED, colour))
        if self.blocked:
            grid = add(grid, (door[0], door[1] - 1), k.code(k.BALL, draws.below(6)))
        grid = add(grid, self.place(draws, grid, *LEFT_ROOM), k.code(k.KEY, colour))
        return start(grid, *self.agent(draws, grid, *LEFT_ROOM), mission=box, target=target)

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert before.target is not None
        won = took(before.target, happened)
        return won, jnp.zeros_like(won)

    def locate(self, cells: np.ndarray, mission: int) -> dict[str, Any]:
        return {"target": k.code(k.BOX, mission)}


_ROOMS = {"height": 6, "width": 11, "side": 6, "rows": 1, "columns": 2}

LEVELS: dict[str, Level] = {
    "MiniGrid-Unlock-v0": Unlock(**_ROOMS, max_steps=288),
    "MiniGrid-UnlockPickup-v0": UnlockPickup(**_ROOMS, max_steps=288, blocked=False),
    "MiniGrid-BlockedUnlockPickup-v0": UnlockPickup(**_ROOMS, max_steps=576, blocked=True),
}
