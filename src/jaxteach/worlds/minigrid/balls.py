"""Balls that move by themselves (Farama's Dynamic-Obstacles)."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.state import State, compute_once

AROUND = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0))
# Farama draws among the 9 cells around a ball, its own and taken ones rejected, and gives up after 101
# draws. With one free cell that happens with probability (8/9)**101 = 6.8e-6, with two 1e-11: left out.
TRIES = 101
GIVES_UP = round((8 / 9) ** TRIES * 2**24)


def move(state: State, words: Array, height: int, width: int) -> State:
    """Move every ball in turn to a uniform empty cell around it, if there is one.

    The room must be empty but for its walls, the goal in the lower right corner, the agent and the balls.

    Args:
        state: N environments.
        words: u32[N, 2], random.
        height: H.
        width: W.

    Returns:
        The states after.
    """
    assert state.ball_rows is not None and state.ball_columns is not None
    draws = Draws(words.T)
    by_row, by_column = (
        jnp.asarray(np.array(steps) % 256, jnp.uint8)[:, None] for steps in zip(*AROUND, strict=True)
    )
    rows, columns = compute_once((state.ball_rows.T, state.ball_columns.T))  # [B, N]
    for i in range(rows.shape[0]):
        # The cells around, [8, N]; u8 wraps, so that what lies beyond the grid is far off.
        row, column = compute_once((rows[i][None] + by_row, columns[i][None] + by_column))
        inside = (row >= 1) & (row < height - 1) & (column >= 1) & (column < width - 1)
        taken = (row == state.row[None]) & (column == state.column[None])
        taken = taken | ((row == height - 2) & (column == width - 2))
        taken = taken | jnp.any((row[:, None] == rows[None]) & (column[:, None] == columns[None]), axis=1)
        free = compute_once((inside & ~taken).astype(jnp.uint8))
        n_free = jnp.sum(free, axis=0, dtype=jnp.uint8)
        rank = draws.below(jnp.maximum(n_free, 1).astype(jnp.int32)).astype(jnp.uint8)
        stays = (n_free == 0) | ((n_free == 1) & ((draws.bits() >> 8) < GIVES_UP))
        before = jnp.stack([jnp.sum(free[:c], axis=0, dtype=jnp.uint8) for c in range(len(AROUND))])
        chosen = (free == 1) & (before == rank[None]) & ~stays[None]
        new_row = rows[i] + jnp.sum(jnp.where(chosen, by_row, jnp.uint8(0)), axis=0, dtype=jnp.uint8)
        new_column = columns[i] + jnp.sum(jnp.where(chosen, by_column, jnp.uint8(0)), axis=0, dtype=jnp.uint8)
        rows, columns = compute_once((rows.at[i].set(new_row), columns.at[i].set(new_column)))
    return put(state, rows.T, columns.T, width)


def put(state: State, rows: Array, columns: Array, width: int) -> State:
    """The states with their balls at given places, rows and columns u8[N, B]; all are blue."""
    assert state.ball_rows is not None and state.ball_columns is not None

    def index(row: Array, column: Array) -> Array:
        return row.astype(jnp.int32) * width + column

    n = jnp.arange(rows.shape[0])[:, None]
    old, new = index(state.ball_rows, state.ball_columns), index(rows, columns)
    grid = state.grid.at[n, old].set(jnp.uint8(k.EMPTY), mode="promise_in_bounds")
    grid = grid.at[n, new].set(jnp.uint8(k.code(k.BALL, k.BLUE)), mode="promise_in_bounds")
    return state.replace(grid=grid, ball_rows=rows, ball_columns=columns)
