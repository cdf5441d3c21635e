"""What is seen in levels whose few grids never change: looked up in a table of all views."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.state import State, compute_once
from jaxteach.worlds.minigrid.view import View, look


@functools.cache
def all_views(level: Level) -> tuple[np.ndarray, np.ndarray]:
    """What is seen of each of the level's grids from each place and in each direction.

    Args:
        level: one with a list of its layouts.

    Returns:
        u8[L * H * W * 4, V, V] and u8[L * H * W * 4, V], by layout, row, column and direction: what
        `View.codes` and `View.lit` have, a view's cells side by side.
    """
    assert level.layouts is not None
    shape = (*level.layouts.shape, 4)
    layout, *place = (i.reshape(-1).astype(np.uint8) for i in np.indices(shape))
    grid = level.layouts.reshape(len(level.layouts), -1)[layout]
    # The caller may be in the middle of tracing: here numbers are wanted.
    with jax.ensure_compile_time_eval():
        nothing = jnp.zeros(layout.shape, jnp.uint8)
        row, column, direction = (jnp.asarray(x) for x in place)
        state = State(jnp.asarray(grid), row, column, direction, nothing, nothing, nothing)
        view = jax.jit(look, static_argnums=(1, 2, 3))(state, level.height, level.width, level.see_through)
        return np.moveaxis(np.asarray(view.codes), -1, 0).copy(), np.asarray(view.lit).T.copy()


def glance(level: Level, state: State) -> View:
    """As `view.look`, in a level with a list of its layouts."""
    assert state.layout is not None
    codes, lit = (jnp.asarray(table) for table in all_views(level))
    at: Array = state.layout.astype(jnp.uint32) * level.height + state.row
    at = (at * level.width + state.column) * 4 + state.direction
    codes, lit = (table.at[compute_once(at)].get(mode="promise_in_bounds") for table in (codes, lit))
    return View(codes=jnp.moveaxis(codes, 0, -1), lit=lit.T, doors=False)
