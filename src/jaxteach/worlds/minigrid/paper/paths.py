"""Shortest paths over (cell, direction) on bitboards: a breadth-first search for many maps at once.

A board is uint[H, N]: word r of map n holds row r, one bit a column. The batch is the last axis, so
that shifting a row is a shift of words and moving between rows a slice of the first axis; both
vectorise, where a gather per cell would not.
"""

import chex
import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid.paper.bitboards import any_cell
from jaxteach.worlds.minigrid.paper.constants import DONE, FORWARD, LEFT, RIGHT
from jaxteach.worlds.minigrid.paper.state import compute_once

Boards = tuple[Array, ...]  # four boards uint[H, N], one a direction: east, south, west, north


def one_cell(row: Array, column: Array, height: int, word: jnp.dtype) -> Array:
    """A board with one cell set, empty where the cell lies off the board.

    Args:
        row: i32[N].
        column: i32[N].
        height: H.
        word: unsigned type of the board.

    Returns:
        uint[H, N].
    """
    on_row = jnp.arange(height)[:, None] == row[None, :]
    bit = jnp.ones((), word) << jnp.clip(column, 0, None).astype(word)
    return jnp.where(on_row & (column >= 0)[None, :], bit[None, :], 0).astype(word)


def shifted(board: Array, rows: int, columns: int) -> Array:
    """Move every cell of a board; what leaves the board is lost.

    Args:
        board: uint[H, N].
        rows: -1, 0 or 1 downwards.
        columns: -1, 0 or 1 to the right (bits beyond the width must be masked by the caller).

    Returns:
        uint[H, N].
    """
    if columns:
        board = board << 1 if columns > 0 else board >> 1
    if rows:
        edge = jnp.zeros_like(board[:1])
        board = jnp.concatenate([edge, board[:-1]] if rows > 0 else [board[1:], edge])
    return board


def _union(boards: list[Array]) -> Array:
    """Cells set in any of four boards."""
    return (boards[0] | boards[1]) | (boards[2] | boards[3])


def _before(boards: Boards) -> Boards:
    """For poses in each direction, the cell one step back: where a forward move came from."""
    east, south, west, north = boards
    return shifted(east, 0, -1), shifted(south, -1, 0), shifted(west, 0, 1), shifted(north, 1, 0)


def first_action(
    passable: Array, row: Array, column: Array, direction: Array, target_row: Array, target_column: Array
) -> Array:
    """The first action of a shortest path to a pose beside the target, facing it.

    Left, right and forward cost one each; the start cell need not be passable. The search runs
    backwards from the target and stops, for each map, when it meets a pose one action away. Among
    equally short paths forward is preferred, then left, then right.

    Args:
        passable: uint[H, N], cells one may walk on (unseen cells are not passable).
        row: i32[N], the agent's.
        column: i32[N].
        direction: i32[N].
        target_row: i32[N]; -1 for no target.
        target_column: i32[N].

    Returns:
        i32[N]: left, right or forward; done (6) where there is no path. Meaningless where the
        agent already stands beside the target and faces it.
    """
    chex.assert_rank([passable, row], [2, 1])
    chex.assert_equal_shape([row, column, direction, target_row, target_column])
    height, word = passable.shape[0], passable.dtype
    here = one_cell(row, column, height, word)
    there = one_cell(target_row, target_column, height, word)
    open_cells = passable | here

    # Poses one action away from the agent, as boards by direction.
    ahead = ahead_of(here, direction)
    turned = {LEFT: (direction + 3) & 3, RIGHT: (direction + 1) & 3}
    next_poses = tuple(
        jnp.where(turned[LEFT] == d, here, 0)
        | jnp.where(turned[RIGHT] == d, here, 0)
        | jnp.where(direction == d, ahead & passable, 0)
        for d in range(4)
    )
    open_cells, next_poses = compute_once((open_cells, next_poses))
    goals = tuple(pose & open_cells for pose in _before((there, there, there, there)))

    def met(reached: Boards) -> Array:
        return any_cell(_union([board & near for board, near in zip(reached, next_poses, strict=True)]))

    def grow(carry: tuple[Boards, Array, Array]) -> tuple[Boards, Array, Array]:
        reached, ended, _ = carry
        # A map whose search has ended admits no new cell: its boards stay as they were.
        admitted = jnp.where(ended[None, :], 0, open_cells)
        east, south, west, north = reached
        stepped = _before((east & open_cells, south & open_cells, west & open_cells, north & open_cells))
        turns = (south | north, east | west, south | north, east | west)
        grown = compute_once(
            tuple(
                board | ((step | turn) & admitted)
                for board, step, turn in zip(reached, stepped, turns, strict=True)
            )
        )
        grew = any_cell(_union([new ^ old for new, old in zip(grown, reached, strict=True)]))
        found = met(grown)
        return grown, found | ~grew, found

    found = met(goals)
    search = (goals, found, found)
    reached, _, found = jax.lax.while_loop(lambda carry: ~jnp.all(carry[1]), grow, search)

    def reaches(want: Array, cell: Array) -> Array:
        return any_cell(_union([jnp.where(want == d, reached[d] & cell, 0) for d in range(4)]))

    action = jnp.where(reaches(turned[LEFT], here), LEFT, RIGHT)
    action = jnp.where(reaches(direction, ahead & passable), FORWARD, action)
    return jnp.where(found, action, DONE)


def ahead_of(here: Array, direction: Array) -> Array:
    """The board of the cell right ahead, uint[H, N]."""
    moves = ((0, 1), (1, 0), (0, -1), (-1, 0))
    boards = [jnp.where(direction == d, shifted(here, *move), 0) for d, move in enumerate(moves)]
    return boards[0] | boards[1] | boards[2] | boards[3]
