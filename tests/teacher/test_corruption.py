"""Tests of error injection: what is replaced, by what, and how often."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.config import Config, Corrupt, check
from jaxteach.tasks import language, make_task
from jaxteach.teacher import PlanTable, load_table
from jaxteach.teacher.corruption import NoisyTeacher, answers, make_teacher, mean_policy, strike
from jaxteach.teacher.policy import compile_teacher, teacher_policy
from jaxteach.utils.errors import UserError
from tests.worlds.minigrid.paper.play import draw_layouts, play

pytestmark = pytest.mark.unoptimised


@functools.cache
def chatglm(task: str = "simple_door_key") -> PlanTable:
    return load_table("chatglm", task, language(task))


def test_strike_replaces_its_share_with_single_actions():
    n = 20_000
    true = jnp.tile(jnp.asarray([0.5, 0.5, 0, 0, 0, 0, 0.0]), (n, 1))
    other = jnp.tile(jnp.asarray([0, 0, 0.25, 0.75, 0, 0, 0.0]), (n, 1))
    found = np.asarray(strike(jax.random.key(0), true, other, jnp.float32(0.3)))
    struck = found[:, :2].sum(axis=1) == 0
    assert struck.mean() == pytest.approx(0.3, abs=0.015)
    np.testing.assert_array_equal(found[~struck], true[~struck])
    assert set(found[struck].max(axis=1)) == {1.0} and set(found[struck].sum(axis=1)) == {1.0}
    np.testing.assert_allclose(found[struck].mean(axis=0)[2:4], [0.25, 0.75], atol=0.02)
    np.testing.assert_array_equal(strike(jax.random.key(0), true, other, jnp.float32(0)), true)


@functools.cache
def scenes():
    """Observations and memories along random walks: [N, ...]."""
    task = make_task("simple_door_key")
    actions = jax.random.randint(jax.random.key(1), (40, 16), 0, 7)
    seen = play(task, draw_layouts(task, 0, 16), actions)
    return task, *(seen[name].reshape(-1, *seen[name].shape[2:]) for name in ("obs", "memory"))


def test_a_noisy_teacher_errs_anew_at_every_step_but_its_mean_is_exact():
    task, obs, memory = scenes()
    teacher = make_teacher(chatglm(), task, Corrupt(0.3, "noise"))
    assert isinstance(teacher, NoisyTeacher)
    ask = jax.jit(answers, static_argnums=1)
    n = 32
    keys = jax.random.split(jax.random.key(2), n)
    said = np.asarray(
        ask(teacher, task, jnp.tile(obs, (n, 1, 1, 1)), jnp.tile(memory, (n, 1, 1)), keys)
    )  # [n, N, 7]
    true = np.asarray(
        jax.jit(teacher_policy, static_argnums=1)(compile_teacher(chatglm(), task), task, obs, memory)
    )
    mean = np.asarray(jax.jit(mean_policy, static_argnums=1)(teacher, task, obs, memory))
    np.testing.assert_allclose(said.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(mean.sum(axis=-1), 1, atol=1e-5)
    differs = np.abs(said - true).max(axis=-1) > 1e-6  # [n, N]; a wrong option may do what the right one does
    assert 0.15 < differs.mean() < 0.3
    assert len(np.unique(differs, axis=0)) == n  # not the same rows under another key
    np.testing.assert_allclose(said.mean(axis=(0, 1)), mean.mean(axis=0), atol=0.01)
    # Rows of one key do not depend on the others.
    alone = ask(teacher, task, obs, memory, keys[5:6])
    np.testing.assert_array_equal(alone[0], said[5])


def test_without_noise_there_is_no_second_teacher():
    task, obs, memory = scenes()
    teacher = make_teacher(chatglm(), task, Corrupt(0.0, "noise"))
    assert not isinstance(teacher, NoisyTeacher)
    said = answers(teacher, task, obs[:8], memory[:8], jax.random.split(jax.random.key(0), 2))
    np.testing.assert_array_equal(said.reshape(8, 7), mean_policy(teacher, task, obs[:8], memory[:8]))


def test_a_systematic_error_is_what_the_teacher_says():
    task, obs, memory = scenes()
    teacher = make_teacher(chatglm(), task, Corrupt(1.0))
    q = np.asarray(mean_policy(teacher, task, obs, memory))
    np.testing.assert_allclose(q.max(axis=1), 1)  # one option: one action


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(UserError, match="corrupt"):
        check(Config(corrupt=Corrupt(share)))
