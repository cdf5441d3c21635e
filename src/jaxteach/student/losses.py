"""What the student's loss is made of: rows that count, advantages, divergences from the teacher."""

import chex
import jax.numpy as jnp
from flax import struct
from jax import Array


class Batch(struct.PyTreeNode):
    """What the loss reads besides the network's outputs; every field has the leading axes of the batch.

    Attributes:
        action: i32[...].
        log_prob: f32[...], of the action when it was taken.
        value: f32[...], the critic's when the action was taken.
        advantage: f32[...], normalised.
        returns: f32[...], the critic's target.
        teacher: f32[..., A], q(a|s); zeros without a teacher.
        valid: bool[...], rows that count.
    """

    action: Array
    log_prob: Array
    value: Array
    advantage: Array
    returns: Array
    teacher: Array
    valid: Array


def masked_mean(x: Array, valid: Array) -> Array:
    """The mean over valid entries, f32[]; zero if there are none."""
    chex.assert_equal_shape([x, valid])
    return jnp.sum(jnp.where(valid, x, 0.0)) / jnp.maximum(jnp.sum(valid), 1)


ROUNDING = 64 * float(jnp.finfo(jnp.float32).eps)
"""Relative spread below which numbers in float32 count as equal: what a mean over many rows may miss."""


def normalise(advantage: Array, valid: Array) -> Array:
    """Advantages with mean 0 and standard deviation 1 over the valid entries; zeros if they are all alike.

    Args:
        advantage: f32[...].
        valid: bool[...], the same shape.

    Returns:
        f32[...].
    """
    mean = masked_mean(advantage, valid)
    deviation = jnp.sqrt(masked_mean((advantage - mean) ** 2, valid))
    # The mean of equal numbers misses them by rounding, and dividing by that would make it an advantage.
    largest = jnp.max(jnp.where(valid, jnp.abs(advantage), 0.0), initial=0.0)
    alike = deviation <= ROUNDING * largest
    return jnp.where(alike, 0.0, (advantage - mean) / (deviation + 1e-8))


def plogp(p: Array) -> Array:
    """p log p, elementwise; zero at zero, by way of no NaN that a search for one would stop at."""
    return p * jnp.log(jnp.maximum(p, 1e-37))


def forward_kl(teacher: Array, log_probs: Array) -> Array:
    """KL(q || pi), the cross-entropy of the paper's distillation term less the teacher's entropy.

    Args:
        teacher: f32[..., A], q(a|s).
        log_probs: f32[..., A], log pi(a|s).

    Returns:
        f32[...].
    """
    chex.assert_equal_shape([teacher, log_probs])
    return jnp.sum(plogp(teacher) - teacher * log_probs, axis=-1)


SMOOTHING = 0.01
"""Share of a uniform distribution mixed into q where its logarithm is taken: q may be zero, pi never is."""


def reverse_kl(teacher: Array, log_probs: Array) -> Array:
    """KL(pi || q), q mixed with `SMOOTHING` of a uniform distribution; seeks one of the teacher's modes.

    Args:
        teacher: f32[..., A], q(a|s).
        log_probs: f32[..., A], log pi(a|s).

    Returns:
        f32[...]; zero where q is all zeros: no teacher there.
    """
    chex.assert_equal_shape([teacher, log_probs])
    smooth = (1.0 - SMOOTHING) * teacher + SMOOTHING / teacher.shape[-1]
    divergence = jnp.sum(jnp.exp(log_probs) * (log_probs - jnp.log(smooth)), axis=-1)
    return divergence * jnp.sum(teacher, axis=-1)


def js(teacher: Array, log_probs: Array) -> Array:
    """Jensen-Shannon divergence, in nats: half KL(q || m) and half KL(pi || m), m halfway between them.

    Args:
        teacher: f32[..., A], q(a|s).
        log_probs: f32[..., A], log pi(a|s).

    Returns:
        f32[...], at most log 2; zero where q is all zeros: no teacher there.
    """
    chex.assert_equal_shape([teacher, log_probs])
    probs = jnp.exp(log_probs)
    # Far below any probability that matters: an action neither would take must not make log 0.
    log_middle = jnp.log(jnp.maximum(0.5 * (teacher + probs), 1e-30))
    from_teacher = plogp(teacher) - teacher * log_middle
    from_student = probs * (log_probs - log_middle)
    return 0.5 * jnp.sum(from_teacher + from_student, axis=-1) * jnp.sum(teacher, axis=-1)


def certainty(teacher: Array) -> Array:
    """How certain the teacher is: 1 - H(q) / log A, f32[...]: 1 for a single action, 0 for a uniform q.

    Args:
        teacher: f32[..., A], q(a|s).

    >>> float(certainty(jnp.eye(7)[0]))
    1.0
    """
    entropy = -jnp.sum(plogp(teacher), axis=-1)
    return 1.0 - entropy / jnp.log(teacher.shape[-1])
