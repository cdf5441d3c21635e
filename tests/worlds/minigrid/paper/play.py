"""Our engine, driven in batches: programs the tests share, so that each is compiled once."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.worlds.minigrid.paper.constants import KEY
from jaxteach.worlds.minigrid.paper.layout import Draws, Layout
from jaxteach.worlds.minigrid.paper.layout_from_grid import layout_from_grid
from jaxteach.worlds.minigrid.paper.state import GridState
from jaxteach.worlds.minigrid.paper.task import Task


@functools.partial(jax.jit, static_argnums=(0, 2))
def draw_layouts(task: Task, seed: int, n: int) -> dict[str, Any]:
    """n random layouts, as dicts of arrays with a leading axis n."""
    words = jax.random.bits(jax.random.key(seed), (n, task.n_draws))
    return jax.vmap(lambda row: dataclasses.asdict(task.layout(Draws(row))))(words)


@functools.partial(jax.jit, static_argnums=0)
def grids_of(task: Task, layouts: dict[str, Any]) -> Array:
    """The true grids u8[n, H, W, 3] of a batch of layouts."""
    return jax.vmap(lambda layout: task.grid_of(task.state_of(Layout(**layout)))[0])(layouts)


@functools.partial(jax.jit, static_argnums=0)
def rows_of(task: Task, obs: Array) -> Array:
    """Rows of the teacher's table i32[N] of observations u8[N, H, W, 4], -1 for a state not listed."""
    return task.perceive(obs, jnp.full((obs.shape[0], len(task.vocabulary.key_classes), 2), -1))[0]


def caption_of(task: Task, obs: np.ndarray) -> str:
    """The caption of one observation u8[H, W, 4], in canonical names."""
    row = int(rows_of(task, obs[None])[0])
    assert row >= 0, "no state of the task looks like this"
    return task.language.states[row].text


def read_grids(
    task: Task, grids: np.ndarray, positions: np.ndarray, directions: np.ndarray
) -> dict[str, Any]:
    """Layouts read off a batch of grids, with a leading axis n."""
    layouts = [
        dataclasses.asdict(layout_from_grid(task, grid, (int(row), int(column)), int(direction)))
        for grid, (row, column), direction in zip(grids, positions, directions, strict=True)
    ]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *layouts)


@functools.partial(jax.jit, static_argnums=0)
def play(task: Task, layouts: dict[str, Any], actions: Array) -> dict[str, Array]:
    """Play actions i32[T, n] from n layouts.

    Returns:
        Arrays [T, n, ...]: the states before each action; reward, terminated, truncated, success after it.
    """

    def step(state: GridState, action: Array) -> tuple[GridState, dict[str, Array]]:
        state = task.update_seen(state)
        grid, seen = task.grid_of(state)
        held = jnp.arange(task.n_keys) == state.pocket
        colour = jnp.sum(jnp.where(held, state.keys.colour, 0)).astype(jnp.int32)
        then, outcome = task.step(state, action)
        return then, {
            "grid": grid,
            "seen": seen,
            "obs": task.observe(state),
            "position": state.position,
            "direction": state.direction,
            "carrying": jnp.where(state.pocket >= 0, jnp.stack([jnp.int32(KEY), colour]), -1),
            "memory": state.memory,
            "reward": outcome.reward,
            "terminated": outcome.terminated,
            "truncated": outcome.truncated,
            "success": outcome.success,
        }

    states = jax.vmap(lambda layout: task.state_of(Layout(**layout)))(layouts)
    return jax.lax.scan(jax.vmap(step), states, actions)[1]
