"""Schedules of the distillation weight: `schedule(update) -> lambda`."""

from collections.abc import Callable

import jax.numpy as jnp
from flax import struct
from jax import Array


class DecayParameters(struct.PyTreeNode):
    """A schedule's parameters, f32[] each, in updates; see `config.Decay`. Traced, so sweeps vmap."""

    start: Array
    floor: Array
    plateau_at: Array
    off_at: Array


def linear_plateau(update: Array, p: DecayParameters) -> Array:
    """From start down to floor at plateau_at, then constant, zero from off_at on (the paper's).

    Args:
        update: i32[], the update's number, from 0.
        p: parameters.

    Returns:
        lambda, f32[].
    """
    done = jnp.clip(update / jnp.maximum(p.plateau_at, 1.0), 0.0, 1.0)
    value = p.start + (p.floor - p.start) * done
    return jnp.where(update < p.off_at, value, 0.0)


def linear(update: Array, p: DecayParameters) -> Array:
    """From start straight down to zero at off_at, f32[]."""
    value = p.start * jnp.clip(1.0 - update / jnp.maximum(p.off_at, 1.0), 0.0, 1.0)
    # Rounding may leave a trace of lambda, and the teacher would be asked for nothing.
    return jnp.where(update < p.off_at, value, 0.0)


def constant(update: Array, p: DecayParameters) -> Array:
    """Always start, f32[]."""
    return p.start + 0.0 * update


def none(update: Array, p: DecayParameters) -> Array:
    """Always zero, f32[]: reinforcement learning alone."""
    return 0.0 * (p.start + update)


SCHEDULES: dict[str, Callable[[Array, DecayParameters], Array]] = {
    schedule.__name__: schedule for schedule in (linear_plateau, linear, constant, none)
}


def in_updates(at: float, n_updates: int) -> float:
    """Resolve a point of a schedule: a value strictly between 0 and 1 is a fraction of the run.

    >>> in_updates(0.5, 48), in_updates(1980, 48)
    (24.0, 1980.0)
    """
    return at * n_updates if 0.0 < at < 1.0 else float(at)
