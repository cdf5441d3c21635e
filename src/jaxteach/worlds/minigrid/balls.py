"""Balls that move by themselves (Farama's Dynamic-Obstacles)."""

import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.state import State, compute_once

AROUND = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0))
# Farama draws among the 9 cells around a ball, its own and taken ones rejected, and gives up after 101 draws. With
# one free cell that happens with probability (8/9)**101 = 6.8e-6, with two 1e-11: the latter is left out.
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
    n_balls = state.ball_rows.shape[1]
    rows = [state.ball_rows[:, i] for i in range(n_balls)]
    columns = [state.ball_columns[:, i] for i in range(n_balls)]
    rows, columns = compute_once((rows, columns))
    for i in range(n_balls):
        free = []
        for by_row, by_column in AROUND:
            row = rows[i] + jnp.uint8(by_row % 256)
            column = columns[i] + jnp.uint8(by_column % 256)
            inside = (row >= 1) & (row < height - 1) & (column >= 1) & (column < width - 1)
            taken = (row == state.row) & (column == state.column)
            taken = taken | ((row == height - 2) & (column == width - 2))
            for j in range(n_balls):
                if j != i:
                    taken = taken | ((row == rows[j]) & (column == columns[j]))
            free.append((inside & ~taken).astype(jnp.uint8))
        free = compute_once(free)
        n_free = sum(free[1:], free[0])
        rank = draws.below(jnp.maximum(n_free, 1).astype(jnp.int32)).astype(jnp.uint8)
        stays = (n_free == 0) | ((n_free == 1) & ((draws.bits() >> 8) < GIVES_UP))
        before = jnp.zeros_like(rank)
        row, column = rows[i], columns[i]
        for (by_row, by_column), is_free in zip(AROUND, free, strict=True):
            chosen = (is_free == 1) & (before == rank) & ~stays
            row = jnp.where(chosen, rows[i] + jnp.uint8(by_row % 256), row)
            column = jnp.where(chosen, columns[i] + jnp.uint8(by_column % 256), column)
            before = before + is_free
        rows[i], columns[i] = compute_once((row, column))
    return put(state, jnp.stack(rows, axis=1), jnp.stack(columns, axis=1), width)


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
