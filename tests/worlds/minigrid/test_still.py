"""Levels whose few grids never change: views are looked up."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.worlds.minigrid.engine import fresh, see
from jaxteach.worlds.minigrid.levels import LEVELS
from jaxteach.worlds.minigrid.view import image_of, look, visible_of

pytestmark = pytest.mark.unoptimised

LISTED = ("Empty", "DistShift", "LavaGap")


def test_only_levels_without_doors_and_things_are_still() -> None:
    def of(*families: str) -> set[str]:
        return {name for name in LEVELS if name.removeprefix("MiniGrid-").startswith(families)}

    assert {name for name, level in LEVELS.items() if level.layouts is not None} == of(*LISTED)
    others = of("SimpleCrossing", "LavaCrossing", "FourRooms")
    assert {name for name, level in LEVELS.items() if level.still} == of(*LISTED) | others


@pytest.mark.parametrize("name", ["MiniGrid-Empty-Random-5x5-v0", "MiniGrid-LavaGapS6-v0"])
def test_what_is_looked_up_is_what_is_seen(name: str) -> None:
    level, n = LEVELS[name], 64
    draw = np.random.default_rng(0)
    words = jnp.asarray(draw.integers(2**32, size=(n, 2), dtype=np.uint32))
    state = jax.jit(functools.partial(fresh, level))(words)
    assert len(np.unique(state.layout)) == len(level.layouts)
    np.testing.assert_array_equal(
        state.grid.reshape(n, level.height, level.width), level.layouts[state.layout]
    )
    row, column = (jnp.asarray(draw.integers(size, size=n), jnp.uint8) for size in level.layouts.shape[1:])
    state = state.replace(row=row, column=column, direction=jnp.asarray(draw.integers(4, size=n), jnp.uint8))
    table, worked_out = see(level, state), look(state, level.height, level.width, level.see_through)
    np.testing.assert_array_equal(image_of(table), image_of(worked_out))
    np.testing.assert_array_equal(visible_of(table), visible_of(worked_out))
