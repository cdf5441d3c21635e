"""Observations as bitboards: many maps side by side, each row of a map one word.

A board is uint[H, N]: word r of map n holds row r, one bit a column. The batch is the last axis: so a
reduction over the cells of a map becomes a few operations on whole vectors, where XLA compiles a
reduction along ten cells to scalar code.
"""

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid.paper.state import compute_once


def cells_last(obs: Array) -> tuple[Array, Array, Array, Array]:
    """The channels of a batch of observations, the batch as the last axis.

    Args:
        obs: u8[N, H, W, 4].

    Returns:
        Object, colour, state and direction of every cell, u32[H, W, N] each.
    """
    chex.assert_rank(obs, 4)
    n, height, width, _ = obs.shape
    # One 32-bit word a cell: [N, H, W, 4] -> [N, H * W] -> [H, W, N]
    words = jax.lax.bitcast_convert_type(obs, jnp.uint32).reshape(n, height * width)
    cells = compute_once(words.T).reshape(height, width, n)
    return cells & 255, (cells >> 8) & 255, (cells >> 16) & 255, cells >> 24


def word_of(width: int) -> type[np.unsignedinteger[Any]]:
    """The smallest of our types that holds a row of a map."""
    return np.uint16 if width <= 16 else np.uint32


def pack(cells: Array) -> Array:
    """A board of chosen cells: uint[H, N] from bool[H, W, N]."""
    width = cells.shape[1]
    word = word_of(width)
    bits = [jnp.where(cells[:, i], word(1 << i), word(0)) for i in range(width)]
    return functools.reduce(jnp.bitwise_or, bits)


def union_of_rows(board: Array) -> Array:
    """Columns in which any cell of a board is set: uint[N] from uint[H, N].

    Row by row, for XLA does not vectorise a reduction over the first axis on CPU.
    """
    return functools.reduce(jnp.bitwise_or, list(board))


def any_cell(board: Array) -> Array:
    """Whether any cell of a board is set: bool[N] from uint[H, N]."""
    return union_of_rows(board) != 0


def first_cell(board: Array) -> tuple[Array, Array, Array]:
    """The first cell of a board in caption order: the westernmost, and of those the northernmost.

    Args:
        board: uint[H, N].

    Returns:
        Its row and column, i32[N] each, -1 without one, and the board without it.
    """
    height = board.shape[0]
    columns = union_of_rows(board)
    lowest = columns & (~columns + 1)
    row = jnp.full(columns.shape, -1, jnp.int32)
    for r in reversed(range(height)):
        row = jnp.where((board[r] & lowest) != 0, r, row)
    # The index of a lone bit is how many bits lie below it.
    column = jnp.where(columns != 0, jnp.bitwise_count(lowest - 1).astype(jnp.int32), -1)
    there = jnp.arange(height)[:, None] == row[None, :]
    return row, column, jnp.where(there, board & ~lowest[None, :], board)
