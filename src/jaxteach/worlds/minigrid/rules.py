"""MiniGrid's rules: one environment step of a batch, but for what ends a level."""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.state import State, ahead_of, compute_once


class Play(struct.PyTreeNode):
    """What an action did, for end rules to judge.

    Attributes:
        action: u8[N], as carried out.
        row: u8[N], the agent's row after the step.
        column: u8[N].
        ahead: code[N], the cell that was in front of the agent when it acted.
        noticed: code[N], the same before balls moved; None in levels without moving balls.
        ahead_row: u8[N], where that cell is.
        ahead_column: u8[N].
        held: code[N], what the agent held before.
        moved: bool[N], it entered the cell ahead.
        picked: bool[N].
        dropped: bool[N].
        opened: bool[N], a door, locked or closed, was opened.
    """

    action: Array
    row: Array
    column: Array
    ahead: Array
    noticed: Array | None
    ahead_row: Array
    ahead_column: Array
    held: Array
    moved: Array
    picked: Array
    dropped: Array
    opened: Array

    @property
    def ahead_kind(self) -> Array:
        """u8[N], the kind of the cell that was ahead."""
        return k.kind_of(self.ahead)


def read(grid: Array, height: int, width: int, row: Array, column: Array) -> Array:
    """The code at one cell of each environment; a wall beyond the grid.

    Args:
        grid: code[N, H * W].
        height: H.
        width: W.
        row: u8[N].
        column: u8[N].

    Returns:
        code[N].
    """
    on_grid = (row < height) & (column < width)
    at = row.astype(jnp.int32) * width + column
    found = jnp.take_along_axis(grid, jnp.where(on_grid, at, 0)[:, None], axis=1, mode="promise_in_bounds")
    return jnp.where(on_grid, found[:, 0], grid.dtype.type(k.WALL_CODE))


def write(grid: Array, width: int, row: Array, column: Array, codes: Array) -> Array:
    """The grid with one cell of each environment replaced; the cell must lie on the grid."""
    at = row.astype(jnp.int32) * width + column
    # One slice an environment is written in place; a scatter over flat indices costs ten times as much.
    return jax.vmap(lambda cells, i, v: jax.lax.dynamic_update_slice(cells, v[None], (i,)))(grid, at, codes)


def play(
    state: State,
    action: Array,
    noticed: Array | None,
    height: int,
    width: int,
    boxes_hold: bool,
    still: bool = False,
) -> tuple[State, Play]:
    """Carry out one action in each environment.

    Args:
        state: N environments, balls already moved.
        action: u8[N].
        noticed: code[N], what was ahead before balls moved; None in levels without moving balls.
        height: H.
        width: W.
        boxes_hold: whether codes tell what boxes hold.
        still: whether there is nothing an action could change but the agent's place.

    Returns:
        The states after, the clock one further, and what happened.
    """
    step_row, step_column = ahead_of(state.direction)
    row, column = state.row + step_row, state.column + step_column
    ahead = read(state.grid, height, width, row, column)
    ahead, row, column = compute_once((ahead, row, column))
    moved = (action == k.FORWARD) & k.is_any(k.kind_of(ahead), k.WALKABLE)
    turn = (action == k.RIGHT).astype(jnp.uint8) - (action == k.LEFT).astype(jnp.uint8)
    never = jnp.zeros_like(moved)
    happened = Play(
        action=action,
        row=jnp.where(moved, row, state.row),
        column=jnp.where(moved, column, state.column),
        ahead=ahead,
        noticed=noticed,
        ahead_row=row,
        ahead_column=column,
        held=state.carried,
        moved=moved,
        picked=never,
        dropped=never,
        opened=never,
    )
    after = state.replace(
        row=happened.row,
        column=happened.column,
        direction=(state.direction + turn) & jnp.uint8(3),
        clock=state.clock + jnp.uint16(1),
    )
    return (after, happened) if still else handle(after, happened, height, width, boxes_hold)


def handle(state: State, happened: Play, height: int, width: int, boxes_hold: bool) -> tuple[State, Play]:
    """Pick up, drop or toggle what lies ahead.

    Args:
        state: N environments, agents already moved.
        happened: what is known so far: nothing picked up, dropped or opened.
        height: H.
        width: W.
        boxes_hold: whether codes tell what boxes hold.

    Returns:
        As `play`.
    """
    code = state.grid.dtype.type
    action, ahead, kind = happened.action, happened.ahead, happened.ahead_kind
    body = ahead & code(k.COLOUR_BITS)
    picked = (action == k.PICKUP) & (state.carried == 0) & k.is_any(kind, k.PORTABLE)
    dropped = (action == k.DROP) & (state.carried != 0) & (kind == k.EMPTY)
    toggles = action == k.TOGGLE
    # The key stays in hand, and the door can never be locked again.
    fits = (state.carried & code(k.LOOKS)) == (body | code(k.KEY))
    opened = toggles & ((kind == k.CLOSED) | ((kind == k.LOCKED) & fits))
    closed = toggles & (kind == k.OPEN)
    unboxed = toggles & (kind == k.BOX)

    contents = jnp.zeros_like(ahead)
    if boxes_hold:
        contents = ahead >> 8
    left_by_box = jnp.where(contents == 0, code(k.EMPTY), contents)
    becomes = jnp.where(picked, code(k.EMPTY), ahead)
    becomes = jnp.where(dropped, state.carried, becomes)
    becomes = jnp.where(opened, body | code(k.OPEN), becomes)
    becomes = jnp.where(closed, body | code(k.CLOSED), becomes)
    becomes = jnp.where(unboxed, left_by_box, becomes)
    carried = jnp.where(picked, ahead, jnp.where(dropped, code(0), state.carried))

    # Beyond the grid nothing changes: the first cell is written back as it is.
    row, column = happened.ahead_row, happened.ahead_column
    on_grid = (row < height) & (column < width)
    at_row, at_column = jnp.where(on_grid, row, jnp.uint8(0)), jnp.where(on_grid, column, jnp.uint8(0))
    becomes = jnp.where(on_grid, becomes, state.grid[:, 0])
    at_row, at_column, becomes = compute_once((at_row, at_column, becomes))
    after = state.replace(grid=write(state.grid, width, at_row, at_column, becomes), carried=carried)
    return after, happened.replace(picked=picked, dropped=dropped, opened=opened)
