"""What a student reads from an observation; the same code runs on JAX arrays and on NumPy's."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxteach.utils.json_file import typed
from jaxteach.worlds.minigrid.paper import constants as c

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


@dataclass(frozen=True)
class Egocentric:
    """The seen-map in the agent's frame, one-hot; see `egocentric`."""

    view: View

    @property
    def size(self) -> int:
        """F, numbers a student reads."""
        return n_egocentric(self.view)

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,)."""
        return (self.size,)

    @property
    def observed(self) -> tuple[int, ...]:
        """(H, W, 4)."""
        return (self.view.height, self.view.width, 4)

    def read(self, obs: Array, xp: Any) -> Array:
        """u8[N, H, W, 4] to u8[N, F]."""
        return egocentric(obs, self.view, xp)

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return {"reader": "egocentric", **dataclasses.asdict(self.view)}


@dataclass(frozen=True)
class RawMap:
    """The observation as it is: what the reference's network reads."""

    view: View

    @property
    def size(self) -> int:
        """F = H * W * 4."""
        return self.view.height * self.view.width * 4

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 4)."""
        return (self.view.height, self.view.width, 4)

    @property
    def observed(self) -> tuple[int, ...]:
        """(H, W, 4)."""
        return (self.view.height, self.view.width, 4)

    def read(self, obs: Array, xp: Any) -> Array:
        """u8[N, H, W, 4] to u8[N, F]."""
        del xp
        return obs.reshape(obs.shape[0], -1)

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return {"reader": "raw_map", **dataclasses.asdict(self.view)}


def cell_bits(obs: Array, view: View, xp: Any) -> Array:
    """The kind of every cell as a bit: one for each class, none for unseen.

    Args:
        obs: u8[..., H, W, 4].
        view: the task's view, with at most 8 classes.
        xp: jax.numpy or numpy.

    Returns:
        u8[..., H, W], 1 << (class - 1): class 1 empty, 2 wall, 3 door, 4 lava, 5 + k a key of class k.
    """
    assert view.n_classes <= 8, "a byte has no bit for more kinds of cell"
    kind, colour = obs[..., 0], obs[..., 1]
    classes = [kind == wanted for wanted in (c.EMPTY, c.WALL, c.DOOR, c.LAVA)]
    classes += [(kind == c.KEY) & ((colour == key) | (key is None)) for key in view.key_colours]
    bits = xp.zeros_like(kind)
    for i, of_class in enumerate(classes):
        bits = bits | xp.where(of_class, np.uint8(1 << i), np.uint8(0))
    return bits


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

    All kinds of a cell or of a line travel in one byte, from the map into the agent's frame, and
    become inputs only there: a gathered element costs XLA's CPU code a nanosecond, whatever its size.

    Args:
        obs: u8[N, H, W, 4].
        view: the task's view.
        xp: jax.numpy or numpy.

    Returns:
        u8[N, n_egocentric(view)].
    """
    n, height, width = obs.shape[:3]
    side = max(height, width)
    bits = once(cell_bits(obs, view, xp), xp)  # [N, H, W]
    row, column, direction = (x[:, None] for x in once(pose(obs, xp), xp))  # [N, 1]
    ahead_row = (direction == c.SOUTH) * 1 - (direction == c.NORTH) * 1
    ahead_column = (direction == c.EAST) * 1 - (direction == c.WEST) * 1
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
    reach = np.arange(-view.radius, view.radius + 1).reshape(1, -1)
    ahead_at = xp.where(upright, row, column) + reach * (ahead_row + ahead_column)  # [N, 2 R + 1]
    beside_at = xp.where(upright, column, row) + reach * (right_row + right_column)
    near_within = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    far_within = [(at >= 0) & (at < side) for at in (ahead_at, beside_at)]
    within = xp.concatenate([near_within, *far_within], axis=1)  # [N, cells and lines]
    start = height * width
    at = xp.concatenate([rows * width + columns, start + ahead_at, start + side + beside_at], axis=1)
    within, at = once((within, xp.where(within, at, 0)), xp)

    seen = once(xp.where(within, xp.take_along_axis(words, at, axis=1), np.uint8(0)), xp)
    kinds = (1 << np.arange(view.n_classes)).astype(np.uint8).reshape(1, 1, -1)
    present = once(((seen[..., None] & kinds) != 0).astype(xp.uint8), xp)
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
    """Which kinds of cell occur along one axis, u8[N, side]."""
    held = xp.bitwise_or.reduce(bits, axis=axis)
    return xp.pad(held, ((0, 0), (0, side - held.shape[1])))


def n_egocentric(view: View) -> int:
    """How many features `egocentric` gives."""
    return ((2 * NEAR + 1) ** 2 + 2 * (2 * view.radius + 1)) * view.n_classes


def restore(described: dict[str, Any], place: str) -> Egocentric | RawMap:
    """Features as config.json describes them.

    Args:
        described: from `described`.
        place: what to call it in messages.

    Raises:
        UserError: a field is missing, unknown or of another type.
    """
    view = typed(View, {name: value for name, value in described.items() if name != "reader"}, place)
    return RawMap(view) if described["reader"] == "raw_map" else Egocentric(view)
