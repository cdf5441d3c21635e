"""Tests of the decay schedules: by hand, the reference's, and what holds for any parameters."""

import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from jaxteach.config import DECAYS, PAPER
from jaxteach.student.decay import SCHEDULES, DecayParameters, in_updates


def values(name, updates, **parameters):
    """A schedule's values at many updates."""
    defaults = {"start": 10.0, "floor": 1.0, "plateau_at": 4.0, "off_at": 6.0}
    p = DecayParameters(**{k: jnp.float32(v) for k, v in (defaults | parameters).items()})
    return np.asarray(evaluate(name, jnp.asarray(updates), p))


@functools.partial(jax.jit, static_argnums=0)
def evaluate(name, updates, p):
    return jax.vmap(lambda update: SCHEDULES[name](update, p))(updates)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear_plateau", [10, 7.75, 5.5, 3.25, 1, 1, 0, 0]),
        ("linear", [10, 50 / 6, 40 / 6, 5, 20 / 6, 10 / 6, 0, 0]),
        ("constant", [10] * 8),
        ("none", [0] * 8),
    ],
)
def test_by_hand(name, expected):
    np.testing.assert_allclose(values(name, range(8)), expected, rtol=1e-6)


def test_command_line_offers_exactly_these():
    assert tuple(SCHEDULES) == DECAYS


def test_preset_paper_is_the_references_schedule():
    # Lambda 10, minus 0.005 an iteration, floor 0.1, off after 3000.
    decay = PAPER.decay
    updates = np.arange(0, 3100, 10)
    found = values(
        decay.name,
        updates,
        start=decay.start,
        floor=decay.floor,
        plateau_at=in_updates(decay.plateau_at, 9000),
        off_at=in_updates(decay.off_at, 9000),
    )
    expected = np.where(updates < 3000, np.maximum(10 - 0.005 * updates, 0.1), 0)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("at", "updates"), [(0.5, 24.0), (0.999, 47.952), (1, 1.0), (1.0, 1.0), (0, 0.0), (1980, 1980.0)]
)
def test_only_values_between_0_and_1_are_fractions(at, updates):
    assert in_updates(at, 48) == pytest.approx(updates)


@given(
    name=st.sampled_from(["linear_plateau", "linear"]),
    start=st.floats(0, 100, width=32),
    share=st.floats(0, 1, width=32),
    plateau_at=st.integers(0, 60),
    off_at=st.integers(0, 60),
)
def test_falling_schedules_fall_and_end(name, start, share, plateau_at, off_at):
    found = values(
        name, np.arange(60), start=start, floor=start * share, plateau_at=plateau_at, off_at=off_at
    )
    assert np.all(np.diff(found) <= 1e-5 * (1 + start))
    assert np.all((found >= 0) & (found <= start * (1 + 1e-6)))
    # Exactly zero: from there on no teacher is computed at all.
    assert np.all(found[off_at:] == 0)


def test_parameters_are_traced():
    """A sweep over parameters is one vmapped call."""
    p = DecayParameters(*(jnp.asarray([a, b]) for a, b in ((4.0, 8.0), (1.0, 2.0), (2.0, 4.0), (9.0, 9.0))))
    swept = jax.vmap(lambda p: SCHEDULES["linear_plateau"](jnp.int32(1), p))(p)
    np.testing.assert_allclose(swept, [2.5, 6.5])
