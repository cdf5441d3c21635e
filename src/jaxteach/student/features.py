"""What a student reads from an observation; the same code runs on JAX arrays and on NumPy's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxteach.tasks.engine import constants as c

Array = Any  # jax.Array or np.ndarray, whichever module `xp` is


@dataclass(frozen=True)
class View:
    """What features depend on: plain values, written into config.json for `load_policy`.

    Attributes:
        height: H.
        width: W.
        key_colours: the colour of each key class, None for any.
    """

    height: int
    width: int
    key_colours: tuple[int | None, ...]

    @property
    def radius(self) -> int:
        """How far, in cells, anything in a room can be from an agent inside it."""
        return max(self.height, self.width) - 2

    @property
    def n_classes(self) -> int:
        """Kinds of cell told apart: empty, wall, door, lava and each key class (unseen is none)."""
        return 4 + len(self.key_colours)


def cell_classes(obs: Array, view: View, xp: Any) -> Array:
    """The kind of every cell, 0 for unseen.

    Args:
        obs: u8[..., H, W, 4].
        view: the task's view.
        xp: jax.numpy or numpy.

    Returns:
        u8[..., H, W]: 1 empty, 2 wall, 3 door, 4 lava, 5 + k a key of class k.
    """
    kind, colour = obs[..., 0], obs[..., 1]
    classes = xp.where(kind == c.EMPTY, 1, 0)
    for number, wanted in ((2, c.WALL), (3, c.DOOR), (4, c.LAVA)):
        classes = xp.where(kind == wanted, number, classes)
    for k, wanted_colour in enumerate(view.key_colours):
        of_class = (kind == c.KEY) & ((colour == wanted_colour) | (wanted_colour is None))
        classes = xp.where(of_class, 5 + k, classes)
    return classes.astype(xp.uint8)


def pose(obs: Array, xp: Any) -> tuple[Array, Array, Array]:
    """The agent's row, column and direction, i32[...] each, read off channel 3."""
    height, width = obs.shape[-3:-1]
    agent = obs[..., 3].astype(xp.int32)  # [..., H, W]
    here = agent != c.NO_AGENT
    rows = xp.arange(height).reshape(height, 1)
    columns = xp.arange(width).reshape(1, width)
    batch = (1,) * (agent.ndim - 2)
    rows, columns = rows.reshape(*batch, height, 1), columns.reshape(*batch, 1, width)

    def pick(values: Array) -> Array:
        return xp.sum(xp.where(here, values, 0), axis=(-2, -1))

    return pick(rows), pick(columns), pick(agent)


def egocentric(obs: Array, view: View, xp: Any) -> Array:
    """The seen-map shifted and rotated into the agent's frame, one-hot.

    Args:
        obs: u8[N, H, W, 4].
        view: the task's view.
        xp: jax.numpy or numpy.

    Returns:
        u8[N, (2 R + 1)**2 * n_classes], cells by forward offset, then lateral offset.
    """
    n, height, width = obs.shape[:3]
    classes = cell_classes(obs, view, xp).reshape(n, height * width)
    row, column, direction = pose(obs, xp)
    offsets = np.arange(-view.radius, view.radius + 1)
    forward, right = (grid.reshape(1, -1) for grid in np.meshgrid(offsets, offsets, indexing="ij"))
    ahead_row = xp.asarray((direction == c.SOUTH) * 1 - (direction == c.NORTH) * 1)[:, None]
    ahead_column = xp.asarray((direction == c.EAST) * 1 - (direction == c.WEST) * 1)[:, None]
    # Facing south, right is west: the right-hand vector is (ahead_column, -ahead_row).
    rows = row[:, None] + forward * ahead_row + right * ahead_column  # [N, cells]
    columns = column[:, None] + forward * ahead_column - right * ahead_row
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = xp.where(inside, rows * width + columns, 0)
    window = xp.where(inside, xp.take_along_axis(classes, index, axis=1), 0)  # [N, cells]
    kinds = xp.arange(1, view.n_classes + 1).astype(xp.uint8).reshape(1, 1, -1)
    return (window[..., None] == kinds).astype(xp.uint8).reshape(n, -1)


def raw_map(obs: Array, view: View, xp: Any) -> Array:
    """The observation as it is, flattened: what the reference's network reads.

    Args:
        obs: u8[N, H, W, 4].
        view: unused; every student's features take it.
        xp: unused, likewise.

    Returns:
        u8[N, H * W * 4].
    """
    del view, xp
    return obs.reshape(obs.shape[0], -1)
