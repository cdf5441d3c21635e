"""Schedules of the distillation weight: `schedule(update) -> lambda`, and one that reacts to success.

Their parameters are `config.Decay` with arrays in its traced fields (`config.pytree`), f32[] each, its points
in updates.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxteach.config import Decay
from jaxteach.config.pytree import TracedMoment


def linear_plateau(update: Array, p: Decay) -> Array:
    """From start down to floor at plateau_at, then constant, zero from off_at on (the paper's).

    Args:
        update: i32[], the update's number, from 0.
        p: parameters.

    Returns:
        lambda, f32[].
    """
    value = p.start + (p.floor - p.start) * _descent(update, p)
    return jnp.where(update < p.off_at, value, 0.0)


def linear(update: Array, p: Decay) -> Array:
    """From start straight down to zero at off_at, f32[]."""
    value = p.start * jnp.clip(1.0 - update / jnp.maximum(p.off_at, 1.0), 0.0, 1.0)
    # Rounding may leave a trace of lambda, and the teacher would be asked for nothing.
    return jnp.where(update < p.off_at, value, 0.0)


def constant(update: Array, p: Decay) -> Array:
    """Always start, f32[]."""
    return p.start + 0.0 * update


def exponential(update: Array, p: Decay) -> Array:
    """By the same factor at every update from start to floor at plateau_at, then as linear_plateau, f32[].

    No factor leads to a floor of zero: it falls to a thousandth of start, and is zero on the plateau.
    """
    done = _descent(update, p)
    share = jnp.where(p.floor > 0.0, p.floor / jnp.maximum(p.start, 1e-12), 1e-3)
    value = jnp.where(done < 1.0, p.start * share**done, p.floor)
    return jnp.where(update < p.off_at, value, 0.0)


def cosine(update: Array, p: Decay) -> Array:
    """Along half a cosine from start to floor at plateau_at, then as linear_plateau, f32[]."""
    value = p.floor + (p.start - p.floor) * 0.5 * (1.0 + jnp.cos(jnp.pi * _descent(update, p)))
    return jnp.where(update < p.off_at, value, 0.0)


def step(update: Array, p: Decay) -> Array:
    """Start up to plateau_at, then at once floor, zero from off_at on, f32[]."""
    value = jnp.where(update < p.plateau_at, p.start, p.floor)
    return jnp.where(update < p.off_at, value, 0.0)


def _descent(update: Array, p: Decay) -> Array:
    """How much of the way from start to floor lies behind an update: 1 from plateau_at on, f32[]."""
    done = jnp.clip(update / jnp.maximum(p.plateau_at, 1.0), 0.0, 1.0)
    # A plateau at update 0 begins at update 0.
    return jnp.where(update < p.plateau_at, done, 1.0)


def none(update: Array, p: Decay) -> Array:
    """Always zero, f32[]: reinforcement learning alone."""
    return 0.0 * (p.start + update)


def adaptive(update: Array, p: Decay, student: Array, teacher: Array) -> Array:
    """In proportion to how far the student's success falls short of the teacher's, zero from off_at on.

    A student that never succeeds is taught with start, one that does as well as its teacher or better
    with floor, in between in proportion; lambda rises again if the student forgets. A teacher that
    never succeeds teaches with floor.

    Args:
        update: i32[], the update's number, from 0.
        p: parameters; plateau_at is not read.
        student: f32[], the student's recent success, see `recent_success`.
        teacher: f32[], the teacher's success rate.

    Returns:
        lambda, f32[].
    """
    shortfall = jnp.clip((teacher - student) / jnp.maximum(teacher, 1e-6), 0.0, 1.0)
    return jnp.where(update < p.off_at, p.floor + (p.start - p.floor) * shortfall, 0.0)


SCHEDULES: dict[str, Callable[[Array, Decay], Array]] = {
    schedule.__name__: schedule
    for schedule in (linear_plateau, linear, constant, exponential, cosine, step, none)
}
REACTIVE: dict[str, Callable[[Array, Decay, Array, Array], Array]] = {"adaptive": adaptive}


DECAY_NAMES = (*SCHEDULES, *REACTIVE)


def weight_at(update: Array, p: Decay, student: Array, teacher: Array) -> Array:
    """Lambda by a schedule's number; traced, so that one program serves all schedules.

    Args:
        update: i32[].
        p: parameters; name is i32[], the schedule's place in `DECAY_NAMES`.
        student: f32[], the student's recent success; reactive schedules alone read it.
        teacher: f32[], the teacher's success rate; likewise.

    Returns:
        f32[].
    """
    values = [schedule(update, p) for schedule in SCHEDULES.values()]
    values += [schedule(update, p, student, teacher) for schedule in REACTIVE.values()]
    return jnp.sum(jnp.where(p.name == jnp.arange(len(values)), jnp.stack(values), 0.0))


RECENT_EPISODES = 100
"""Episodes a running estimate of success looks back on, about."""


def recent_success(estimate: Array, ended: Array, succeeded: Array) -> Array:
    """A running estimate of success, taking in the episodes that ended in one update.

    It begins at zero and moves by one hundredth of the way for every episode, so that the first
    episodes to end, which are short and therefore successes, do not pass for the rule.

    Args:
        estimate: f32[], so far.
        ended: f32[], episodes that ended.
        succeeded: f32[], how many of those succeeded.

    Returns:
        f32[].

    >>> float(recent_success(jnp.float32(0.5), jnp.float32(20), jnp.float32(15)))
    0.550000011920929
    """
    weight = jnp.minimum(ended / RECENT_EPISODES, 1.0)
    return estimate + weight * (succeeded / jnp.maximum(ended, 1.0) - estimate)


def at_pace(moment: TracedMoment, update: Array, progress: Array) -> Array:
    """A point of a schedule in a run whose number of updates is not known beforehand.

    Args:
        moment: the point, f32[].
        update: i32[], the update's number.
        progress: f32[], how much of the run lies before this update, 0 to 1.

    Returns:
        f32[], the point in updates: of a fraction, that of a run that continues at its pace so far, so that
        an update has reached the point exactly if progress has reached the fraction.
    """
    at, share = moment.updates, moment.share
    pace = jnp.where(progress > 0.0, update / jnp.maximum(progress, 1e-12) * share, at)
    # Rounding may put a point that has been reached behind the update, and progress before the point.
    pace = jnp.where(progress >= share - 1e-6, jnp.minimum(pace, update), pace)
    return jnp.where(share < 0.0, at, pace)
