"""Tests of advantages and returns: cases worked by hand, and a plain loop."""

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from jaxteach.student.returns import gae, next_values

# Four environments side by side that differ only in how step 1 ends: T = 3.
ENDS = ("continues", "terminated", "truncated", "both")
REWARDS = np.tile([[1.0], [0.0], [2.0]], 4).astype(np.float32)
VALUES = np.tile([[1.0], [2.0], [4.0]], 4).astype(np.float32)
LAST, FINAL = np.full(4, 8.0, np.float32), np.full(4, 10.0, np.float32)
TERMINATED, TRUNCATED = np.zeros((3, 4), bool), np.zeros((3, 4), bool)
TERMINATED[1], TRUNCATED[1] = [0, 1, 0, 1], [0, 0, 1, 1]


def advantages(gae_lambda):
    """Gamma is 0.5."""
    bootstrap = next_values(VALUES, LAST, FINAL, TRUNCATED)
    return np.asarray(gae(REWARDS, VALUES, bootstrap, TERMINATED, TRUNCATED, 0.5, gae_lambda))


def test_next_values_are_the_truncated_states_own():
    following = next_values(VALUES, LAST, FINAL, TRUNCATED)
    np.testing.assert_array_equal(following, [[2, 2, 2, 2], [4, 4, 10, 10], [8, 8, 8, 8]])


def test_next_values_refuse_values_of_another_shape():
    with pytest.raises(AssertionError):
        next_values(VALUES, LAST[:3], FINAL, TRUNCATED)


def test_gae_by_hand():
    # delta_2 = 2 + 4 - 4 = 2 and delta_0 = 1 + 1 - 1 = 1 everywhere; what one step passes back is a quarter.
    # delta_1: 0 + 2 - 2 = 0, terminated 0 - 2 = -2, truncated 0 + 5 - 2 = 3.
    expected = {"continues": [1.125, 0.5, 2], "terminated": [0.5, -2, 2], "truncated": [1.75, 3, 2]}
    expected["both"] = expected["terminated"]
    np.testing.assert_allclose(advantages(0.5), np.transpose([expected[end] for end in ENDS]), rtol=1e-6)


def test_monte_carlo_by_hand():
    # Returns: 2 + 8 / 2 = 6 at step 2, then half of the next one's, or of what stands in for the rest.
    expected = {
        "continues": [2.5, 3, 6],
        "terminated": [1, 0, 6],
        "truncated": [3.5, 5, 6],
        "both": [1, 0, 6],
    }
    np.testing.assert_allclose(
        advantages(1.0) + VALUES, np.transpose([expected[end] for end in ENDS]), rtol=1e-6
    )


def test_one_step_advantages_are_the_errors_of_the_values():
    expected = {"continues": [1, 0, 2], "terminated": [1, -2, 2], "truncated": [1, 3, 2], "both": [1, -2, 2]}
    np.testing.assert_allclose(advantages(0.0), np.transpose([expected[end] for end in ENDS]), rtol=1e-6)


def test_an_episode_that_ends_with_the_window():
    one, ends = np.ones((1, 1), np.float32), np.ones((1, 1), bool)
    last, final = np.array([7.0]), np.array([3.0])
    kept = gae(one, 0 * one, next_values(one, last, final, ends), ~ends, ends, 0.5, 0.9)
    lost = gae(one, 0 * one, next_values(one, last, final, ~ends), ends, ~ends, 0.5, 0.9)
    open_ = gae(one, 0 * one, next_values(one, last, final, ~ends), ~ends, ~ends, 0.5, 0.9)
    assert [float(x[0, 0]) for x in (kept, lost, open_)] == [2.5, 1.0, 4.5]


@jax.jit
def estimate(rewards, values, last, final, terminated, truncated, gamma, gae_lambda):
    bootstrap = next_values(values, last, final, truncated)
    return gae(rewards, values, bootstrap, terminated, truncated, gamma, gae_lambda)


numbers = st.floats(-2, 2, width=32)
STEPS = (6, 3)


@given(
    rewards=hnp.arrays(np.float32, STEPS, elements=numbers),
    values=hnp.arrays(np.float32, STEPS, elements=numbers),
    ends=hnp.arrays(np.int8, STEPS, elements=st.integers(0, 3)),
    last=hnp.arrays(np.float32, STEPS[1:], elements=numbers),
    final=hnp.arrays(np.float32, STEPS[1:], elements=numbers),
    gamma=st.floats(0, 1),
    gae_lambda=st.floats(0, 1),
)
def test_gae_equals_its_definition(rewards, values, ends, last, final, gamma, gae_lambda):
    terminated, truncated = (ends & 1).astype(bool), (ends & 2).astype(bool)
    found = np.asarray(estimate(rewards, values, last, final, terminated, truncated, gamma, gae_lambda))
    for e in range(STEPS[1]):
        for t in range(STEPS[0]):
            # A_t = sum over k of (gamma lambda)^k delta_{t+k}, up to the episode's end.
            expected, weight = 0.0, 1.0
            for k in range(t, STEPS[0]):
                after = values[k + 1, e] if k + 1 < STEPS[0] else last[e]
                after = 0.0 if terminated[k, e] else final[e] if truncated[k, e] else after
                expected += weight * (rewards[k, e] + gamma * after - values[k, e])
                weight *= gamma * gae_lambda
                if terminated[k, e] or truncated[k, e]:
                    break
            assert found[t, e] == pytest.approx(expected, rel=1e-4, abs=1e-4)
