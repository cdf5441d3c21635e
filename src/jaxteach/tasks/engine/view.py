"""What the agent sees: MiniGrid's visibility, the growing seen-map, memory and observation."""

import jax.numpy as jnp
from jax import Array

from jaxteach.tasks.engine import constants as c
from jaxteach.tasks.engine.state import GridState, direction_vector, on_wall


def _is_at(position: Array, row: Array, column: Array) -> Array:
    """Where a grid of cells equals one position: bool, the shape row and column broadcast to."""
    return (row == position[0]) & (column == position[1])


def visible_cells(state: GridState, view_size: int, height: int, width: int) -> tuple[Array, Array, Array]:
    """The view ahead of the agent, and which of its cells light reaches.

    Light spreads row by row from the agent's cell: a visible see-through cell lights its lateral
    neighbours and, one row on, the three cells ahead (MiniGrid's `process_vis`).

    Args:
        state: where the agent stands.
        view_size: V, odd.
        height: H.
        width: W.

    Returns:
        Rows i32[V, V], columns i32[V, V] (forward offset, lateral offset from left to right; cells
        may lie off the grid) and visible bool[V, V], false off the grid.
    """
    forward = jnp.arange(view_size)[:, None]  # [V, 1]
    lateral = jnp.arange(view_size)[None, :] - view_size // 2  # [1, V]
    ahead = direction_vector(state.direction)
    right = direction_vector((state.direction + 1) & 3)
    row = state.position[0] + forward * ahead[0] + lateral * right[0]  # [V, V]
    column = state.position[1] + forward * ahead[1] + lateral * right[1]

    on_grid = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    clear = on_grid & ~on_wall(state.room, row, column)
    for d in range(state.doors.position.shape[0]):
        clear |= _is_at(state.doors.position[d], row, column) & (state.doors.open[d] == 1)

    lit_row = jnp.arange(view_size) == view_size // 2  # [V]
    rows_lit = []
    for f in range(view_size):
        passes = clear[f]
        for _ in range(view_size - 1):
            lit_row |= _left(lit_row & passes) | _right(lit_row & passes)
        rows_lit.append(lit_row)
        through = lit_row & passes
        lit_row = through | _left(through) | _right(through)
    return row, column, jnp.stack(rows_lit) & on_grid


def _left(row: Array) -> Array:
    """Shift bool[V] one place towards index 0."""
    return jnp.concatenate([row[1:], jnp.zeros((1,), bool)])


def _right(row: Array) -> Array:
    """Shift bool[V] one place away from index 0."""
    return jnp.concatenate([jnp.zeros((1,), bool), row[:-1]])


def look(state: GridState, key_classes: tuple[int, ...], view_size: int, width: int) -> GridState:
    """Add what is visible now to the seen-map, and refresh the teacher's memory from it.

    Args:
        state: after a transition or a reset.
        key_classes: the class of each key, length K (static).
        view_size: V.
        width: W.

    Returns:
        The state with `seen` grown and `memory` holding where each seen key lies; a key that is
        held keeps the position where it last lay (reference behaviour).
    """
    height, word = state.seen.shape[0], state.seen.dtype
    row, column, visible = visible_cells(state, view_size, height, width)
    bit = jnp.where(visible, jnp.ones((), word) << jnp.clip(column, 0, width - 1).astype(word), 0)
    in_row = row[None] == jnp.arange(height)[:, None, None]  # [H, V, V]
    # Every (row, column) occurs once in the view, so the sum of its bits is their union.
    seen = state.seen | jnp.sum(jnp.where(in_row, bit[None], 0), axis=(1, 2), dtype=word)

    memory = state.memory
    best = [jnp.asarray(height * width + height, jnp.int32)] * memory.shape[0]
    for k, key_class in enumerate(key_classes):
        lies_at = state.keys.position[k]
        held = state.pocket == k
        in_key_row = jnp.arange(height) == lies_at[0]
        row_seen = jnp.sum(jnp.where(in_key_row, seen, 0), dtype=word)
        known = ~held & (((row_seen >> jnp.clip(lies_at[1], 0, width - 1).astype(word)) & 1) == 1)
        # Among keys of one class the first in caption order (by column, then row) is meant.
        rank = lies_at[1] * height + lies_at[0]
        nearer = known & (rank < best[key_class])
        best[key_class] = jnp.where(nearer, rank, best[key_class])
        remembered = jnp.where(nearer, lies_at, memory[key_class])
        memory = jnp.concatenate([memory[:key_class], remembered[None], memory[key_class + 1 :]])
    return state.replace(seen=seen, memory=memory)


def true_grid(state: GridState, height: int, width: int) -> tuple[Array, Array, Array]:
    """The whole grid, unmasked and without the agent.

    Args:
        state: any state.
        height: H.
        width: W.

    Returns:
        Object, colour and state channels, each i32[H, W]; cells outside the room are empty.
    """
    row, column = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
    wall = on_wall(state.room, row, column)  # [H, W]
    kind = jnp.where(wall, c.WALL, c.EMPTY)
    colour = jnp.where(wall, c.GREY, 0)
    status = jnp.zeros((height, width), jnp.int32)
    for i in range(state.lava.shape[0]):
        kind = jnp.where(_is_at(state.lava[i], row, column), c.LAVA, kind)
    for k in range(state.keys.position.shape[0]):
        here = _is_at(state.keys.position[k], row, column)
        kind = jnp.where(here, c.KEY, kind)
        colour = jnp.where(here, state.keys.colour[k].astype(jnp.int32), colour)
    for d in range(state.doors.position.shape[0]):
        here = _is_at(state.doors.position[d], row, column)
        kind = jnp.where(here, c.DOOR, kind)
        colour = jnp.where(here, state.doors.colour[d].astype(jnp.int32), colour)
        status = jnp.where(here, jnp.where(state.doors.open[d] == 1, c.OPEN, c.LOCKED), status)
    return kind, colour, status


def observe(state: GridState, width: int) -> Array:
    """The observation: the seen-map with current contents, what is held, and the agent.

    Args:
        state: after `look`.
        width: W.

    Returns:
        u8[H, W, 4]: object, colour, state (0, 0, 0 where unseen; the agent's cell shows what is
        held, else empty) and the agent's direction at its cell, 4 elsewhere.
    """
    height = state.seen.shape[0]
    row, column = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
    kind, colour, status = true_grid(state, height, width)
    held_colour = jnp.sum(jnp.where(state.keys.id == state.pocket, state.keys.colour.astype(jnp.int32), 0))
    holding = state.pocket >= 0
    here = _is_at(state.position, row, column)  # [H, W]
    kind = jnp.where(here, jnp.where(holding, c.KEY, c.EMPTY), kind)
    colour = jnp.where(here, jnp.where(holding, held_colour, 0), colour)
    status = jnp.where(here, 0, status)
    seen = seen_map(state.seen, width)
    agent = jnp.where(here, state.direction, c.NO_AGENT)
    channels = [jnp.where(seen, channel, 0) for channel in (kind, colour, status)]
    return jnp.stack([*channels, agent], axis=-1).astype(jnp.uint8)  # [H, W, 4]


def seen_map(seen: Array, width: int) -> Array:
    """Expand bitboards uint[H] to bool[H, W]."""
    return ((seen[:, None] >> jnp.arange(width, dtype=seen.dtype)[None, :]) & 1) == 1
