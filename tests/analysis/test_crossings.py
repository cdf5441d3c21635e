"""Tests of confirmed crossings: simulated students that noise must not carry across, cases worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.analysis import (
    confirmed_crossings,
    describe_crossings,
    env_steps_to_success,
    success_while_learning,
)
from jaxteach.analysis.crossings import EPISODES, FALSE_SHARE, MARGIN, evidence

NEVER = math.inf


def runs_of(success, n_runs, an_update=1, seed=0):
    """Runs of episodes that succeed with given probabilities, [episode], as arrays [run, update]."""
    rng = np.random.default_rng(seed)
    outcomes = rng.random((n_runs, len(success)), dtype=np.float32) < success
    succeeded = outcomes.reshape(n_runs, -1, an_update).sum(axis=2)
    started = np.full_like(succeeded, an_update)
    return np.cumsum(started, axis=1), started, started, succeeded  # an environment step an episode


def share_that_crosses(success, threshold, n_runs=600, an_update=1):
    """The share of runs with a confirmed crossing."""
    crossing = confirmed_crossings(*runs_of(success, n_runs, an_update), (threshold,))
    return np.isfinite(crossing[f"{threshold:g}"].env_steps).mean()


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("an_update", [1, 25])
def test_success_below_the_threshold_does_not_cross_it(threshold, an_update):
    below = np.full(EPISODES, threshold - MARGIN)
    assert share_that_crosses(below, threshold, an_update=an_update) <= FALSE_SHARE


def test_the_first_window_is_crossed_by_noise_and_a_confirmed_crossing_is_not():
    runs = runs_of(np.full(EPISODES, 0.7), 100)
    assert np.isfinite(env_steps_to_success(*runs, (0.8,))["0.8"]).mean() > 0.95
    confirmed = confirmed_crossings(*runs, (0.8,))["0.8"]
    assert not np.isfinite(confirmed.env_steps).any()


def test_success_that_rises_and_stays_below_does_not_cross():
    rising = np.linspace(0.0, 0.75, EPISODES)
    wavy = 0.7 + 0.05 * np.sin(np.arange(EPISODES) / 50)
    assert share_that_crosses(rising, 0.8) <= FALSE_SHARE
    assert share_that_crosses(wavy, 0.8) <= FALSE_SHARE


@pytest.mark.parametrize(("threshold", "success"), [(0.8, 0.9), (0.95, 1.0), (0.9, 1.0)])
@pytest.mark.parametrize("before", [0, 1000, 4000])
@pytest.mark.parametrize("low", [0.0, 0.5])
def test_a_jump_is_found_where_it_is_and_known_soon(threshold, success, before, low):
    jump = np.concatenate([np.full(before, low), np.full(2000, success)])
    found = confirmed_crossings(*runs_of(jump, 400), (threshold,))[f"{threshold:g}"]
    assert np.isfinite(found.env_steps).all()
    delay, wait = found.env_steps - before, found.known_after - before
    assert np.median(delay) <= 100 and np.median(wait) <= 300
    # Before the jump a lucky run of episodes may join what follows, but no long one.
    assert np.quantile(delay, 0.01) >= -30


def test_a_slow_rise_is_crossed_where_success_is_at_the_threshold():
    rise = np.linspace(0.0, 1.0, 6000)  # at 0.8 at episode 4800
    found = confirmed_crossings(*runs_of(rise, 400), (0.8,))["0.8"]
    assert np.median(found.env_steps) == pytest.approx(4800, abs=120)
    assert np.all(np.abs(found.env_steps - 4800) < 600)


def test_success_just_above_the_threshold_is_confirmed_in_time():
    for threshold in (0.8, 0.95):
        assert share_that_crosses(np.full(EPISODES, threshold + 0.02), threshold, 200) > 0.95


@pytest.mark.parametrize("threshold", [0.06, 0.2, 0.5, 0.8, 0.95, 0.999, 1 - 1e-9])
def test_the_evidence_is_that_of_its_definition(threshold):
    bound, p = evidence(threshold), threshold - MARGIN
    t = math.log(EPISODES / FALSE_SHARE) / bound
    # In logarithms, for t may be large.
    rise = np.logaddexp(math.log(p) + t * (1 - threshold), math.log(1 - p) - t * threshold)
    assert bound > 0 and rise == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("threshold", [0.0, MARGIN, 1.0, 1.2, -0.5, math.nan])
def test_thresholds_out_of_range_are_refused(threshold):
    with pytest.raises(ValueError, match=r"above 0.05 and below 1"):
        confirmed_crossings([[1]], [[1]], [[1]], [[1]], (threshold,))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="of one shape"):
        confirmed_crossings([[1, 2]], [[1, 2]], [[1]], [[1, 2]])
    with pytest.raises(ValueError, match="env_steps must be"):
        confirmed_crossings([[1, 2]], [[1]], [[1]], [[1]])


def test_crossings_by_hand():
    # Excess over 0.8, which has to rise by 22.9, an update of 100 episodes each:
    succeeded = np.array(
        [
            [0, 90, 90, 90, 0, 100],  # -80 -70 -60 -50: risen by 30 in the 4th; what follows does not matter
            [0, 90, 90, 70, 90, 90],  # -80 -70 -60 -70 -60 -50: by 30 in the last, from the first on
            [0, 95, 60, 90, 80, 95],  # -80 -65 -85 -75 -75 -60: begins anew in the 4th, by 25 in the last
            [0, 99, 76, 60, 99, 80],  # -80 -61 -65 -85 -66 -66: twice by 19
            [100, 0, 0, 0, 0, 0],  # 20 is too little
        ]
    )
    steps = np.cumsum(np.full(succeeded.shape, 10), axis=1)
    counts = np.full(succeeded.shape, 100)
    crossing = confirmed_crossings(steps, counts, counts, succeeded, (0.8,))["0.8"]
    np.testing.assert_array_equal(crossing.env_steps, [20, 20, 40, NEVER, NEVER])
    np.testing.assert_array_equal(crossing.known_after, [40, 60, 60, NEVER, NEVER])
    facts = describe_crossings({"0.8": crossing})
    assert facts == {"0.8": {"env_steps": 40.0, "known_after": 60.0, "seeds": 3}}


def test_updates_without_episodes_are_passed_over():
    counts = [[100, 0, 0, 200]]
    crossing = confirmed_crossings([[1, 2, 3, 4]], counts, counts, [[79, 0, 0, 200]], (0.5, 0.8))
    assert (crossing["0.8"].env_steps.tolist(), crossing["0.8"].known_after.tolist()) == ([4], [4])
    assert (crossing["0.5"].env_steps.tolist(), crossing["0.5"].known_after.tolist()) == ([1], [4])


def test_episodes_that_have_not_finished_count_as_failures():
    # 40 of the last update's 100 still run: the 60 that have succeeded are no evidence, but 95 are.
    counts = [[100, 100]]
    crossing = confirmed_crossings([[1, 2]], counts, [[100, 60]], [[90, 60]], (0.8,))["0.8"]
    assert crossing.env_steps.tolist() == [NEVER]
    crossing = confirmed_crossings([[1, 2]], counts, [[100, 95]], [[90, 95]], (0.8,))["0.8"]
    assert (crossing.env_steps.tolist(), crossing.known_after.tolist()) == ([1], [2])


def test_a_window_before_the_lowest_place_does_not_count():
    # Lucky at 10, a lasting rise from 30 on; in between the student is at 0.5.
    counts, succeeded = [[100] * 6], [[85, 50, 85, 95, 95, 95]]
    steps = [[10, 20, 30, 40, 50, 60]]
    assert env_steps_to_success(steps, counts, counts, succeeded, (0.8,))["0.8"].tolist() == [10]
    assert confirmed_crossings(steps, counts, counts, succeeded, (0.8,))["0.8"].env_steps.tolist() == [30]


def test_the_window_is_that_of_the_caller():
    steps, counts = [[10, 20, 30, 40, 50, 60]], [[50] * 6]
    succeeded = [[20, 50, 50, 50, 50, 50]]
    for window, expected in ((50, 20), (100, 30), (150, 30), (250, 50)):
        found = confirmed_crossings(steps, counts, counts, succeeded, (0.8,), window)["0.8"]
        assert found.env_steps.tolist() == [expected] and found.known_after.tolist() == [max(expected, 40)]


def test_the_end_of_a_run_confirms_nothing_by_itself():
    late = np.concatenate([np.zeros(500), np.ones(120)])
    found = confirmed_crossings(*runs_of(late, 3), (0.8, 0.95))  # 115 and 159 successes are needed
    assert np.isfinite(found["0.8"].env_steps).all()
    assert not np.isfinite(found["0.95"].env_steps).any()


def test_without_updates_or_where_half_never_cross_it_is_never():
    empty = np.zeros((2, 0))
    crossing = confirmed_crossings(empty, empty, empty, empty)["0.5"]
    np.testing.assert_array_equal(crossing.env_steps, [NEVER, NEVER])
    np.testing.assert_array_equal(crossing.known_after, [NEVER, NEVER])
    facts = {"env_steps": None, "known_after": None, "seeds": 0}
    assert describe_crossings({"0.5": crossing}) == {"0.5": facts}


def plain_crossing(env_steps, started, succeeded, threshold, window):
    """The definition as a loop, for a seed all of whose episodes have finished."""
    rates = success_while_learning([started], [started], [succeeded], window)[0]
    lowest, begins, bound = 0.0, 0, evidence(threshold)
    n_started = n_succeeded = 0
    for update, steps in enumerate(env_steps):
        n_started, n_succeeded = n_started + started[update], n_succeeded + succeeded[update]
        excess = n_succeeded - threshold * n_started
        if excess <= lowest:
            lowest, begins = excess, update + 1
        if excess - lowest >= bound:
            crossed = [env_steps[u] for u in range(begins, len(rates)) if rates[u] >= threshold]
            return (crossed[0], max(steps, crossed[0])) if crossed else (NEVER, NEVER)
    return NEVER, NEVER


@given(
    st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.5, 0.8, 0.95]), st.integers(1, 40), st.integers(1, 200)
)
def test_a_crossing_is_the_plain_loop(seed, threshold, most, window):
    rng = np.random.default_rng(seed)
    started = rng.integers(0, most + 1, size=(3, 60))
    succeeded = rng.binomial(started, rng.choice([0.3, threshold, 1.0], size=(3, 60)))
    steps = np.cumsum(rng.integers(1, 9, size=(3, 60)), axis=1)
    found = confirmed_crossings(steps, started, started, succeeded, (threshold,), window)[f"{threshold:g}"]
    rows = zip(steps, started, succeeded, strict=True)
    expected = np.array([plain_crossing(*row, threshold, window) for row in rows])
    np.testing.assert_array_equal(np.stack([found.env_steps, found.known_after], axis=1), expected)
