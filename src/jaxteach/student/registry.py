"""Which networks and which distillation losses there are, by name; no JAX until one is asked for."""

from typing import Any

from jaxteach.utils.registry import Registry


def _checked_network(name: str, network: Any) -> Any:
    """Refuse what is not a `student.networks.Network`.

    Raises:
        ValueError: naming the field.
    """
    reads = getattr(network, "reads", None)
    if reads not in ("compact", "map") and not callable(reads):
        raise ValueError(f"its reads is {reads!r}, not 'compact', 'map' or a function from task to features")
    for field in ("build", "state_size", "student"):
        if not callable(getattr(network, field, None)):
            raise ValueError(f"its {field} is not callable: make a jaxteach.student.networks.Network of it")
    return network


def _checked_loss(name: str, loss: Any) -> Any:
    """Refuse what cannot be called.

    Raises:
        ValueError: naming what is wrong.
    """
    import jax
    import jax.numpy as jnp

    if not callable(loss):
        raise ValueError("it is not a function (teacher f32[..., A], log_probs f32[..., A]) -> f32[...]")
    rows = jax.ShapeDtypeStruct((2, 3), jnp.float32)
    try:
        given = jax.eval_shape(loss, rows, rows)
    except Exception as error:  # a user's own code can fail in any way
        raise ValueError(f"it fails on f32[2, 3]: {type(error).__name__}: {error}") from error
    if getattr(given, "shape", None) != (2,) or given.dtype != jnp.float32:
        raise ValueError(f"it gives {given} for f32[2, 3], not f32[2]")
    return loss


STUDENTS: Registry[Any] = Registry(
    "student",
    "jaxteach.students",
    {name: f"jaxteach.student.networks:{name.upper()}" for name in ("ego", "cnn", "gru")},
    _checked_network,
)
"""`student.networks.Network` by name."""

DISTILLATIONS: Registry[Any] = Registry(
    "distillation",
    "jaxteach.distillations",
    {name: f"jaxteach.student.losses:{name}" for name in ("forward_kl", "reverse_kl", "js")},
    _checked_loss,
)
"""Divergences of student and teacher by name."""
