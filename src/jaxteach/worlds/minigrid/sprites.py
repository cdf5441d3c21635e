"""A grid as a picture, from navix's own sprites at full size (its observations shrink them to 8 pixels)."""

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from jaxteach.worlds.minigrid import kinds as k

TILE = 32
"""Pixels of a sprite's side."""

UNSEEN: tuple[int, int, int] = (12, 14, 19)
"""The colour of what is not seen."""
_KINDS = {
    k.EMPTY: "floor",
    k.WALL: "wall",
    k.FLOOR: "floor",
    k.DOOR: "door",
    k.KEY: "key",
    k.BALL: "ball",
    k.BOX: "box",
    k.GOAL: "goal",
    k.LAVA: "lava",
}
_DOORS = ("open", "closed", "locked")
_FACING = ("east", "south", "west", "north")


@functools.cache
def sprite(name: str) -> npt.NDArray[np.uint8]:
    """One of navix's sprites, u8[32, 32, 3], by the name of its file."""
    from navix.rendering.registry import SPRITES_DIR

    with Image.open(Path(SPRITES_DIR) / f"{name}.png") as picture:
        return np.asarray(picture.convert("RGB").resize((TILE, TILE)))


def cell_sprite(kind: int, colour: int, state: int) -> npt.NDArray[np.uint8]:
    """The sprite of a cell with MiniGrid's object, colour and state."""
    if kind == k.UNSEEN:
        return np.full((TILE, TILE, 3), UNSEEN, np.uint8)
    name = _KINDS[kind]
    if kind == k.DOOR:
        name += f"_{_DOORS[state]}"
    if kind in (k.DOOR, k.KEY, k.BALL, k.BOX):
        name += f"_{k.COLOURS[colour]}"
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
