"""The state of a door/key task: what MiniGrid's rules, the seen-map and the teacher's memory need."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.worlds.minigrid.paper.constants import EAST, NORTH, SOUTH, WEST

OFF_GRID = (0, -1)
"""Where a held key lies: no cell."""
EMPTY_HANDED = -1
"""The pocket that holds nothing."""


class Keys(struct.PyTreeNode):
    """The keys of a room; a held one lies at `OFF_GRID`.

    Attributes:
        position: i32[K, 2], (row, column).
        colour: i32[K].
    """

    position: Array
    colour: Array


class Doors(struct.PyTreeNode):
    """The doors of a room, in caption order.

    Attributes:
        position: i32[D, 2], (row, column).
        colour: i32[D].
        open: i32[D], 1 where it stands open, else it is locked.
    """

    position: Array
    colour: Array
    open: Array


class GridState(struct.PyTreeNode):
    """One environment.

    Attributes:
        room: i32[2], rows and columns of the room, walls included.
        position: i32[2], the agent's (row, column).
        direction: i32[], the agent's direction.
        pocket: i32[], index of the key held, or `EMPTY_HANDED`.
        keys: the keys.
        doors: the doors.
        lava: i32[L, 2], the lava cells (L = 0 in tasks without lava).
        seen: uint[H], the seen-map as bitboards: bit c of word r is the cell at row r, column c.
        memory: i32[C, 2], where a key of each class was last seen lying (row, column); -1 if never.
        clock: i32[], environment steps taken in this episode.
    """

    room: Array
    position: Array
    direction: Array
    pocket: Array
    keys: Keys
    doors: Doors
    lava: Array
    seen: Array
    memory: Array
    clock: Array


def compute_once[Tree](tree: Tree) -> Tree:
    """Barrier: otherwise XLA recomputes the value in every consumer, at worst once a cell of the map."""
    return jax.lax.optimization_barrier(tree)


def heading(direction: Array) -> tuple[Array, Array]:
    """One step's offset in rows and in columns.

    Args:
        direction: i32[...], 0 east, 1 south, 2 west, 3 north.

    Returns:
        i32[...] each. Rows and columns are kept apart while computing: an axis of two does not
        vectorise.
    """
    rows = (direction == SOUTH).astype(jnp.int32) - (direction == NORTH).astype(jnp.int32)
    columns = (direction == EAST).astype(jnp.int32) - (direction == WEST).astype(jnp.int32)
    return rows, columns


def is_at(positions: Array, row: Array, column: Array) -> Array:
    """Which positions i32[n, 2] are the cell at row i32[], column i32[]: bool[n]."""
    return (positions[:, 0] == row) & (positions[:, 1] == column)


def on_wall(room: Array, row: Array, column: Array) -> Array:
    """Whether cells belong to the room's outer wall (doors included).

    Args:
        room: i32[2].
        row: i32[...].
        column: i32[...], same shape as row or broadcastable to it.

    Returns:
        bool[...].
    """
    within = (row >= 0) & (column >= 0) & (row < room[0]) & (column < room[1])
    edge = (row == 0) | (column == 0) | (row == room[0] - 1) | (column == room[1] - 1)
    return within & edge


def make_state(
    *,
    room: Array,
    position: Array,
    direction: Array,
    key_positions: Array,
    key_colours: Array,
    door_positions: Array,
    door_colours: Array,
    lava: Array,
    n_key_classes: int,
    height: int,
    word: jnp.dtype,
) -> GridState:
    """Build the state an episode starts from, before anything has been seen.

    Args:
        room: i32[2].
        position: i32[2], the agent's (row, column).
        direction: i32[].
        key_positions: i32[K, 2].
        key_colours: i32[K].
        door_positions: i32[D, 2], in caption order (by column, then row).
        door_colours: i32[D].
        lava: i32[L, 2].
        n_key_classes: C, the rows of the teacher's memory.
        height: H, the rows of the seen-map.
        word: unsigned integer type of the seen-map, at least as many bits as columns.

    Returns:
        The state, with an all-false seen-map.
    """
    return GridState(
        room=room,
        position=position,
        direction=direction,
        pocket=jnp.asarray(EMPTY_HANDED, jnp.int32),
        keys=Keys(key_positions, key_colours.astype(jnp.int32)),
        doors=Doors(door_positions, door_colours.astype(jnp.int32), jnp.zeros(door_colours.shape, jnp.int32)),
        lava=lava,
        seen=jnp.zeros((height,), word),
        memory=jnp.full((n_key_classes, 2), -1, jnp.int32),
        clock=jnp.zeros((), jnp.int32),
    )
