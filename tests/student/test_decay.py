"""Tests of the decay schedules: by hand, the reference's, and what holds for any parameters."""

import dataclasses
import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

from jaxteach.config import DECAYS, PAPER, Config, Decay, in_updates
from jaxteach.config.effects import not_read_by
from jaxteach.config.pytree import TracedMoment
from jaxteach.student.decay import (
    DECAY_NAMES,
    SCHEDULES,
    at_pace,
    recent_success,
    weight_at,
)


def values(name, updates, **parameters):
    """A schedule's values at many updates."""
    defaults = {"start": 10.0, "floor": 1.0, "plateau_at": 4.0, "off_at": 6.0}
    p = Decay(name=jnp.int32(0), **{k: jnp.float32(v) for k, v in (defaults | parameters).items()})
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
        # From 10 to 1 in four updates: by the factor 10 ** (-1 / 4) each.
        ("exponential", [10, 10**0.75, 10**0.5, 10**0.25, 1, 1, 0, 0]),
        # Half a cosine: the middle halfway, a quarter of the way cos(pi / 4) above it.
        ("cosine", [10, 5.5 + 4.5 * 0.5**0.5, 5.5, 5.5 - 4.5 * 0.5**0.5, 1, 1, 0, 0]),
        ("step", [10, 10, 10, 10, 1, 1, 0, 0]),
    ],
)
def test_by_hand(name, expected):
    np.testing.assert_allclose(values(name, range(8)), expected, rtol=1e-6)


def test_command_line_offers_exactly_these():
    assert DECAY_NAMES == DECAYS


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
    ("at", "updates"),
    [
        (0.5, 24.0),
        (0.999, 47.952),
        (1.0, 48.0),
        (1, 1.0),
        (0, 0.0),
        (0.0, 0.0),
        (1980, 1980.0),
        (1980.0, 1980.0),
    ],
)
def test_floats_up_to_1_are_fractions_and_integers_updates(at, updates):
    assert in_updates(at, 48) == pytest.approx(updates)


@given(
    name=st.sampled_from(["linear_plateau", "linear", "exponential", "cosine", "step"]),
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
    pairs = ((0.0, 0.0), (4.0, 8.0), (1.0, 2.0), (2.0, 4.0), (9.0, 9.0))
    p = Decay(*(jnp.asarray(pair) for pair in pairs))
    swept = jax.vmap(lambda p: SCHEDULES["linear_plateau"](jnp.int32(1), p))(p)
    np.testing.assert_allclose(swept, [2.5, 6.5])


def test_exponential_to_a_floor_of_zero_falls_to_a_thousandth_and_is_zero_on_the_plateau():
    np.testing.assert_allclose(
        values("exponential", [0, 2, 3, 4, 5, 6], floor=0.0),
        [10, 10 * 1e-3**0.5, 10 * 1e-3**0.75, 0, 0, 0],
        rtol=1e-5,
    )
    np.testing.assert_array_equal(values("exponential", range(4), start=0.0, floor=0.0), 0)


WITH_A_PLATEAU = ("linear_plateau", "exponential", "cosine", "step")


@pytest.mark.parametrize("name", WITH_A_PLATEAU)
@pytest.mark.parametrize("floor", [0.0, 1e-6, 0.001, 0.005, 0.01, 2.0, 20.0])
def test_lambda_on_the_plateau_is_the_floor(name, floor):
    np.testing.assert_allclose(values(name, [0, 4, 5], floor=floor), [10, floor, floor], atol=1e-6)


@pytest.mark.parametrize("name", WITH_A_PLATEAU)
def test_a_plateau_at_update_0_begins_at_update_0(name):
    np.testing.assert_allclose(values(name, [0, 1, 6], plateau_at=0.0), [1, 1, 0])


@pytest.mark.parametrize("name", SCHEDULES)
def test_fields_say_truly_which_schedules_read_them(name):
    """A schedule changes with exactly those parameters whose fields do not call it idle."""
    changed = {"start": 7.0, "floor": 2.0, "plateau_at": 2.0, "off_at": 5.0}
    usual = values(name, range(8))
    read = {p for p, x in changed.items() if not np.array_equal(values(name, range(8), **{p: x}), usual)}
    config = Config(decay=Decay(name))
    assert read == {p for p in changed if not_read_by(config, f"decay.{p}") is None}


def test_at_pace_by_hand():
    def at(share, update, progress):
        return float(
            at_pace(
                TracedMoment(jnp.float32(30), jnp.float32(share)), jnp.int32(update), jnp.float32(progress)
            )
        )

    assert at(-1, 7, 0.5) == 30  # in updates, whatever the pace
    assert at(0.6, 0, 0.0) == 30  # nothing is known yet
    assert at(0.5, 3, 0.25) == 6  # 12 updates in all
    assert at(0.5, 3, 0.5) == 3
    for update in range(1, 60):  # reached exactly when progress reaches it, whatever rounds
        assert at(0.6, update, 0.6) <= update < at(0.6, update, 0.59)


def lambda_of(name, update, p, student, teacher):
    """Lambda of any schedule, by its name."""
    p = dataclasses.replace(p, name=jnp.int32(DECAY_NAMES.index(name)))
    return weight_at(jnp.int32(update), p, jnp.float32(student), jnp.float32(teacher))


@pytest.mark.parametrize(
    ("student", "teacher", "expected"),
    [
        (0.0, 0.8, 10.0),
        (0.4, 0.8, 5.5),  # half as good: halfway between start and floor
        (0.8, 0.8, 1.0),
        (1.0, 0.8, 1.0),  # better than its teacher
        (0.0, 0.0, 1.0),  # a teacher that never succeeds has little to say
        (0.3, 0.0, 1.0),
    ],
)
def test_adaptive_by_hand(student, teacher, expected):
    p = Decay("", *(jnp.float32(x) for x in (10.0, 1.0, 4.0, 6.0)))
    found = [float(lambda_of("adaptive", update, p, student, teacher)) for update in (0, 5, 6)]
    np.testing.assert_allclose(found, [expected, expected, 0], rtol=1e-5)


def test_schedules_of_time_alone_do_not_look_at_success():
    p = Decay("", *(jnp.float32(x) for x in (10.0, 1.0, 4.0, 6.0)))
    for name in SCHEDULES:
        found = {float(lambda_of(name, 2, p, s, 0.5)) for s in (0, 1)}
        assert found == {float(values(name, [2])[0])}


def test_recent_success_by_hand():
    # 20 episodes, 15 of them successes: a fifth of the way from 0.5 to 0.75.
    assert float(recent_success(jnp.float32(0.5), jnp.float32(20), jnp.float32(15))) == pytest.approx(0.55)
    # No episodes: no change. More than are looked back on: nothing of before is left.
    assert float(recent_success(jnp.float32(0.5), jnp.float32(0), jnp.float32(0))) == 0.5
    assert float(recent_success(jnp.float32(0.5), jnp.float32(250), jnp.float32(50))) == pytest.approx(0.2)


def test_first_short_successes_do_not_pass_for_the_rule():
    """Ten successes end at once, ninety failures later: the estimate never comes near 1."""
    estimate = recent_success(jnp.float32(0), jnp.float32(10), jnp.float32(10))
    assert float(estimate) == pytest.approx(0.1)
    estimate = recent_success(estimate, jnp.float32(90), jnp.float32(0))
    assert float(estimate) == pytest.approx(0.01)
