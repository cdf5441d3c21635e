"""Tests of the statistics over seeds: cases worked by hand, scipy where it agrees, and properties."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, trim_mean

from jaxteach.analysis import statistics

SCORES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=13)
NEVER = math.inf


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([3.0], 3.0),
        ([1.0, 2.0], 1.5),
        ([0.0, 3.0, 9.0], (0.25 * 0 + 3 + 0.25 * 9) / 1.5),
        ([1.0, 2.0, 4.0, 100.0], 3.0),
        ([0.0, 2.0, 3.0, 5.0, 100.0], (0.75 * 2 + 3 + 0.75 * 5) / 2.5),
        ([9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -7.0], 3.5),
        # Two tasks weigh the same: 2 seeds of weight 1/4 at 0 and 1, 4 seeds of 1/8 at 2, 3, 4, 5.
        ([[0.0, 1.0], [2.0, 3.0, 4.0, 5.0]], (1 / 4 * 1 + 1 / 8 * 2 + 1 / 8 * 3) / (1 / 2)),
        ({"a": [0.0, 1.0], "b": [2.0, 3.0]}, 1.5),
        ([1.0, 2.0, 4.0, NEVER], 3.0),
        ([1.0, 2.0, NEVER, NEVER], NEVER),
    ],
)
def test_iqm_by_hand(scores, expected):
    assert statistics.iqm(scores) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.floats(-100, 100), min_size=4, max_size=40))
def test_iqm_is_scipys_where_a_quarter_is_whole(scores):
    whole = scores[: len(scores) // 4 * 4]
    assert statistics.iqm(whole) == pytest.approx(trim_mean(whole, 0.25), abs=1e-9)


@given(SCORES)
def test_iqm_is_the_definition_on_repeated_scores(scores):
    # Repeating every score four times makes a quarter whole without changing the distribution.
    assert statistics.iqm(scores) == pytest.approx(trim_mean(np.repeat(scores, 4), 0.25), abs=1e-9)


@given(SCORES, st.randoms(use_true_random=False))
def test_statistic_ignores_the_order_of_seeds(scores, random):
    shuffled = list(scores)
    random.shuffle(shuffled)
    assert statistics.statistic(shuffled, resamples=50) == statistics.statistic(scores, resamples=50)


@given(SCORES)
def test_statistic_stays_within_the_scores(scores):
    found = statistics.statistic(scores, resamples=50)
    low, high = found["ci95"]
    assert min(scores) <= low <= high <= max(scores)
    assert min(scores) <= found["iqm"] <= max(scores)
    assert min(scores) <= found["mean"] <= max(scores)


@given(SCORES, st.integers(-3, 3))
def test_statistic_moves_with_the_scores(scores, shift):
    here = statistics.statistic(scores, resamples=50)
    there = statistics.statistic(np.add(scores, shift), resamples=50)
    assert there["iqm"] == pytest.approx(here["iqm"] + shift, abs=1e-9)
    assert there["ci95"] == pytest.approx(np.add(here["ci95"], shift), abs=1e-9)


def test_statistic_of_one_seed_is_a_point():
    assert statistics.statistic([0.25]) == {"mean": 0.25, "iqm": 0.25, "ci95": [0.25, 0.25], "n": 1}


def test_statistic_of_equal_seeds_is_exact():
    assert statistics.statistic([0.7] * 7) == {"mean": 0.7, "iqm": 0.7, "ci95": [0.7, 0.7], "n": 7}


def test_mean_weighs_tasks_equally():
    assert statistics.mean([1.0, 2.0, 6.0]) == pytest.approx(3.0)
    assert statistics.mean([[0.0, 1.0, 2.0], [5.0]]) == pytest.approx(3.0)
    assert statistics.mean(np.array([[0.0, 1.0], [2.0, 5.0]])) == pytest.approx(2.0)


def test_interval_of_two_seeds_is_their_range():
    # Of two seeds the mean of a resample is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4: tails of 2.5 % cut
    # nothing off, tails of 30 % cut 0 and 1 off.
    assert statistics.bootstrap_interval([0.0, 1.0], "mean") == (0.0, 1.0)
    assert statistics.bootstrap_interval([0.0, 1.0], "mean", level=0.4) == (0.5, 0.5)


def test_interval_resamples_within_tasks_only():
    # Within each task all seeds agree, so nothing can vary; pooled, the mean would.
    assert statistics.bootstrap_interval([[0.0, 0.0, 0.0], [1.0, 1.0]], "mean") == pytest.approx((0.5, 0.5))
    low, high = statistics.bootstrap_interval([0.0, 0.0, 0.0, 1.0, 1.0], "mean")
    assert low < 0.4 < high


def test_interval_is_that_of_a_plain_bootstrap():
    scores = np.random.default_rng(3).normal(size=21)
    rng = np.random.default_rng(11)
    plain = [trim_mean(np.repeat(rng.choice(scores, 21), 4), 0.25) for _ in range(4000)]
    low, high = np.quantile(plain, [0.025, 0.975])
    assert statistics.bootstrap_interval(scores) == pytest.approx((low, high), abs=0.05)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        low, high = statistics.bootstrap_interval(rng.normal(size=32), resamples=400, seed=trial)
        covered += low <= 0.0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_interval_is_deterministic_and_seeded():
    scores = np.random.default_rng(0).random(10)
    assert statistics.bootstrap_interval(scores) == statistics.bootstrap_interval(scores)
    assert statistics.bootstrap_interval(scores, seed=0) != statistics.bootstrap_interval(scores, seed=1)


def test_intervals_take_little_memory_whatever_the_seeds():
    scores = np.random.default_rng(0).random(2048)
    tracemalloc.start()
    try:
        statistics.statistic(scores, resamples=1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30e6


def test_interval_in_several_batches(monkeypatch):
    scores = np.random.default_rng(0).random(40)
    whole = statistics.bootstrap_interval(scores)
    monkeypatch.setattr("jaxteach.analysis.resampling._BATCH_ELEMENTS", 100)
    assert statistics.bootstrap_interval(scores) == pytest.approx(whole, abs=0.02)


@pytest.mark.parametrize("scores", [[], [[]], [[1.0], []], {}, [math.nan, 1.0], np.zeros((2, 2, 2))])
def test_scores_that_are_none_are_refused(scores):
    with pytest.raises(ValueError, match="scores must"):
        statistics.statistic(scores)


def test_statistic_refuses_infinity():
    with pytest.raises(ValueError, match="finite"):
        statistics.statistic([1.0, NEVER])


def test_probability_of_improvement_by_hand():
    # Pairs: 1>0, 1=1 (half), 3>0, 3>1: 3.5 of 4.
    share, (low, high) = statistics.probability_of_improvement([1.0, 3.0], [0.0, 1.0])
    assert share == pytest.approx(3.5 / 4)
    assert (low, high) == (0.5, 1.0)  # at worst both draw 1, at best x is always above
    assert statistics.probability_of_improvement([2.0], [2.0]) == (0.5, (0.5, 0.5))
    assert statistics.probability_of_improvement([NEVER], [7.0, 9.0]) == (1.0, (1.0, 1.0))


def test_probability_of_improvement_averages_tasks():
    x = {"a": [1.0, 1.0], "b": [0.0, 0.0, 2.0]}
    y = {"b": [1.0], "a": [0.0]}
    share, (low, high) = statistics.probability_of_improvement(x, y)
    assert share == pytest.approx((1 + 1 / 3) / 2)
    assert (low, high) == (0.5, 1.0)
    with pytest.raises(ValueError, match="different tasks"):
        statistics.probability_of_improvement(x, {"a": [0.0]})
    with pytest.raises(ValueError, match="2 tasks and y 1"):
        statistics.probability_of_improvement([[1.0], [2.0]], [1.0])


@given(SCORES, SCORES)
def test_probability_of_improvement_is_mann_whitney(x, y):
    share, (low, high) = statistics.probability_of_improvement(x, y, resamples=50)
    back, _ = statistics.probability_of_improvement(y, x, resamples=50)
    assert share == pytest.approx(mannwhitneyu(x, y).statistic / (len(x) * len(y)))
    assert share + back == pytest.approx(1.0)
    assert 0.0 <= low <= high <= 1.0


@pytest.mark.parametrize(
    ("steps", "median", "reached"),
    [
        ([500.0], 500.0, 1.0),
        ([100.0, 300.0], 200.0, 1.0),
        ([100.0, NEVER], None, 0.5),
        ([300.0, 100.0, NEVER], 300.0, 2 / 3),
        ([100.0, 200.0, NEVER, NEVER], None, 0.5),
        ([NEVER, NEVER], None, 0.0),
    ],
)
def test_sample_efficiency_by_hand(steps, median, reached):
    found = statistics.sample_efficiency(steps)
    assert (found["median"], found["reached"], found["n"]) == (median, pytest.approx(reached), len(steps))


def test_sample_efficiency_interval_may_end_in_never():
    assert statistics.sample_efficiency([100.0, 300.0, NEVER])["ci95"] == [100.0, None]
    assert statistics.sample_efficiency([NEVER] * 3)["ci95"] == [None, None]
    assert statistics.sample_efficiency([4.0] * 3)["ci95"] == [4.0, 4.0]


@given(SCORES)
def test_median_estimator_is_numpys(scores):
    sample = statistics.lay_out(scores)
    found = statistics.point(sample, statistics.ESTIMATORS["median"])
    assert found == pytest.approx(np.median(scores), abs=1e-9)


def test_performance_profile_by_hand():
    profile = statistics.performance_profile([0.0, 0.5, 0.5, 1.0], [-1.0, 0.0, 0.5, 1.0])
    assert profile.share == pytest.approx([1.0, 0.75, 0.25, 0.0])  # above, not at
    assert profile.low[0] == profile.high[0] == 1.0
    assert profile.low[1] < 0.75 < profile.high[1]
    tasks = statistics.performance_profile([[0.0], [1.0, 1.0, 0.0]], [0.5])
    assert tasks.share == pytest.approx([(0 + 2 / 3) / 2])


@given(SCORES)
def test_performance_profile_never_rises(scores):
    profile = statistics.performance_profile(scores, np.linspace(-100, 100, 9), resamples=50)
    for curve in (profile.share, profile.low, profile.high):
        assert np.all(np.diff(curve) <= 1e-12)
    assert np.all(profile.low <= profile.high)


def test_ratios_of_steps_by_hand():
    assert statistics.steps_ratio([200, 400, 600], [100, 200, 300])[0] == 2.0
    ratio, (low, high) = statistics.steps_ratio([200, 400], [100, 100])
    assert (ratio, low, high) == (3.0, 2.0, 4.0)  # both draws the one seed, or the other
    assert statistics.steps_ratio([NEVER, NEVER], [1, 1]) == (NEVER, (NEVER, NEVER))
    assert statistics.steps_ratio([2.0, NEVER], [1, 1]) == (NEVER, (2.0, NEVER))
    with pytest.raises(ValueError, match="never"):
        statistics.steps_ratio([1.0], [NEVER])
