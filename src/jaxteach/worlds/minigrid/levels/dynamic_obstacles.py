"""Dynamic-Obstacles: balls that move by themselves."""

import dataclasses
import functools
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level, put, room
from jaxteach.worlds.minigrid.palette import ROOM, Palette
from jaxteach.worlds.minigrid.rules import Play
from jaxteach.worlds.minigrid.state import State, start


@dataclasses.dataclass(frozen=True, kw_only=True)
class DynamicObstacles(Level):
    """Reach the goal without walking at a ball or a wall.

    Attributes:
        anywhere: whether the agent starts anywhere, not in the upper left corner.
    """

    see_through: ClassVar[bool] = True
    n_actions: ClassVar[int] = 3
    loss: ClassVar[float] = -1.0
    anywhere: bool = False

    palette = Palette((*ROOM, "ball", "goal"))

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("get to the green goal square",)

    def generate(self, draws: Draws) -> State:
        cells = room(self.height, self.width)
        cells[-2, -2] = k.GOAL_CODE
        free = cells == k.EMPTY
        row, column, direction = jnp.int32(1), jnp.int32(1), jnp.int32(k.EAST)
        if self.anywhere:
            (row, column), *balls = draws.cells(free, self.n_balls + 1)
            direction = draws.below(4)
        else:
            free[1, 1] = False
            balls = draws.cells(free, self.n_balls)
        grid = jnp.asarray(cells)
        for ball in balls:
            grid = put(grid, *ball, k.code(k.BALL, k.BLUE))
        rows, columns = (jnp.stack(values) for values in zip(*balls, strict=True))
        return start(grid, row, column, direction, ball_rows=rows, ball_columns=columns)

    def means(self, action: Array) -> Array:
        """Only turns and steps exist: any other action turns left."""
        return jnp.where(action > k.FORWARD, jnp.uint8(k.LEFT), action)

    def judge(self, before: State, happened: Play) -> tuple[Array, Array]:
        assert happened.noticed is not None
        # What counts is what was ahead before the balls moved, even where it has left and the agent moved.
        clear = k.is_any(k.kind_of(happened.noticed), (k.EMPTY, k.GOAL))
        hit = (happened.action == k.FORWARD) & ~clear
        return self.reached_goal(happened), hit


def _level(size: int, n_balls: int, anywhere: bool = False) -> DynamicObstacles:
    return DynamicObstacles(
        height=size, width=size, max_steps=4 * size**2, n_balls=n_balls, anywhere=anywhere
    )


LEVELS: dict[str, Level] = {
    **{
        f"MiniGrid-Dynamic-Obstacles-{n}x{n}-v0": _level(n, balls)
        for n, balls in ((5, 2), (6, 3), (8, 4), (16, 8))
    },
    **{
        f"MiniGrid-Dynamic-Obstacles-Random-{n}x{n}-v0": _level(n, balls, anywhere=True)
        for n, balls in ((5, 2), (6, 3))
    },
}
