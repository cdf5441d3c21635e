"""Tests of what follows from a field alone: bounds, sweeps, the pytree, which programs can be reused."""

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.config import PPO, Config, Decay, check
from jaxteach.config.fields import compiled_for, group, host, leaves, static, traced, while_
from jaxteach.config.pytree import at_moments, register, trace
from jaxteach.config.sweep import TRACED
from jaxteach.utils.errors import UserError


@dataclass(frozen=True)
class Inner:
    """A part with a field of each use."""

    name: str = traced("b", choices=("a", "b"))
    rate: float = traced(0.5, high=1.0)
    width: int = static(4, low=1)


@dataclass(frozen=True)
class Outer:
    """A configuration that was never mentioned anywhere else."""

    folder: str = host("x")
    plain: int = 3
    inner: Inner = group(Inner, idle=while_("plain", 0))


register(Outer)


def test_a_field_says_all_of_itself():
    known = leaves(Outer)
    assert list(known) == ["folder", "plain", "inner", "inner.rate", "inner.width"]
    assert [leaf.about.use for leaf in known.values()] == ["host", "static", "traced", "traced", "static"]
    assert known["inner.rate"].flag == "--inner.rate" and known["inner.rate"].about.idle == ({"plain": 0},)
    assert known["inner"].changed(Outer(), "a") == Outer(inner=Inner("a"))


def test_programs_are_compiled_for_static_fields_alone():
    other = Outer("elsewhere", inner=Inner("a", 0.25))
    assert compiled_for(other) == compiled_for(Outer())
    for unlike in (Outer(plain=4), Outer(inner=Inner(width=8))):
        assert compiled_for(unlike) != compiled_for(Outer())


def test_traced_values_compile_nothing_and_static_ones_anew():
    compiled = []

    @jax.jit
    def f(config):
        compiled.append(config)
        return config.inner.rate * config.inner.width

    def given(rate, **changes):
        inner = Inner(jnp.int32(0), jnp.float32(rate), **changes)
        return float(f(Outer(inner=inner)))

    assert (given(0.5), given(0.25), len(compiled)) == (2.0, 1.0, 1)
    assert (given(0.5, width=8), len(compiled)) == (4.0, 2)
    points = [Inner(jnp.int32(0), jnp.float32(rate)) for rate in (0.1, 0.2)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *points)
    np.testing.assert_allclose(jax.vmap(lambda inner: inner.rate * inner.width)(stacked), [0.4, 0.8])


def test_tracing_a_configuration():
    config = Config(
        seeds=3, teacher="none", decay=Decay("cosine", plateau_at=0.5, off_at=7), ppo=PPO(lr=0.25)
    )
    found = trace(config, 48)
    assert len(jax.tree.leaves(found)) == len(TRACED) + 2  # a point of a schedule is two numbers
    assert all(leaf.shape == () for leaf in jax.tree.leaves(found))
    assert (float(found.ppo.lr), int(found.decay.name), found.ppo.minibatch) == (0.25, 4, 128)
    assert (float(found.decay.plateau_at.updates), float(found.decay.plateau_at.share)) == (24.0, 0.5)
    assert (float(found.decay.off_at.updates), float(found.decay.off_at.share)) == (7.0, -1.0)
    assert float(at_moments(found.decay, lambda moment: moment.updates).off_at) == 7.0
    # What is of the host decides nothing: points and runs that differ in it share a program.
    same = trace(dataclasses.replace(config, seeds=9, first_seed=5, out=None), 48)
    assert jax.tree.structure(found) == jax.tree.structure(same)


@pytest.mark.parametrize(
    "name", [name for name, leaf in leaves(Config).items() if leaf.about.low is not None]
)
def test_every_bound_is_kept(name):
    """At its bounds a value passes, just beyond them it is refused with its flag."""
    leaf = leaves(Config)[name]
    low, high = leaf.about.low, leaf.about.high
    # Only their product is bounded besides.
    start = Config(rollout=dataclasses.replace(Config().rollout, steps=1, envs=1))
    step = 1 if isinstance(low, int) else 1e-3
    check(leaf.changed(start, low))
    beyond = [low - step, high + step] if np.isfinite(high) else [low - step, 1e39, float("nan")]
    if np.isfinite(high):
        check(leaf.changed(start, high))
    for value in beyond:
        with pytest.raises(UserError, match=f"^{leaf.flag} .*: must be "):
            check(leaf.changed(start, value))


def test_every_traced_number_has_bounds_or_choices():
    assert all(leaves(Config)[name].about.low is not None for name in TRACED if name != "decay")
    assert leaves(Config)["decay"].about.choices
