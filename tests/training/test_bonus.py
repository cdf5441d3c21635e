"""Tests of the bonus for rare observations: counts worked by hand, and nothing else changed by them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.config import resolve
from jaxteach.config.pytree import make_hyper
from jaxteach.training import train
from jaxteach.training.bonus import digest, visit, visit_bonus
from jaxteach.training.ppo import targets
from jaxteach.training.rollout import collect
from jaxteach.training.state import init_seed, make_plan
from tests.training.conftest import EPISODES, STEPS, experience

pytestmark = pytest.mark.unoptimised


def counting(config, weight=0.5):
    return dataclasses.replace(
        config, ppo=dataclasses.replace(config.ppo, bonus="visits", bonus_weight=weight)
    )


def test_counts_by_hand():
    """Two environments; the first's episode ends after four steps, and what it showed is forgotten."""
    shown = np.array([[7, 1], [7, 2], [8, 1], [7, 1], [7, 1], [8, 3]], np.uint8)  # [time, env]
    clocks = np.array([[0, 0], [1, 1], [2, 2], [3, 3], [0, 4], [1, 5]], np.int32)
    visited, counts = jnp.full((2, 6), 9, jnp.uint32), []
    for obs, clock in zip(shown, clocks, strict=True):
        count, visited = visit(visited, jnp.asarray(clock), jnp.asarray(obs)[:, None])
        counts.append(count.tolist())
    assert counts == [[1, 1], [2, 1], [1, 2], [3, 3], [1, 4], [1, 1]]


def test_bonus_by_hand():
    visits = np.array([[1, 9], [4, 1], [1, 1]], np.int32)
    ended = np.array([[False, True], [True, False], [False, False]])
    found = visit_bonus(visits, np.array([16, 1], np.int32), ended, 2.0)
    # Of the observation that the step leads to: 2 / sqrt(4), nothing at an end, 2 / sqrt(16).
    np.testing.assert_array_equal(found, [[1.0, 0.0], [0.0, 2.0], [0.5, 2.0]])


def test_observations_are_told_apart():
    rng = np.random.default_rng(1)
    obs = {"map": rng.integers(0, 9, (500, 5, 5, 3)).astype(np.uint8), "speed": rng.normal(size=(500, 2))}
    obs = jax.tree.map(jnp.asarray, obs)
    assert len(np.unique(digest(obs))) == 500
    assert int(digest(obs)[3]) == int(digest(jax.tree.map(lambda x: x[3:4], obs))[0])
    moved = {**obs, "speed": obs["speed"].at[0, 0].add(1e-3)}
    np.testing.assert_array_equal(np.flatnonzero(digest(moved) != digest(obs)), [0])
    swapped = {**obs, "map": obs["map"].swapaxes(1, 2)}
    assert (np.asarray(digest(swapped)) != np.asarray(digest(obs))).mean() > 0.99


@pytest.fixture(
    scope="module",
    params=[STEPS, pytest.param(EPISODES, marks=pytest.mark.slow)],
    ids=["steps", "episodes"],
)
def run(request):
    plan = make_plan(resolve(counting(request.param)), taught=True)  # taught: the rows keep observations
    return experience(plan, 2)


def test_rows_count_the_observations_of_their_episode(run):
    rows = jax.tree.map(lambda x: np.asarray(x[:, 0]), run.rollouts.rows)
    again = 0
    for e in range(rows.valid.shape[2]):
        seen: dict[bytes, int] = {}
        for u, t in np.argwhere(rows.valid[:, :, e]):
            if rows.first[u, t, e]:
                seen = {}
            key = rows.obs[u, t, e].tobytes()
            seen[key] = seen.get(key, 0) + 1
            assert rows.visits[u, t, e] == seen[key]
            again += seen[key] > 1
    assert again > 20
    if not run.plan.by_episodes:  # the next update's first rows show what the last ones led to
        np.testing.assert_array_equal(run.rollouts.last_visits[0, 0], rows.visits[1, 0])


def test_the_bonus_is_for_ppo_alone(run):
    """Targets are those of rewards with the bonus in them; the rewards that are counted have none."""
    rollout = jax.tree.map(lambda x: x[0, 0], run.rollouts)
    rows = rollout.rows
    silence = jnp.zeros((*rows.action.shape, 7))
    found = targets(run.plan, rollout, silence, make_hyper(run.plan.config, 8))
    ended = np.asarray(rows.terminated | rows.truncated)
    after = np.concatenate([rows.visits[1:], rollout.last_visits[None]])
    given = np.where(ended, 0, 0.5 / np.sqrt(np.maximum(after, 1)))
    plain = rollout.replace(rows=rows.replace(reward=rows.reward + given.astype(np.float32), visits=None))
    expected = targets(run.plan, plain, silence, make_hyper(run.plan.config, 8))
    valid = np.asarray(rows.valid)
    np.testing.assert_allclose(found.returns[valid], expected.returns[valid], rtol=1e-5)
    assert (
        np.abs(np.asarray(found.returns - targets_without(run, rollout, silence).returns)[valid]).max() > 0.1
    )
    assert set(np.unique(rows.reward[~ended & valid])) == {0.0}
    total = float(jnp.sum(jnp.where(rows.valid, rows.reward, 0)))
    if run.plan.by_episodes:
        np.testing.assert_allclose(float(rollout.outcomes[:, 2].sum()), total, rtol=1e-5)


def targets_without(run, rollout, silence):
    plain = rollout.replace(rows=rollout.rows.replace(visits=None))
    return targets(run.plan, plain, silence, make_hyper(run.plan.config, 8))


def test_without_it_there_is_nothing_to_carry():
    def shapes(config):
        plan = make_plan(resolve(config), taught=True)
        state = jax.eval_shape(lambda: init_seed(plan, jnp.uint32(0)))
        going = jax.ShapeDtypeStruct((), bool)
        begin = functools.partial(collect, plan)
        return state, jax.eval_shape(begin, state, jax.random.key(0), jnp.int32(0), going)[1]

    (state, rollout), (counted, rows) = shapes(STEPS), shapes(counting(STEPS))
    assert state.visited is None and rollout.rows.visits is None and rollout.last_visits is None
    assert counted.visited.shape == (4, 20) and rows.rows.visits.shape == (16, 4)
    assert len(jax.tree.leaves(counted)) == len(jax.tree.leaves(state)) + 1


def test_a_weight_of_zero_gives_the_targets_of_none(run):
    """To the bit; and the weight is given to the program, not compiled into it."""
    rollout = jax.tree.map(lambda x: x[0, 0], run.rollouts)
    silence = jnp.zeros((*rollout.rows.action.shape, 7))
    hyper = make_hyper(run.plan.config, 8).changed({"ppo.bonus_weight": jnp.float32(0)})
    found = targets(run.plan, rollout, silence, hyper)
    jax.tree.map(np.testing.assert_array_equal, found, targets_without(run, rollout, silence))


@pytest.mark.slow
def test_a_weight_of_zero_gives_the_bits_of_none(training, table):
    """So does a whole run, and a sweep over the weight compiles once."""
    config = dataclasses.replace(
        counting(STEPS), seeds=4, sweep=("ppo.bonus_weight=0,0.5",)
    )  # two points of four seeds: the width of the run without
    both = train(config, table)
    assert len(both.chunks) == 1
    for name, values in both.metrics.items():
        if name == "policy_loss":
            assert np.any(values[:4] != values[4:])
        np.testing.assert_array_equal(values[:4], training.metrics[name][:4], err_msg=name)
    for one, other in zip(jax.tree.leaves(both.params), jax.tree.leaves(training.params), strict=True):
        np.testing.assert_array_equal(one[:4], other[:4])
