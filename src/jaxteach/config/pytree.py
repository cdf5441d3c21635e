"""A configuration as a pytree: traced fields are its leaves, static ones its structure. Needs JAX.

Other values of traced fields compile nothing, other values of static fields compile anew. Registered by
walking the fields, so that a new field needs no mention here.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.config.fields import About, about_field, compiled_for, group_of, leaves
from jaxteach.config.settings import Config, Decay, in_updates, share_of_run
from jaxteach.config.sweep import changed


class TracedMoment(struct.PyTreeNode):
    """A point of a schedule as a program is given it.

    Attributes:
        updates: f32[], the point in updates.
        share: f32[], the fraction of the run that it stands for; -1 if it counts updates.
    """

    updates: Array
    share: Array


class Hyper(struct.PyTreeNode):
    """What a program is given beside the teacher, [trial] in a chunk: a sweep needs no recompilation.

    Attributes:
        config: the configuration with arrays in its traced fields, see `trace`.
        teacher_success: f32[], the teacher's success rate; reactive schedules alone read it.
    """

    config: Config
    teacher_success: Array

    def changed(self, values: dict[str, Array]) -> "Hyper":
        """With other values of some fields, such as `ppo.lr`."""
        return Hyper(changed(self.config, values), self.teacher_success)


def make_hyper(config: Config, n_updates: int, teacher_success: float = 0.0) -> Hyper:
    """The traced hyperparameters of a configuration, a number each.

    Args:
        config: resolved.
        n_updates: updates of the run.
        teacher_success: the teacher's success rate; only adaptive decay reads it.
    """
    if config.ppo.returns == "monte_carlo":
        # With lambda 1, GAE's sum is the discounted return less the value.
        config = changed(config, {"ppo.gae_lambda": 1.0})
    return Hyper(trace(config, n_updates), jnp.float32(teacher_success))


def trace(config: Config, n_updates: int) -> Config:
    """What a compiled program is given of a configuration.

    Args:
        config: resolved.
        n_updates: updates of the run, of which points of a schedule may be fractions.

    Returns:
        The configuration with arrays in traced fields: f32[] for a number, i32[] for the place of a text
        among its choices, `TracedMoment` for a point of a schedule. Fields of the host are at their defaults.
    """
    traced = compiled_for(config)
    for leaf in leaves(Config).values():
        if leaf.about.use == "traced":
            traced = leaf.changed(traced, _array(leaf.of(config), leaf.about, n_updates))
    return traced


def _array(value: Any, about: About, n_updates: int) -> Array | TracedMoment:
    if about.choices:
        return jnp.int32(about.choices.index(value))
    if not about.moment:
        return jnp.float32(value)
    share = share_of_run(value)
    return TracedMoment(
        jnp.float32(in_updates(value, n_updates)), jnp.float32(-1.0 if share is None else share)
    )


def at_moments(decay: Decay, resolve: Callable[[TracedMoment], Array]) -> Decay:
    """A traced schedule with its points resolved to updates.

    Args:
        decay: traced.
        resolve: the point in updates, f32[...].
    """
    for leaf in leaves(Decay).values():
        if leaf.about.moment:
            decay = leaf.changed(decay, resolve(leaf.of(decay)))
    return decay


def register(kind: type) -> None:
    """Register a dataclass of fields, and the dataclasses that it holds, as pytrees."""
    data: list[str] = []
    meta: list[str] = []
    for field in dataclasses.fields(kind):
        part = group_of(field)
        if part is not None:
            register(part)
        (data if part is not None or about_field(field).use == "traced" else meta).append(field.name)
    jax.tree_util.register_dataclass(kind, data_fields=data, meta_fields=meta)


register(Config)
