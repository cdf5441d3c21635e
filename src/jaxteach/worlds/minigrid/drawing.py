"""Grids as pictures in MiniGrid's look: the whole, lit in the agent's view; what it knows; what it holds."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import numpy.typing as npt

from jaxteach.tasks.drawing import Drawing, Picture
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.cut import VIEW
from jaxteach.worlds.minigrid.engine import see
from jaxteach.worlds.minigrid.sprites import TILE, UNSEEN, cell_sprite, draw_grid
from jaxteach.worlds.minigrid.view import grow, image_of, seen_cells, unseen

if TYPE_CHECKING:
    from jaxteach.worlds.minigrid.level import Level
    from jaxteach.worlds.minigrid.state import State

Colour = tuple[int, int, int]
Cells = npt.NDArray[np.bool_]


def draw_level(level: "Level", state: "State") -> Drawing:
    """One state of a level: the grid and, if the state keeps a seen-map, what is on it; else the view.

    Args:
        level: static.
        state: of one environment, without a batch axis.
    """
    shown = jax.device_get(_look(level, state))
    held, image = shown["image"][VIEW // 2, VIEW - 1], shown["image"]
    grid = lit(draw_grid(shown["grid"], shown["position"], int(shown["direction"])), shown["visible"])
    if shown["seen"] is not None:
        second = ("what the agent has seen", hidden(grid, shown["seen"]))
    else:
        view = image.transpose(1, 0, 2).copy()  # [row, column, 3], the agent at the bottom, facing up
        view[VIEW - 1, VIEW // 2] = (k.EMPTY, 0, 0)
        picture = draw_grid(view, (VIEW - 1, VIEW // 2), k.NORTH)
        second = ("what the agent sees", hidden(lifted(picture), view[..., 0] != k.UNSEEN))
    mission = level.missions[int(shown["mission"])]
    return Drawing((("the level", grid), second), held_picture(held), mission)


@functools.partial(jax.jit, static_argnums=0)
def _look(level: "Level", state: "State") -> dict[str, Any]:
    """Everything a picture needs from JAX."""
    batch = jax.tree.map(lambda x: x[None], state)
    view = see(level, batch)
    now = grow(unseen(1, level.height), batch, view, level.width)
    cells = k.channels(state.grid.reshape(level.height, level.width))
    return {
        "grid": jax.numpy.stack(cells, axis=-1),
        "visible": seen_cells(now, level.width)[0],
        "seen": None if batch.seen is None else seen_cells(batch.seen, level.width)[0],
        "image": image_of(view)[0],
        "position": (state.row.astype(int), state.column.astype(int)),
        "direction": state.direction,
        "mission": state.mission,
    }


def lit(picture: Picture, visible: Cells) -> Picture:
    """A grid's picture, brighter in the cells in view."""
    return np.where(_pixels(visible), _mapped(picture, _lit), lifted(picture))


def hidden(picture: Picture, seen: Cells) -> Picture:
    """A grid's picture, dark where nothing was seen."""
    return np.where(_pixels(seen), picture, np.array(UNSEEN, np.uint8))


def lifted(picture: Picture) -> Picture:
    """A picture a little lighter: sprites stand on black."""
    return _mapped(picture, _lifted)


def held_picture(cell: npt.NDArray[np.uint8]) -> tuple[str, Picture | None]:
    """What the agent's cell of an observation says it carries: words and a picture."""
    kind, colour = map(int, cell[:2])
    if kind not in k.PORTABLE:
        return "nothing", None
    # Without the grid lines at the sprite's upper and left edge.
    return f"{k.COLOURS[colour]} {k.KIND_NAMES[kind]}", lifted(cell_sprite(kind, colour, 0)[3:, 3:])


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


def _pixels(mask: Cells) -> Cells:
    """A mask of cells [H, W] as one of pixels [H * TILE, W * TILE, 1]."""
    return mask.repeat(TILE, axis=0).repeat(TILE, axis=1)[..., None]
