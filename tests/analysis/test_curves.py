"""Tests of learning curves: windows worked by hand, a plain loop as reference, bands over seeds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.analysis import curves

NAN, NEVER = math.nan, math.inf


def test_success_by_hand():
    # Two seeds, windows of at least 4 episodes.
    started = [[4, 3, 0, 2, 5, 1], [1, 1, 1, 1, 1, 1]]
    finished = [[4, 3, 0, 2, 5, 0], [1, 1, 1, 1, 1, 1]]
    succeeded = [[1, 2, 0, 2, 5, 0], [0, 0, 1, 1, 1, 0]]
    success = curves.success_while_learning(started, finished, succeeded, window=4)
    expected = [
        # update 0 alone; 1 needs 0 too (3 < 4); 2 started none; 3: 2 + 0 + 3 >= 4; 4 alone; 5 is unfinished
        [1 / 4, 3 / 7, 3 / 7, 4 / 5, 5 / 5, NAN],
        [NAN, NAN, NAN, 2 / 4, 3 / 4, 3 / 4],
    ]
    np.testing.assert_allclose(success, expected)


def test_success_waits_for_the_window_to_finish_only():
    # The unfinished episode of update 0 has left the window by update 2.
    success = curves.success_while_learning([[2, 2, 2]], [[1, 2, 2]], [[1, 1, 2]], window=4)
    np.testing.assert_allclose(success, [[NAN, NAN, 3 / 4]])


def test_success_of_unequal_seeds_and_no_updates():
    # A seed with huge counts must not disturb its neighbour.
    counts = np.array([[10**6, 10**6], [2, 2], [0, 0]])
    won = np.array([[0, 10**6], [2, 1], [0, 0]])
    success = curves.success_while_learning(counts, counts, won, window=4)
    np.testing.assert_allclose(success, [[0, 1], [NAN, 3 / 4], [NAN, NAN]])
    assert curves.success_while_learning(*[np.zeros((3, 0))] * 3).shape == (3, 0)


def plain_success(started, finished, succeeded, window):
    """The definition as a loop."""
    result = np.full(np.shape(started), NAN)
    for seed, row in enumerate(started):
        for update in range(len(row)):
            for first in range(update, -1, -1):
                span = slice(first, update + 1)
                if sum(row[span]) >= window:
                    if sum(finished[seed][span]) == sum(row[span]):
                        result[seed, update] = sum(succeeded[seed][span]) / sum(row[span])
                    break
    return result


@st.composite
def episode_counts(draw):
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 8)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    started = rng.integers(0, draw(st.integers(1, 6)), size=shape)
    finished = started - (rng.random(shape) < 0.1) * (started > 0)
    return started, finished, rng.integers(0, finished + 1)


@given(episode_counts(), st.integers(1, 12))
def test_success_is_the_plain_loop(counts, window):
    found = curves.success_while_learning(*counts, window)
    np.testing.assert_allclose(found, plain_success(*counts, window))


@given(episode_counts(), st.integers(1, 12))
def test_return_over_outcomes_is_success(counts, window):
    started, finished, succeeded = counts
    with np.errstate(invalid="ignore"):
        mean = succeeded / finished  # NaN where none finished
    found = curves.return_while_learning(started, finished, mean, window)
    np.testing.assert_allclose(found, curves.success_while_learning(*counts, window), atol=1e-12)


@pytest.mark.parametrize("window", [0, -1])
def test_window_must_be_positive(window):
    with pytest.raises(ValueError, match="at least one episode"):
        curves.success_while_learning([[1]], [[1]], [[1]], window)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="of one shape"):
        curves.success_while_learning([[1, 2]], [[1]], [[1, 2]])
    with pytest.raises(ValueError, match="of one shape"):
        curves.success_while_learning([1], [1], [1])
    with pytest.raises(ValueError, match="env_steps must be"):
        curves.env_steps_to_success([[1, 2]], [[1]], [[1]], [[1]])
    with pytest.raises(ValueError, match="returns must be"):
        curves.return_while_learning([[1]], [[1]], [[1, 2]])


def test_env_steps_to_success_by_hand():
    # One window of 100 an update. Seed 0 reaches 0.5, falls back, then 0.95; seed 1 stops at 0.8 exactly.
    succeeded = np.array([[10, 50, 40, 95], [0, 79, 80, 80]])
    started = np.full((2, 4), 100)
    steps = np.array([[1000, 2000, 3000, 4000], [1100, 2100, 3100, 4100]])
    found = curves.env_steps_to_success(steps, started, started, succeeded)
    assert list(found) == ["0.5", "0.8", "0.9", "0.95"]
    np.testing.assert_array_equal(found["0.5"], [2000, 2100])
    np.testing.assert_array_equal(found["0.8"], [4000, 3100])
    np.testing.assert_array_equal(found["0.9"], [4000, NEVER])
    np.testing.assert_array_equal(found["0.95"], [4000, NEVER])
    assert curves.median_env_steps(found) == {"0.5": 2050.0, "0.8": 3550.0, "0.9": None, "0.95": None}


def test_env_steps_to_success_ignores_unfinished_windows():
    found = curves.env_steps_to_success([[10, 20]], [[100, 100]], [[99, 100]], [[99, 60]], thresholds=(0.5,))
    np.testing.assert_array_equal(found["0.5"], [20])


def test_env_steps_to_success_without_updates_is_never():
    empty = np.zeros((2, 0))
    found = curves.env_steps_to_success(empty, empty, empty, empty)
    np.testing.assert_array_equal(found["0.5"], [NEVER, NEVER])


def test_median_counts_never_as_infinity():
    assert curves.median_env_steps({"0.9": [1.0, 2.0, NEVER]}) == {"0.9": 2.0}
    assert curves.median_env_steps({"0.9": [1.0, NEVER, NEVER]}) == {"0.9": None}


def test_learning_curve_by_hand():
    steps = [[10, 20, 30]] * 5
    values = [[NAN, 0.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.2, 0.0], [0.0, 0.3, 0.0], [0.0, 0.4, NAN]]
    curve = curves.learning_curve("a", steps, values)
    assert (curve.label, curve.seeds, curve.band) == ("a", 5, "iqr")
    np.testing.assert_array_equal(curve.env_steps, [20])  # elsewhere one seed is unknown
    np.testing.assert_allclose([curve.low, curve.centre, curve.high], [[0.1], [0.2], [0.3]])


def test_learning_curve_with_intervals():
    values = np.random.default_rng(0).random((16, 3))
    curve = curves.learning_curve("a", [[1, 2, 3]] * 16, values, band="ci95")
    assert np.all(curve.low < curve.centre)
    assert np.all(curve.centre < curve.high)
    assert curve.centre == pytest.approx(np.sort(values, axis=0)[4:12].mean(axis=0))


def test_learning_curve_on_unequal_steps():
    # Shared range: 20 to 40. Each seed counts with its latest value: of 20, 30, 30 and of 10, 25, 40.
    curve = curves.learning_curve("a", [[20, 30, 45], [10, 25, 40]], [[0.2, 0.4, 0.6], [0.0, 0.2, 1.0]])
    np.testing.assert_array_equal(curve.env_steps, [20, 30, 40])
    np.testing.assert_allclose(curve.centre, [(0.2 + 0.0) / 2, (0.4 + 0.2) / 2, (0.4 + 1.0) / 2])


@pytest.mark.parametrize("steps", [np.zeros((2, 0)), np.array([[10], [20]])])
def test_learning_curve_may_have_no_points(steps):
    curve = curves.learning_curve("a", steps, np.full(steps.shape, NAN))
    assert curve.env_steps.size == curve.centre.size == 0
    assert curves.learning_curve("a", steps, np.full(steps.shape, NAN), band="ci95").low.size == 0


def test_learning_curve_is_thinned_to_its_last_point():
    steps = np.arange(1, 1001)[None] * 10
    curve = curves.learning_curve("a", steps, np.linspace(0, 1, 1000)[None], max_points=50)
    assert curve.env_steps.size == 50
    assert (curve.env_steps[0], curve.env_steps[-1]) == (10, 10000)


def test_learning_curve_refuses_no_seeds():
    with pytest.raises(ValueError, match="must be alike"):
        curves.learning_curve("a", np.zeros((0, 3)), np.zeros((0, 3)))
