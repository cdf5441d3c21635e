"""Where walking leads: one search from the agent finds the first step to the nearest cell of each kind.

Boards are uint[H, N], a bit a column, the batch last (`paper.bitboards`). The search spreads from the agent
over passable cells, one step at a time; each cell remembers by which first step it was reached.
"""

import functools

import chex
import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid.paper.bitboards import any_cell
from jaxteach.worlds.minigrid.paper.paths import ahead_of, shifted
from jaxteach.worlds.minigrid.state import compute_once

AHEAD, RIGHT_HAND, BEHIND, LEFT_HAND = range(4)
"""First steps by where they lead, seen from the agent."""
NOWHERE = -1
_MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))  # rows and columns: east, south, west, north
# Of steps that are equally short: fewest turns first.
_PREFERRED = (AHEAD, RIGHT_HAND, LEFT_HAND, BEHIND)

_Search = tuple[tuple[Array, ...], Array, Array, Array]


def around(board: Array) -> Array:
    """Cells beside the cells of a board, uint[H, N]; bits beyond the width may be set."""
    return functools.reduce(jnp.bitwise_or, [shifted(board, *move) for move in _MOVES])


def first_steps(passable: Array, here: Array, direction: Array, wanted: tuple[Array, ...]) -> Array:
    """The first step of a shortest walk to a cell of each kind.

    A walk ends at the cell, or where the cell is not passable before it. Turning costs nothing here, but of
    walks of equal length one that needs no turn now is taken.

    Args:
        passable: uint[H, N], cells that can be walked on.
        here: uint[H, N], the agent's cell.
        direction: i32[N], the agent's.
        wanted: uint[H, N] each, the cells of a kind; the agent's own does not count.

    Returns:
        i32[K, N]: `AHEAD`, `RIGHT_HAND`, `BEHIND` or `LEFT_HAND`, where the first step leads; `NOWHERE` if no
        cell of the kind can be reached.
    """
    chex.assert_equal_shape([passable, here, *wanted])
    n = direction.shape[0]
    touched = [ahead_of(here, (direction + side) % 4) for side in range(4)]
    none = jnp.full((len(wanted), n), NOWHERE, jnp.int32)
    carry = (tuple(touched), here, none, jnp.ones((), bool))

    def spread(
        carry: tuple[tuple[Array, ...], Array, Array, Array],
    ) -> tuple[tuple[Array, ...], Array, Array, Array]:
        touched, visited, found, _ = carry
        steps = []
        for k, cells in enumerate(wanted):
            step = found[k]
            for side in reversed(_PREFERRED):
                hit = (found[k] == NOWHERE) & any_cell(touched[side] & cells)
                step = jnp.where(hit, side, step)
            steps.append(step)
        found = jnp.stack(steps)
        front: list[Array] = [here] * 4
        for side in _PREFERRED:
            front[side] = touched[side] & passable & ~visited
            visited = visited | front[side]
        front, visited, found = compute_once((front, visited, found))
        touched = compute_once(tuple(around(cells) & ~visited for cells in front))
        spreads = any_cell(functools.reduce(jnp.bitwise_or, front)) & jnp.any(found == NOWHERE, axis=0)
        return touched, visited, found, jnp.any(spreads)

    return jax.lax.while_loop(lambda carry: carry[3], spread, carry)[2]
