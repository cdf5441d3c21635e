"""Tests of plans that are held: one draw for each abstract state and episode, in training and in play."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.config import Corrupt, Distill, resolve
from jaxteach.teacher.corruption import make_teacher
from jaxteach.teacher.policy import teacher_policy
from jaxteach.training import compile_program, train
from jaxteach.training.evaluation import play_teacher
from jaxteach.training.loop import ask_teacher, held_of
from jaxteach.training.state import make_plan
from tests.training.conftest import EPISODES, STEPS

pytestmark = pytest.mark.unoptimised

HELD = dataclasses.replace(STEPS, distill=Distill(teacher="held"))


def stub(n_steps, n_states=5):
    """As much of a plan as the draws depend on."""
    return SimpleNamespace(
        n_steps=n_steps, task=SimpleNamespace(language=SimpleNamespace(states=range(n_states)))
    )


def draws(clock, update, seeds=(3,)):
    """The draws of an update, [seed, time, env, S]."""
    clock = jnp.tile(jnp.asarray(clock, jnp.int32), (len(seeds), 1, 1))
    rollout = SimpleNamespace(rows=SimpleNamespace(clock=clock))
    return np.asarray(
        held_of(stub(clock.shape[1]), rollout, jnp.asarray(seeds, jnp.uint32), jnp.int32(update))
    )


def test_draws_last_as_long_as_the_episode_and_no_longer():
    # Two environments, four steps an update. Episodes of the first: A A A B, B B C C; of the second: one.
    before = draws([[0, 0], [1, 1], [2, 2], [0, 3]], 0)[0]
    after = draws([[1, 4], [2, 5], [0, 6], [1, 7]], 1)[0]
    whole = np.concatenate([before, after])  # [8, 2, S]
    assert whole.shape == (8, 2, 5) and (whole >= 0).all() and (whole < 1).all()
    episodes = [whole[:3, 0], whole[3:6, 0], whole[6:, 0], whole[:, 1]]
    for own in episodes:
        assert (own == own[0]).all()
    different = np.stack([own[0] for own in episodes])
    assert len(np.unique(different)) == different.size  # nor are those of two states alike


def test_draws_follow_from_the_seed_alone():
    clock = [[0, 0], [1, 0]]
    both = draws(clock, 7, seeds=(3, 4))
    np.testing.assert_array_equal(both[0], draws(clock, 7)[0])
    assert not (both[0] == both[1]).any()


def test_draws_are_uniform():
    u = draws(np.zeros((64, 32)), 0).ravel()
    np.testing.assert_allclose(np.quantile(u, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)


def test_no_other_teacher_draws(by_steps):
    rollout = jax.tree.map(lambda x: x[0], by_steps.rollouts)
    assert rollout.rows.clock is None
    assert held_of(by_steps.plan, rollout, jnp.arange(2, dtype=jnp.uint32), jnp.int32(0)) is None
    for mode in ("soft", "hard", "argmax"):
        config = dataclasses.replace(STEPS, distill=Distill(teacher=mode))
        assert not make_plan(resolve(config), taught=True).holds_plans
    assert not make_plan(resolve(HELD), taught=False).holds_plans


def test_a_teacher_holds_its_plans_for_the_episode(by_steps, table):
    """On every row the action is that of one plan, the same for all rows of an episode and a state."""
    plan = make_plan(resolve(HELD), taught=True)
    rollout = jax.tree.map(lambda x: x[0], by_steps.rollouts)
    first = np.asarray(rollout.rows.first)  # [seed, time, env]; the first update's
    t = np.arange(first.shape[1])[None, :, None]
    start = np.maximum.accumulate(np.where(first, t, 0), axis=1)
    rollout = rollout.replace(rows=rollout.rows.replace(clock=jnp.asarray(t - start, jnp.int32)))
    n_seeds = first.shape[0]
    held = held_of(plan, rollout, jnp.arange(n_seeds, dtype=jnp.uint32), jnp.int32(0))
    teacher = make_teacher(table, plan.task, Corrupt(), mode="held")
    keys = jax.random.split(jax.random.key(0), n_seeds)
    q = jax.jit(ask_teacher, static_argnums=0)(plan, teacher, rollout, jnp.ones(n_seeds), keys, held)
    assert set(np.unique(q)) == {0.0, 1.0}
    np.testing.assert_array_equal(q.sum(axis=-1), 1)
    obs, memory = (np.asarray(x).reshape(-1, *x.shape[3:]) for x in (rollout.rows.obs, rollout.rows.memory))
    state = np.asarray(plan.task.perceive(obs, memory)[0]).reshape(first.shape)
    single = []
    for k in range(max(map(len, table.plans))):
        alone = tuple((dataclasses.replace(own[k % len(own)], probability=1.0),) for own in table.plans)
        one = make_teacher(dataclasses.replace(table, plans=alone), plan.task, Corrupt())
        single.append(np.asarray(jax.jit(teacher_policy, static_argnums=1)(one, plan.task, obs, memory)))
    agrees = (np.stack(single).reshape(-1, *q.shape) == np.asarray(q)).all(axis=-1)  # [plan, seed, time, env]
    seed, _, env = np.indices(first.shape)
    names = np.stack([seed, env, start, state], axis=-1).reshape(-1, 4)
    for name in np.unique(names, axis=0):
        assert agrees.reshape(len(single), -1)[:, (names == name).all(axis=1)].all(axis=1).any(), name


def test_a_teacher_alone_holds_its_plans_too(table):
    task = make_plan(resolve(HELD), taught=True).task
    found = {
        mode: play_teacher(task, make_teacher(table, task, Corrupt(), mode=mode), np.uint32(1), 64, False)
        for mode in ("soft", "argmax", "held")
    }
    assert all(0 <= float(episodes.success) <= 1 for episodes in found.values())
    lengths = [float(episodes.length) for episodes in found.values()]
    assert len(set(lengths)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("config", [STEPS, EPISODES], ids=["steps", "episodes"])
@pytest.mark.parametrize("mode", ["held", "argmax"])
def test_a_run_is_trained_and_repeats(config, mode, table):
    config = dataclasses.replace(config, distill=Distill(teacher=mode), seeds=2, seeds_per_chunk=2)
    program = compile_program(resolve(config), table)
    one, other = (train(config, table, program=program) for _ in range(2))
    for name, values in one.metrics.items():
        np.testing.assert_array_equal(values, other.metrics[name])
    assert np.isfinite(one.metrics["distill"]).all()
