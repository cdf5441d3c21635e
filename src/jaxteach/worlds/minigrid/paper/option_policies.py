"""The options a plan is made of, as policies: explore, and what `go to` needs of the map."""

import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.bitboards import any_cell, cells_last, pack, union_of_rows
from jaxteach.worlds.minigrid.paper.paths import ahead_of, one_cell, shifted


class Boards(struct.PyTreeNode):
    """An observation as bitboards, uint[H, N] each.

    Attributes:
        seen: cells seen so far.
        passable: cells a path may use: empty, goal, lava, open doors, all seen.
        solid: walls and doors.
        things: keys, balls and boxes (a held one shows at the agent's cell).
    """

    seen: Array
    passable: Array
    solid: Array
    things: Array


def read_boards(obs: Array) -> Boards:
    """Pack observations into bitboards.

    Args:
        obs: u8[N, H, W, 4].

    Returns:
        Boards uint[H, N].
    """
    kind, _, status, _ = cells_last(obs)  # [H, W, N]
    door = kind == c.DOOR
    walkable = (kind == c.EMPTY) | (kind == c.GOAL) | (kind == c.LAVA) | (door & (status == c.OPEN))
    return Boards(
        seen=pack(kind != c.UNSEEN),
        passable=pack(walkable),
        solid=pack((kind == c.WALL) | door),
        things=pack((kind == c.KEY) | (kind == c.BALL) | (kind == c.BOX)),
    )


def known_room(solid: Array, width: int) -> tuple[Array, Array]:
    """The known room's edges: [0, edge) along columns and along rows.

    An edge is found where two neighbouring wall or door cells of it have been seen; else it is
    the grid's (reference behaviour of `explore`).

    Args:
        solid: uint[H, N], seen walls and doors.
        width: W.

    Returns:
        The column edge and the row edge, i32[N] each.
    """
    height, word = solid.shape[0], solid.dtype
    inner_columns = jnp.asarray(((1 << (width - 1)) - 1) & ~1, word)
    below = shifted(solid, -1, 0)
    stacked = (solid & below & inner_columns)[1 : height - 1]  # rows 1..H-2
    columns = union_of_rows(stacked)
    lowest = columns & (~columns + 1)
    # The index of a lone bit is how many bits lie below it.
    column_edge = jnp.where(columns != 0, jnp.bitwise_count(lowest - 1).astype(jnp.int32) + 1, width)

    beside = solid & (solid >> 1) & inner_columns
    has_pair = beside[1 : height - 1] != 0  # rows 1..H-2
    first = jnp.argmax(has_pair, axis=0).astype(jnp.int32) + 1
    row_edge = jnp.where(jnp.any(has_pair, axis=0), first + 1, height)
    return column_edge, row_edge


def explore(boards: Boards, row: Array, column: Array, direction: Array, width: int) -> tuple[Array, Array]:
    """Look for unseen cells: ahead, then left, right and behind.

    Args:
        boards: the map, uint[H, N].
        row: i32[N], the agent's.
        column: i32[N].
        direction: i32[N].
        width: W.

    Returns:
        The action i32[N], and where exploring hands over because nothing is left, bool[N].
    """
    height, word = boards.seen.shape[0], boards.seen.dtype
    assert height <= jnp.iinfo(word).bits, "a word holds a column of the map, too"
    here = one_cell(row, column, height, word)
    blocked_ahead = any_cell(ahead_of(here, direction) & boards.things)
    left_cell = ahead_of(here, (direction + 3) & 3)
    blocked_left = any_cell(left_cell & (boards.solid | boards.things))

    column_edge, row_edge = known_room(boards.solid, width)
    rows = jnp.arange(height)[:, None]
    # Two shifts, for a shift by the word's full width is undefined.
    all_columns = (jnp.ones((), word) << (column_edge - 1).astype(word) << 1) - jnp.ones((), word)
    unseen = jnp.where(rows < row_edge[None, :], ~boards.seen & all_columns[None, :], 0)

    # One word of the columns that have an unseen cell and one of the rows: in these all directions are alike.
    columns_left = union_of_rows(unseen)  # [N]
    rows_left = union_of_rows(jnp.where(unseen != 0, jnp.ones((), word) << rows.astype(word), 0))  # [N]

    def beyond(d: int, distance: int) -> Array:
        """Unseen cells at least `distance` from the agent in compass direction d, bool[N]."""
        at, left = (column, columns_left) if d in (c.EAST, c.WEST) else (row, rows_left)
        bit = jnp.ones((), word) << at.astype(word)
        if d in (c.EAST, c.SOUTH):
            nearer = (bit << (distance - 1) << 1) - jnp.ones((), word)  # below at + distance
            return (left & ~nearer) != 0
        upto = (bit >> (distance - 1)) - jnp.ones((), word)  # at most at - distance
        return (at >= distance) & ((left & upto) != 0)

    near, far = ([beyond(d, distance) for d in range(4)] for distance in (1, 2))

    def relative(turn: int, compass: list[Array]) -> Array:
        """What holds in the direction the agent would face after `turn` right turns."""
        want = (direction + turn) & 3
        answers = [(want == d) & compass[d] for d in range(4)]
        return answers[0] | answers[1] | answers[2] | answers[3]

    forward, left, right, behind = relative(0, far), relative(3, far), relative(1, far), relative(2, near)
    action = jnp.where(right, c.RIGHT, c.LEFT)  # behind: turn left
    action = jnp.where(left, c.LEFT, action)
    action = jnp.where(forward, c.FORWARD, action)
    action = jnp.where(blocked_ahead, jnp.where(blocked_left, c.RIGHT, c.LEFT), action)
    hands_over = ~(blocked_ahead | forward | left | right | behind)
    return action, hands_over
