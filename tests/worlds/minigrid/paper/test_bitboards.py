"""Tests of bitboards: cells by hand, and against NumPy on random maps."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.worlds.minigrid.paper.bitboards import any_cell, cells_last, first_cell, pack, union_of_rows


def random_cells(height, width, n, share, seed):
    """bool[H, W, N]."""
    return np.random.default_rng(seed).random((height, width, n)) < share


def test_channels_by_hand():
    obs = np.arange(2 * 3 * 5 * 4, dtype=np.uint8).reshape(2, 3, 5, 4)
    for channel, cells in enumerate(jax.jit(cells_last)(obs)):
        assert cells.dtype == np.uint32
        np.testing.assert_array_equal(cells, np.moveaxis(obs[..., channel], 0, -1))


@pytest.mark.parametrize(
    ("width", "word"), [(3, np.uint16), (16, np.uint16), (17, np.uint32), (20, np.uint32)]
)
def test_a_row_is_a_word(width, word):
    cells = np.zeros((2, width, 1), bool)
    cells[1, 0] = cells[1, width - 1] = True
    board = pack(cells)
    assert board.dtype == word
    assert np.asarray(board)[:, 0].tolist() == [0, 1 | 1 << (width - 1)]


def test_the_first_cell_is_the_westernmost_then_the_northernmost():
    cells = np.zeros((4, 5, 1), bool)
    cells[0, 3] = cells[3, 2] = cells[2, 2] = True
    board, found = pack(cells), []
    for _ in range(4):
        row, column, board = first_cell(board)
        found.append((int(row[0]), int(column[0])))
    assert found == [(2, 2), (3, 2), (0, 3), (-1, -1)]
    assert not any_cell(board)[0]


@pytest.mark.unoptimised
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_boards_say_what_maps_say(height, width, share, seed):
    cells = random_cells(height, width, 3, share, seed)
    board = pack(cells)
    np.testing.assert_array_equal(any_cell(board), cells.any((0, 1)))
    columns = (np.asarray(union_of_rows(board)) >> np.arange(width)[:, None]) & 1
    np.testing.assert_array_equal(columns, cells.any(0))
    row, column, rest = first_cell(board)
    for n in range(3):
        ranked = sorted((q, r) for r, q in np.argwhere(cells[..., n]).tolist())
        assert (int(column[n]), int(row[n])) == (ranked[0] if ranked else (-1, -1))
        if ranked:
            cells[ranked[0][1], ranked[0][0], n] = False
    np.testing.assert_array_equal(rest, pack(cells))
