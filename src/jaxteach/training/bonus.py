"""An exploration bonus by counting: the rarer an observation in the running episode, the more it is worth.

The n-th time that an episode shows an observation is worth `ppo.bonus_weight` / sqrt(n), to PPO alone:
returns and success that are reported know nothing of it. Nothing of a world is read but what it shows.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def digest(obs: Any) -> Array:
    """Observations as numbers, equal for equal ones; others share one by chance, about once in 2**24 pairs.

    Args:
        obs: [N, ...], a pytree of arrays.

    Returns:
        u32[N], a sum of all entries times odd numbers that are drawn once and for all.
    """
    total = jnp.zeros((), jnp.uint32)
    draw = np.random.default_rng(0)
    for leaf in jax.tree.leaves(obs):
        entries = _words(leaf.reshape(leaf.shape[0], -1))
        odd = draw.integers(2**32, size=entries.shape[1], dtype=np.uint32) | np.uint32(1)
        total = total + jnp.sum(entries * odd[None, :], axis=1, dtype=jnp.uint32)
    return total


def _words(entries: Array) -> Array:
    """Numbers as u32, those with a fraction by their bits."""
    if jnp.issubdtype(entries.dtype, jnp.floating):
        return jax.lax.bitcast_convert_type(entries.astype(jnp.float32), jnp.uint32)
    return entries.astype(jnp.uint32)


def visit(visited: Array, clock: Array, obs: Any) -> tuple[Array, Array]:
    """Note an observation, and count how often the running episode has shown it.

    Args:
        visited: u32[E, max_steps], `digest` at each step of the running episode; what an earlier episode
            has left there, from the clock on, is of no meaning.
        clock: i32[E], environment steps of the running episode before this one; 0 begins a new one.
        obs: [E, ...].

    Returns:
        i32[E], this time included; and `visited` with this observation.
    """
    chex.assert_equal_shape_prefix([visited, clock], 1)
    now, at = digest(obs)[:, None], jnp.arange(visited.shape[1])[None, :]
    before = jnp.sum((visited == now) & (at < clock[:, None]), axis=1, dtype=jnp.int32)
    return before + 1, jnp.where(at == clock[:, None], now, visited)


def visit_bonus(visits: Array, last_visits: Array, ended: Array, weight: Array | float) -> Array:
    """What each step is given for the observation that it leads to; nothing where it ends the episode.

    Args:
        visits: i32[T, E], how often the episode has shown what was seen at each step, that time included.
        last_visits: i32[E], the same of what was seen after the last step.
        ended: bool[T, E], the step was the episode's last.
        weight: the bonus of an observation that is new, in units of reward.

    Returns:
        f32[T, E].

    >>> one = jnp.ones((1, 1))
    >>> float(visit_bonus(one, 4 * one[0], one > 1, 0.5)[0, 0])
    0.25
    """
    reached = jnp.concatenate([visits[1:], last_visits[None]])
    return jnp.where(ended, 0.0, weight / jnp.sqrt(jnp.maximum(reached, 1).astype(jnp.float32)))
