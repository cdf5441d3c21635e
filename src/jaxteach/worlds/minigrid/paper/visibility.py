"""What the agent sees: MiniGrid's visibility, the growing seen-map and memory."""

import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.state import GridState, compute_once


def first_bits(n: Array | int) -> Array:
    """The word whose n lowest bits are set; two shifts, for one by all 32 bits is undefined."""
    return (jnp.uint32(1) << jnp.asarray(n - 1).astype(jnp.uint32) << 1) - jnp.uint32(1)


def shifted(bits: Array, places: Array) -> Array:
    """Move bits up by so many places, down if negative."""
    up, down = jnp.maximum(places, 0), jnp.maximum(-places, 0)
    return bits << up.astype(jnp.uint32) >> down.astype(jnp.uint32)


def visible_rows(state: GridState, view_size: int, height: int, width: int) -> list[tuple[Array, Array]]:
    """The cells ahead of the agent that light reaches, as rows of the map.

    Light spreads row by row from the agent's cell: a visible see-through cell lights its lateral
    neighbours and, one row on, the three cells ahead (MiniGrid's `process_vis`). A row of the view is
    a word, one bit a cell in the order of the map's rows or columns; which of the two is left does
    not matter, for light spreads alike to both sides.

    Args:
        state: where the agent stands.
        view_size: V, odd.
        height: H.
        width: W.

    Returns:
        V pairs of a row of the map i32[] and its visible cells u32[], bit c for column c; rows
        may lie off the grid.
    """
    reach = view_size // 2
    in_view = first_bits(view_size)
    sideways = (state.direction == c.EAST) | (state.direction == c.WEST)
    forward = jnp.where((state.direction == c.EAST) | (state.direction == c.SOUTH), 1, -1)

    def by_axis(position: Array) -> tuple[Array, Array]:
        """Coordinates (row, column) as along the agent's heading and across it."""
        row, column = position[0], position[1]
        return jnp.where(sideways, column, row), jnp.where(sideways, row, column)

    along, across = by_axis(state.position)
    depth, breadth = by_axis(state.room)
    grid_depth, grid_breadth = by_axis(jnp.asarray([height, width]))

    def window(line: Array) -> Array:
        """The part of a line across the map, one bit a cell, that the view is as wide as."""
        low, below = jnp.maximum(across - reach, 0), jnp.maximum(reach - across, 0)
        return (line >> low.astype(jnp.uint32) << below.astype(jnp.uint32)) & in_view

    on_grid = window(first_bits(grid_breadth))
    full_wall = window(first_bits(breadth))
    two_walls = window(shifted(jnp.uint32(1), breadth - 1) | 1)
    lit = jnp.uint32(1 << reach)
    steps, views = [], []
    for f in range(view_size):
        at = along + forward * f
        in_room = (at >= 0) & (at < depth)
        wall = jnp.where((at == 0) | (at == depth - 1), full_wall, jnp.where(in_room, two_walls, 0))
        cells = jnp.where((at >= 0) & (at < grid_depth), on_grid, 0)
        clear = cells & ~wall
        for d in range(state.doors.position.shape[0]):
            door_along, door_across = by_axis(state.doors.position[d])
            place = jnp.clip(door_across - across + reach, 0, view_size)
            is_open = (state.doors.open[d] == 1) & (door_along == at) & (door_across >= across - reach)
            clear |= jnp.where(is_open, jnp.uint32(1) << place.astype(jnp.uint32), 0) & in_view
        for _ in range(view_size - 1):
            through = lit & clear
            lit |= (through << 1) | (through >> 1)
        steps.append(at)
        views.append(lit & cells)
        through = lit & clear
        lit = (through | (through << 1) | (through >> 1)) & in_view
    steps, views = compute_once((steps, views))

    # Looking up or down, a row of the view is a part of the map's row; sideways, of its column.
    places = [jnp.clip(at, 0, width - 1).astype(jnp.uint32) for at in steps]
    rows = []
    for i in range(view_size):
        turned = jnp.uint32(0)
        for view, place in zip(views, places, strict=True):
            turned |= ((view >> i) & 1) << place
        upright = shifted(views[i], across - reach)
        rows.append((jnp.where(sideways, across - reach + i, steps[i]), jnp.where(sideways, turned, upright)))
    return rows


def visible_board(state: GridState, view_size: int, width: int) -> Array:
    """The cells the agent sees now, as a board uint[H] like the seen-map."""
    height, word = state.seen.shape[0], state.seen.dtype
    board = jnp.zeros((height,), word)
    for row, cells in compute_once(visible_rows(state, view_size, height, width)):
        board |= jnp.where(jnp.arange(height) == row, cells.astype(word), 0)
    return board


def update_seen(state: GridState, key_classes: tuple[int, ...], view_size: int, width: int) -> GridState:
    """Add what is visible now to the seen-map, and refresh the teacher's memory from it.

    Args:
        state: after a step or a reset.
        key_classes: the class of each key, length K (static).
        view_size: V.
        width: W.

    Returns:
        The state with `seen` grown and `memory` holding where each seen key lies; a key that is
        held keeps the position where it last lay (reference behaviour).
    """
    state = compute_once(state)
    height, word = state.seen.shape[0], state.seen.dtype
    seen = compute_once(state.seen | visible_board(state, view_size, width))

    memory = state.memory
    best = [jnp.asarray(height * width + height, jnp.int32)] * memory.shape[0]
    for k, key_class in enumerate(key_classes):
        row, column = state.keys.position[k, 0], state.keys.position[k, 1]
        row_seen = jnp.sum(jnp.where(jnp.arange(height) == row, seen, 0), dtype=word)
        lies_seen = ((row_seen >> jnp.clip(column, 0, width - 1).astype(word)) & 1) == 1
        # Among keys of one class the first in caption order (by column, then row) is meant.
        rank = column * height + row
        nearer = (state.pocket != k) & lies_seen & (rank < best[key_class])
        best[key_class] = jnp.where(nearer, rank, best[key_class])
        remembered = jnp.where(nearer, state.keys.position[k], memory[key_class])
        memory = jnp.concatenate([memory[:key_class], remembered[None], memory[key_class + 1 :]])
    return compute_once(state.replace(seen=seen, memory=memory))


def cells_of(board: Array, width: int) -> Array:
    """Expand a board uint[H], such as the seen-map, to bool[H, W]."""
    return ((board.astype(jnp.uint32)[:, None] >> jnp.arange(width, dtype=jnp.uint32)[None, :]) & 1) == 1
