"""Which networks and which distillation losses there are, by name; no JAX until one is asked for."""

from typing import Any

from jaxteach.utils.registry import Registry


def _checked_network(name: str, network: Any) -> Any:
    """Refuse what is no network.

    Raises:
        ValueError: naming the field.
    """
    if getattr(network, "reads", None) not in ("compact", "map"):
        raise ValueError(f"its reads is {getattr(network, 'reads', None)!r}, not 'compact' or 'map'")
    for field in ("build", "state_size"):
        if not callable(getattr(network, field, None)):
            raise ValueError(f"its {field} is not callable")
    return network


def _checked_loss(name: str, loss: Any) -> Any:
    """Refuse what cannot be called.

    Raises:
        ValueError: naming what is wrong.
    """
    if not callable(loss):
        raise ValueError("it is no function (teacher f32[..., A], log_probs f32[..., A]) -> f32[...]")
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
