"""The square before the agent, by both ways of cutting it out, against a padded and turned NumPy array."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.worlds.minigrid import cut as cutting
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.cut import cut
from jaxteach.worlds.minigrid.state import start


def turned(grid, row, column, direction, size):
    """code[V, V]: ahead along axis 0, from left to right along axis 1."""
    beyond = np.pad(grid, size, constant_values=k.WALL_CODE)
    around = beyond[row + 1 : row + 2 * size, column + 1 : column + 2 * size]
    # Turned until the agent, in the middle, faces north; then upside down: what is near comes first.
    facing_north = np.rot90(around, direction + 1)
    half = size // 2
    return facing_north[:size, size - 1 - half : size + half][::-1]


@pytest.mark.parametrize("size", [3, 7])
@pytest.mark.parametrize(
    ("height", "width", "code"), [(5, 5, np.uint8), (7, 13, np.uint16), (16, 6, np.uint8)]
)
@pytest.mark.parametrize("small", [0, 1000], ids=["gathered", "slid"])
def test_the_square_lies_before_the_agent(monkeypatch, small, height, width, code, size):
    monkeypatch.setattr(cutting, "SMALL", small)
    rng = np.random.default_rng(0)
    at = np.stack(np.meshgrid(range(height), range(width), range(4), indexing="ij"), axis=-1).reshape(-1, 3)
    grids = rng.integers(0, np.iinfo(code).max, (len(at), height, width)).astype(code)
    states = jax.vmap(start)(jnp.asarray(grids), *jnp.asarray(at.T))
    found = jax.jit(lambda states: cut(states, height, width, size))(states)  # [V, V, N]
    wanted = [turned(grid, *place, size) for grid, place in zip(grids, at, strict=True)]
    np.testing.assert_array_equal(found, np.stack(wanted, axis=-1))
