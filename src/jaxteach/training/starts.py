"""Where episodes start: a fresh reset for each, or one from a pool where a reset is dear."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.tasks.protocol import State, Task


def fresh_starts(task: Task, key: Array, n: int) -> State:
    """Starts of episodes, drawn anew; `update_seen` completes them.

    Args:
        task: static.
        key: a PRNG key.
        n: how many (static).

    Returns:
        States [n, ...].
    """
    return jax.vmap(task.reset)(jax.random.bits(key, (n, task.n_draws)))


def begin_anew(task: Task, key: Array, ended: Array, state: State, pool: State | None) -> State:
    """Begin new episodes where the last has ended.

    Args:
        task: static.
        key: the step's key.
        ended: bool[n], in which environments.
        state: states [n, ...], as `Task.step` gives them.
        pool: starts [P, ...] to draw from, with replacement; None to draw fresh ones.

    Returns:
        States [n, ...]; `update_seen` completes them.
    """
    n = ended.shape[0]
    if pool is None:
        return jax.vmap(task.renew)(jax.random.bits(key, (n, task.n_draws)), state, ended)
    n_pool = jax.tree.leaves(pool)[0].shape[0]
    drawn = jax.random.randint(key, (n,), 0, n_pool)
    return select(ended, jax.tree.map(lambda x: x[drawn], pool), state)


def select(condition: Array, yes: Any, no: Any) -> Any:
    """Choose between two pytrees by condition bool[E] on their first axis."""

    def pick(a: Array, b: Array) -> Array:
        return jnp.where(condition.reshape(condition.shape + (1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, yes, no)
