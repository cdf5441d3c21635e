"""Estimators, on cases worked by hand."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.llm import estimators
from jaxteach.tasks.language import Option
from jaxteach.teacher import Plan

EXPLORE, GO, TAKE = Option("explore"), Option("go to", "key"), Option("pick up", "key")


def figures(plans):
    return [(plan.options, pytest.approx(plan.probability)) for plan in plans]


def test_sample_counts_whole_plans():
    plans = estimators.sample([(GO,), (GO, TAKE), (EXPLORE,), (GO, TAKE)])
    assert [(p.options, p.probability, p.count) for p in plans] == [
        ((GO, TAKE), 0.5, 2),
        ((GO,), 0.25, 1),
        ((EXPLORE,), 0.25, 1),
    ]


def test_verbalized_averages_answers():
    plans = estimators.verbalized([[((EXPLORE,), 1.0)], [((EXPLORE,), 0.2), ((GO, TAKE), 0.8)]])
    assert figures(plans) == [((EXPLORE,), 0.6), ((GO, TAKE), 0.4)]
    assert all(plan.count is None for plan in plans)


def test_score_is_a_softmax():
    scores = {EXPLORE: math.log(0.2), GO: math.log(0.1), TAKE: math.log(0.1)}
    assert figures(estimators.score(scores)) == [((EXPLORE,), 0.5), ((GO,), 0.25), ((TAKE,), 0.25)]


def test_score_temperature_takes_the_root_of_odds():
    scores = {EXPLORE: math.log(0.9), GO: math.log(0.1)}
    hot = estimators.score(scores, temperature=2.0)
    assert hot[0].probability / hot[1].probability == pytest.approx(3.0)


def test_calibration_takes_out_what_the_model_says_anyway():
    scores = {EXPLORE: math.log(0.8), GO: math.log(0.2)}
    anyway = {EXPLORE: math.log(0.8), GO: math.log(0.1)}
    plans = estimators.score(scores, baseline=anyway)
    assert figures(plans) == [((GO,), 2 / 3), ((EXPLORE,), 1 / 3)]
    assert figures(estimators.score(scores, baseline=scores)) == [((EXPLORE,), 0.5), ((GO,), 0.5)]


def test_huge_log_likelihoods_do_not_overflow():
    plans = estimators.score({EXPLORE: -1e6, GO: -1e6 + math.log(3)}, temperature=1.0)
    assert figures(plans) == [((GO,), 0.75), ((EXPLORE,), 0.25)]


def test_mask_keeps_order_and_ratios():
    plans = (Plan((EXPLORE,), 0.5, 5), Plan((GO, TAKE), 0.3, 3), Plan((TAKE,), 0.2, 2))
    kept = estimators.masked(plans, {GO, TAKE}.__contains__)
    assert [(p.options, p.count) for p in kept] == [((GO, TAKE), 3), ((TAKE,), 2)]
    assert [p.probability for p in kept] == pytest.approx([0.6, 0.4])
    assert estimators.masked(plans, set().__contains__) == ()


def test_mass_and_entropy_by_hand():
    plans = (Plan((EXPLORE,), 0.5), Plan((GO, TAKE), 0.25), Plan((GO,), 0.25), Plan((TAKE,), 0.0))
    assert estimators.mass(plans, lambda option: option == GO) == 0.5
    assert estimators.entropy(plans) == 1.5
    assert math.copysign(1, estimators.entropy([Plan((EXPLORE,), 1.0)])) == 1


@given(
    st.lists(st.floats(-500, 0), min_size=1, max_size=12),
    st.floats(1, 20),
    st.floats(-1e3, 1e3),
)
def test_score_sums_to_one_keeps_the_order_and_ignores_a_shift(values, temperature, shift):
    options = [Option("go to", f"thing {i}") for i in range(len(values))]
    plans = estimators.score(dict(zip(options, values, strict=True)), temperature)
    moved = estimators.score({o: v + shift for o, v in zip(options, values, strict=True)}, temperature)
    assert math.fsum(p.probability for p in plans) == pytest.approx(1)
    ranked = [values[options.index(p.options[0])] for p in plans]
    assert all(a >= b - 1e-9 * abs(b) - 1e-9 for a, b in itertools.pairwise(ranked))
    chances = {p.options: p.probability for p in moved}
    assert all(chances[p.options] == pytest.approx(p.probability, abs=1e-6) for p in plans)
