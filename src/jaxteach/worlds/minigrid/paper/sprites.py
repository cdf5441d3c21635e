"""A grid as a picture, from navix's own sprites at full size (its observations shrink them to 8 pixels)."""

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from jaxteach.worlds.minigrid.paper import constants as c

TILE = 32
"""Pixels of a sprite's side."""

_KINDS = {c.WALL: "wall", c.LAVA: "lava", c.KEY: "key", c.DOOR: "door", c.GOAL: "goal", c.EMPTY: "floor"}
_DOORS = {c.OPEN: "open", c.CLOSED: "closed", c.LOCKED: "locked"}
_FACING = ("east", "south", "west", "north")


@functools.cache
def sprite(name: str) -> npt.NDArray[np.uint8]:
    """One of navix's sprites, u8[32, 32, 3], by the name of its file."""
    from navix.rendering.registry import SPRITES_DIR

    with Image.open(Path(SPRITES_DIR) / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB").resize((TILE, TILE)))


def cell_sprite(kind: int, colour: int, state: int) -> npt.NDArray[np.uint8]:
    """The sprite of a cell with MiniGrid's object, colour and state."""
    name = _KINDS[kind]
    if kind == c.DOOR:
        name += f"_{_DOORS[state]}"
    if kind in (c.DOOR, c.KEY):
        name += f"_{c.COLOUR_NAMES[colour]}"
    return sprite(name)


def draw_grid(
    grid: npt.NDArray[np.uint8], position: tuple[int, int], direction: int
) -> npt.NDArray[np.uint8]:
    """Draw a grid and the agent on it.

    Args:
        grid: u8[H, W, 3], object, colour and state of every cell.
        position: the agent's (row, column).
        direction: the agent's direction.

    Returns:
        u8[H * 32, W * 32, 3].
    """
    picture = np.concatenate(
        [np.concatenate([cell_sprite(*map(int, cell)) for cell in row], axis=1) for row in grid]
    )
    row, column = (slice(i * TILE, (i + 1) * TILE) for i in position)
    agent = sprite(f"player_{_FACING[direction]}")
    body = agent[..., :1].astype(int) - agent[..., 1:2] > 60  # the red arrow, without the floor around it
    picture[row, column] = np.where(body, agent, picture[row, column])
    return picture
