"""Advantages, from one-step to Monte-Carlo, with termination and truncation kept apart."""

import chex
import jax
import jax.numpy as jnp
from jax import Array


def next_values(values: Array, last_value: Array, final_value: Array, truncated: Array) -> Array:
    """The value each step's return may be bootstrapped from.

    Args:
        values: f32[T, E], V(s_t).
        last_value: f32[E], V of the state after the window.
        final_value: f32[E], V of the state in which the window's truncated episode ended; at most
            one episode an environment is truncated in a window no longer than an episode.
        truncated: bool[T, E].

    Returns:
        f32[T, E]: V(s_{t+1}), and where an episode was truncated the value of its own last state,
        not of the next episode's first.
    """
    chex.assert_equal_shape([values, truncated])
    chex.assert_equal_shape([last_value, final_value])
    following = jnp.concatenate([values[1:], last_value[None]])
    return jnp.where(truncated, final_value[None], following)


def gae(
    rewards: Array,
    values: Array,
    bootstrap: Array,
    terminated: Array,
    truncated: Array,
    gamma: Array | float,
    gae_lambda: Array | float,
) -> Array:
    """Generalised advantage estimates (Schulman et al. 2016).

    Args:
        rewards: f32[T, E], r_t.
        values: f32[T, E], V(s_t).
        bootstrap: f32[T, E], from `next_values`.
        terminated: bool[T, E]; nothing follows, so nothing is bootstrapped, also where truncated too.
        truncated: bool[T, E]; the sum stops, the value of the last state stands for the rest.
        gamma: discount per environment step.
        gae_lambda: 1 gives Monte-Carlo returns (the reference's) less the values, 0 one-step advantages.

    Returns:
        f32[T, E].

    >>> one = jnp.ones((1, 1))
    >>> float(gae(one, 0 * one, 2 * one, one > 1, one > 1, 0.5, 0.9)[0, 0])
    2.0
    """
    chex.assert_equal_shape([rewards, values, bootstrap, terminated, truncated])
    deltas = rewards + gamma * jnp.where(terminated, 0.0, bootstrap) - values
    carries = gamma * gae_lambda * jnp.where(terminated | truncated, 0.0, 1.0)

    def back(later: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        delta, carry = step
        advantage = delta + carry * later
        return advantage, advantage

    _, advantages = jax.lax.scan(back, jnp.zeros_like(values[0]), (deltas, carries), reverse=True)
    return advantages
