"""What is seen in levels whose few grids never change: looked up in a table of all views."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid.cut import VIEW
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.state import State, compute_once
from jaxteach.worlds.minigrid.view import View, look


@functools.cache
def all_views(level: Level) -> tuple[np.ndarray, np.ndarray]:
    """What is seen of each of the level's grids from each place and in each direction.

    Args:
        level: one with a list of its layouts.

    Returns:
        u32[L * H * W * 4, ceil(V * V / 4)] and u8[L * H * W * 4, V], by layout, row, column and direction:
        what `View.codes` and `View.lit` have, the codes of a view side by side, four in a word.
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
        codes = np.pad(np.asarray(view.codes).reshape(VIEW * VIEW, -1), ((0, -VIEW * VIEW % 4), (0, 0)))
        words = np.ascontiguousarray(codes.T).view(np.uint32)
        return words, np.asarray(view.lit).T.copy()


def glance(level: Level, state: State) -> View:
    """As `view.look`, in a level with a list of its layouts."""
    assert state.layout is not None
    at: Array = state.layout.astype(jnp.uint32) * level.height + state.row
    at = compute_once((at * level.width + state.column) * 4 + state.direction)
    words, lit = (jnp.asarray(table).at[at].get(mode="promise_in_bounds") for table in all_views(level))
    # XLA reads a table element by element: words take a quarter of what bytes would.
    codes = jax.lax.bitcast_convert_type(compute_once(words), jnp.uint8)  # [N, words, 4]
    codes = codes.reshape(len(codes), -1)[:, : VIEW * VIEW].reshape(-1, VIEW, VIEW)
    return View(codes=jnp.moveaxis(codes, 0, -1), lit=lit.T, doors=False)
