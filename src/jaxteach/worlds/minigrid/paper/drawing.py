"""A door/key state as pictures: the room, what the agent has seen of it, and what it carries."""

import functools
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np

from jaxteach.tasks.drawing import Drawing
from jaxteach.worlds.minigrid.drawing import held_picture, hidden, lit
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.visibility import cells_of, visible_board
from jaxteach.worlds.minigrid.sprites import draw_grid

if TYPE_CHECKING:
    from jaxteach.worlds.minigrid.paper.state import GridState


class Drawn(Protocol):
    """What a picture needs of a task."""

    view_size: int
    width: int

    def __hash__(self) -> int: ...

    def observe(self, state: "GridState") -> jax.Array:
        """u8[H, W, 4]."""

    def grid_of(self, state: "GridState") -> tuple[jax.Array, jax.Array]:
        """The true grid u8[H, W, 3] and the seen-map bool[H, W]."""


def draw(task: Drawn, state: "GridState") -> Drawing:
    """One state, for `Drawable.draw`.

    Args:
        task: static.
        state: a completed state.
    """
    seen_by_jax = jax.device_get(_look(task, state))
    grid, seen, visible = seen_by_jax["grid"], seen_by_jax["seen"], seen_by_jax["visible"]
    row, column = map(int, seen_by_jax["position"])
    solid = np.isin(grid[..., 0], (c.WALL, c.DOOR))
    rows, columns = (int(np.flatnonzero(solid.any(axis))[-1]) + 1 for axis in (1, 0))
    picture = draw_grid(grid[:rows, :columns], (row, column), int(seen_by_jax["direction"]))
    room = lit(picture, visible[:rows, :columns])
    panels = (("the room", room), ("what the agent has seen", hidden(room, seen[:rows, :columns])))
    return Drawing(panels, held_picture(seen_by_jax["obs"][row, column]))


@functools.partial(jax.jit, static_argnums=0)
def _look(task: Drawn, state: "GridState") -> dict[str, Any]:
    """Everything a picture needs from JAX."""
    grid, seen = task.grid_of(state)
    return {
        "obs": task.observe(state),
        "grid": grid,
        "seen": seen,
        "visible": cells_of(visible_board(state, task.view_size, task.width), task.width),
        "position": state.position,
        "direction": state.direction,
    }
