"""Maps of cells in the agent's frame, one-hot; the same code runs on JAX arrays and on NumPy's."""

from typing import Any

import numpy as np

Array = Any  # jax.Array or np.ndarray, whichever module `xp` is

NEAR = 3
"""Cells in every direction that the egocentric students see one by one."""
NO_AGENT = 4
"""The last channel of a map's cells where the agent is not; its direction where it is."""
_EAST, _SOUTH, _WEST, _NORTH = range(4)


def n_egocentric(radius: int, n_classes: int) -> int:
    """How many features `egocentric` gives."""
    return ((2 * NEAR + 1) ** 2 + 2 * (2 * radius + 1)) * n_classes


def bits_of(classes: list[Array], xp: Any) -> Array:
    """Classes as bits of one word.

    Args:
        classes: bool[...] each, at most 32.
        xp: jax.numpy or numpy.

    Returns:
        The smallest unsigned type that holds them, [...], bit i set where class i holds.
    """
    assert 0 < len(classes) <= 32, "a word has no bit for more classes of cell"
    word = np.dtype(np.uint8 if len(classes) <= 8 else np.uint16 if len(classes) <= 16 else np.uint32).type
    bits = xp.zeros(classes[0].shape, word)
    for i, of_class in enumerate(classes):
        bits = bits | xp.where(of_class, word(1 << i), word(0))
    return bits


def one_hot_bits(words: Array, n_classes: int, xp: Any) -> Array:
    """Words [...] to their lowest bits, u8[..., n_classes]."""
    kinds = (1 << np.arange(n_classes)).astype(words.dtype).reshape((1,) * words.ndim + (-1,))
    return ((words[..., None] & kinds) != 0).astype(xp.uint8)


def pose(obs: Array, xp: Any) -> tuple[Array, Array, Array]:
    """The agent's row, column and direction, i32[...] each, read off the last channel of u8[..., H, W, 4]."""
    height, width = obs.shape[-3:-1]
    agent = obs[..., 3].astype(xp.int32)  # [..., H, W]
    here = agent != NO_AGENT
    rows = xp.arange(height).reshape(height, 1)
    columns = xp.arange(width).reshape(1, width)
    batch = (1,) * (agent.ndim - 2)
    rows, columns = rows.reshape(*batch, height, 1), columns.reshape(*batch, 1, width)

    def pick(values: Array) -> Array:
        return xp.sum(xp.where(here, values, 0), axis=(-2, -1))

    return pick(rows), pick(columns), pick(agent)


def egocentric(obs: Array, bits: Array, radius: int, n_classes: int, xp: Any) -> Array:
    """A map shifted and rotated into the agent's frame, one-hot: cells nearby, profiles beyond.

    Within `NEAR` cells of the agent every cell is given. Of the whole map two profiles are: which
    kinds of cell occur anywhere at each forward offset, and at each lateral one. A thing that exists
    once is located by its two profile entries as well as by a cell, so far fewer inputs than the
    whole window (415 against 1445 on a 10x10 grid) tell the student as much.

    All kinds of a cell or of a line travel in one word, from the map into the agent's frame, and
    become inputs only there: a gathered element costs XLA's CPU code a nanosecond, whatever its size.

    Args:
        obs: u8[N, H, W, 4], read for the agent's pose.
        bits: [N, H, W], the classes of each cell as bits.
        radius: R, how far, in cells, anything can be from the agent.
        n_classes: how many classes there are.
        xp: jax.numpy or numpy.

    Returns:
        u8[N, n_egocentric(radius, n_classes)].
    """
    n, height, width = obs.shape[:3]
    side = max(height, width)
    none = bits.dtype.type(0)
    bits = once(bits, xp)  # [N, H, W]
    row, column, direction = (x[:, None] for x in once(pose(obs, xp), xp))  # [N, 1]
    ahead_row = (direction == _SOUTH) * 1 - (direction == _NORTH) * 1
    ahead_column = (direction == _EAST) * 1 - (direction == _WEST) * 1
    # Facing south, right is west: the right-hand vector is (ahead_column, -ahead_row).
    right_row, right_column = ahead_column, -ahead_row

    # Facing along columns of the map, forward runs over rows and right over columns; else reversed.
    upright = ahead_row != 0
    along_rows, along_columns = once((_profile(bits, 2, side, xp), _profile(bits, 1, side, xp)), xp)
    ahead = xp.where(upright, along_rows, along_columns)  # [N, side]
    beside = xp.where(upright, along_columns, along_rows)
    words = once(xp.concatenate([bits.reshape(n, height * width), ahead, beside], axis=1), xp)

    offsets = np.arange(-NEAR, NEAR + 1)
    forward, lateral = (grid.reshape(1, -1) for grid in np.meshgrid(offsets, offsets, indexing="ij"))
    rows = row + forward * ahead_row + lateral * right_row  # [N, near cells]
    columns = column + forward * ahead_column + lateral * right_column
    reach = np.arange(-radius, radius + 1).reshape(1, -1)
    ahead_at = xp.where(upright, row, column) + reach * (ahead_row + ahead_column)  # [N, 2 R + 1]
    beside_at = xp.where(upright, column, row) + reach * (right_row + right_column)
    near_within = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    far_within = [(at >= 0) & (at < side) for at in (ahead_at, beside_at)]
    within = xp.concatenate([near_within, *far_within], axis=1)  # [N, cells and lines]
    start = height * width
    at = xp.concatenate([rows * width + columns, start + ahead_at, start + side + beside_at], axis=1)
    within, at = once((within, xp.where(within, at, 0)), xp)

    seen = once(xp.where(within, xp.take_along_axis(words, at, axis=1), none), xp)
    present = once(one_hot_bits(seen, n_classes, xp), xp)
    # [N, cells and lines, classes] -> [N, inputs], the end of what is fused with either shape
    return once(present.reshape(n, -1), xp)


def once[Tree](tree: Tree, xp: Any) -> Tree:
    """Have XLA compute a value once, before what reads it: fused into its readers it is computed for each.

    Fused across a change of shape, a loop over the last of many short axes is not vectorised either.
    """
    if xp is np:
        return tree
    from jax.lax import optimization_barrier

    return optimization_barrier(tree)


def _profile(bits: Array, axis: int, side: int, xp: Any) -> Array:
    """Which kinds of cell occur along one axis, as bits, [N, side]."""
    held = xp.bitwise_or.reduce(bits, axis=axis)
    return xp.pad(held, ((0, 0), (0, side - held.shape[1])))
