"""A door/key state as pictures: the room, what the agent has seen of it, and what it carries."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np
import numpy.typing as npt

from jaxteach.tasks.drawing import Drawing
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.sprites import TILE, cell_sprite, draw_grid
from jaxteach.worlds.minigrid.paper.visibility import cells_of, visible_board

if TYPE_CHECKING:
    from jaxteach.worlds.minigrid.paper.state import GridState

Colour = tuple[int, int, int]
_UNSEEN: Colour = (12, 14, 19)


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
    visible, seen = (_cells(mask[:rows, :columns])[..., None] for mask in (visible, seen))
    room = np.where(visible, _mapped(picture, _lit), _mapped(picture, _lifted))
    known = np.where(seen, room, np.array(_UNSEEN, np.uint8))
    panels = (("the room", room), ("what the agent has seen", known))
    return Drawing(panels, _held(seen_by_jax["obs"][row, column]))


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


def _held(cell: npt.NDArray[np.uint8]) -> tuple[str, npt.NDArray[np.uint8] | None]:
    """What the agent's cell of an observation says it carries: words and a picture."""
    kind, colour = map(int, cell[:2])
    if kind != c.KEY:
        return "nothing", None
    # Without the grid lines at the sprite's upper and left edge.
    return f"{c.COLOUR_NAMES[colour]} key", _mapped(cell_sprite(kind, colour, 0)[3:, 3:], _lifted)


def _blend(picture: npt.NDArray[np.float64], colour: Colour, share: float) -> npt.NDArray[np.float64]:
    """Move every pixel towards a colour."""
    return picture * (1 - share) + np.array(colour, float) * share


def _lifted(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sprites stand on black: a little lighter, unseen cells can be darker than the floor, and blue shows."""
    return _blend(picture, (150, 165, 195), 0.16)


def _lit(picture: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The cells in view now."""
    return _blend(_lifted(picture), (255, 255, 255), 0.17)


def _mapped(
    picture: npt.NDArray[np.uint8], change: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
) -> npt.NDArray[np.uint8]:
    """A change of colours, channel by channel, by looking each value up."""
    table = np.rint(change(np.repeat(np.arange(256.0)[:, None], 3, axis=1))).astype(np.uint8)  # [256, 3]
    return np.stack([table[picture[..., i], i] for i in range(3)], axis=-1)


def _cells(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A mask of cells [H, W] as one of pixels."""
    return mask.repeat(TILE, axis=0).repeat(TILE, axis=1)
