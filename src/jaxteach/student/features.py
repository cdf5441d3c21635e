"""What a student reads from an observation; the same code runs on JAX arrays and on NumPy's."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxteach.tasks.engine import constants as c

Array = Any  # jax.Array or np.ndarray, whichever module `xp` is

NEAR = 3
"""Cells in every direction that the egocentric students see one by one."""


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
    """The seen-map shifted and rotated into the agent's frame, one-hot: cells nearby, profiles beyond.

    Within `NEAR` cells of the agent every cell is given. Of the whole map two profiles are: which
    kinds of cell occur anywhere at each forward offset, and at each lateral one. A thing that exists
    once is located by its two profile entries as well as by a cell, so far fewer inputs than the
    whole window (415 against 1445 on a 10x10 grid) tell the student as much.

    Args:
        obs: u8[N, H, W, 4].
        view: the task's view.
        xp: jax.numpy or numpy.

    Returns:
        u8[N, n_egocentric(view)].
    """
    n, height, width = obs.shape[:3]
    classes = cell_classes(obs, view, xp)  # [N, H, W]
    row, column, direction = (x[:, None] for x in pose(obs, xp))  # [N, 1]
    ahead_row = (direction == c.SOUTH) * 1 - (direction == c.NORTH) * 1
    ahead_column = (direction == c.EAST) * 1 - (direction == c.WEST) * 1
    vertical = ahead_row != 0
    # Facing south, right is west: the right-hand vector is (ahead_column, -ahead_row).
    right_row, right_column = ahead_column, -ahead_row

    offsets = np.arange(-NEAR, NEAR + 1)
    forward, lateral = (grid.reshape(1, -1) for grid in np.meshgrid(offsets, offsets, indexing="ij"))
    rows = row + forward * ahead_row + lateral * right_row  # [N, near cells]
    columns = column + forward * ahead_column + lateral * right_column
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = xp.where(inside, rows * width + columns, 0)
    nearby = xp.take_along_axis(classes.reshape(n, height * width), index, axis=1)
    nearby = xp.where(inside, nearby, 0)[..., None]
    kinds = xp.arange(1, view.n_classes + 1).astype(xp.uint8).reshape(1, 1, -1)
    near = (nearby == kinds).astype(xp.uint8).reshape(n, -1)

    side = max(height, width)
    along_rows = _profile(classes, 2, side, view, xp)  # [N, side, classes], which kinds each row holds
    along_columns = _profile(classes, 1, side, view, xp)
    reach = np.arange(-view.radius, view.radius + 1).reshape(1, -1)

    def line(profile: Array, start: Array, step: Array) -> Array:
        """Read a profile from the agent outwards: [N, 2 R + 1, classes], zero beyond the map."""
        at = start + reach * step
        within = (at >= 0) & (at < side)
        taken = xp.take_along_axis(profile, xp.where(within, at, 0)[..., None], axis=1)
        return xp.where(within[..., None], taken, 0)

    # Facing along columns of the map, forward runs over rows and right over columns; else reversed.
    upright = vertical[..., None]
    forward_line = xp.where(
        upright, line(along_rows, row, ahead_row), line(along_columns, column, ahead_column)
    )
    lateral_line = xp.where(
        upright, line(along_columns, column, right_column), line(along_rows, row, right_row)
    )
    far = [lines.astype(xp.uint8).reshape(n, -1) for lines in (forward_line, lateral_line)]
    return xp.concatenate([near, *far], axis=1)


def _profile(classes: Array, axis: int, side: int, view: View, xp: Any) -> Array:
    """Which kinds of cell occur along one axis, bool[N, side, classes]."""
    held = [xp.any(classes == kind, axis=axis) for kind in range(1, view.n_classes + 1)]
    profile = xp.stack(held, axis=-1)
    return xp.pad(profile, ((0, 0), (0, side - profile.shape[1]), (0, 0)))


def n_egocentric(view: View) -> int:
    """How many features `egocentric` gives."""
    return ((2 * NEAR + 1) ** 2 + 2 * (2 * view.radius + 1)) * view.n_classes


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
