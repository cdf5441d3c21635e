"""Tests of learning from a rollout: targets, which rows count, skipped minibatches, and Adam."""

import functools
from types import SimpleNamespace

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from jaxteach.config import PPO, Config
from jaxteach.config.pytree import make_hyper, trace
from jaxteach.training.ppo import adam_step, learn, shuffled, targets

MINIBATCH, EPOCHS = 16, 2  # as in conftest.py


def advantages_by_definition(rollout, gamma, gae_lambda):
    """Each row's discounted sum of errors up to its episode's end or the window's, in a plain loop."""
    rows = rollout.rows
    n_steps, n_envs = rows.reward.shape
    advantages = np.zeros((n_steps, n_envs))
    for e, start in np.ndindex(n_envs, n_steps):
        total, weight = 0.0, 1.0
        for t in range(start, n_steps):
            following = rows.value[t + 1, e] if t + 1 < n_steps else rollout.last_value[e]
            following = rollout.final_value[e] if rows.truncated[t, e] else following
            following = 0.0 if rows.terminated[t, e] else following
            total += weight * (rows.reward[t, e] + gamma * following - rows.value[t, e])
            weight *= gamma * gae_lambda
            if rows.terminated[t, e] or rows.truncated[t, e]:
                break
        advantages[start, e] = total
    return advantages


@pytest.mark.parametrize("run", ["by_steps", "by_episodes"])
def test_targets_of_a_rollout(run, request):
    run = request.getfixturevalue(run)
    plan = run.plan
    rollout = jax.tree.map(lambda x: np.asarray(x[1, 0]), run.rollouts)
    hyper = make_hyper(plan.config, 10)
    teacher = jnp.ones((*rollout.rows.action.shape, plan.student.n_actions))
    batch = jax.jit(functools.partial(targets, plan))(rollout, teacher, hyper)
    valid = rollout.rows.valid
    # Monte-Carlo returns, of whole episodes, are GAE's with lambda 1.
    gae_lambda = 1.0 if plan.by_episodes else 0.95
    expected = advantages_by_definition(rollout, 0.99, gae_lambda)
    np.testing.assert_allclose(
        batch.returns[valid], (expected + rollout.rows.value)[valid], rtol=1e-4, atol=1e-5
    )
    normal = (expected[valid] - expected[valid].mean()) / expected[valid].std()
    np.testing.assert_allclose(batch.advantage[valid], normal, rtol=1e-3, atol=1e-4)
    if plan.by_episodes:
        # And these are what they are called: rewards to the episode's end, bootstrapped at the time limit.
        ends = rollout.rows.terminated | rollout.rows.truncated
        cut = rollout.rows.truncated & ~rollout.rows.terminated & valid
        last = np.argwhere(ends & valid)
        for t, e in last:
            reward = rollout.rows.reward[t, e] + 0.99 * rollout.final_value[e] * cut[t, e]
            assert batch.returns[t, e] == pytest.approx(reward, rel=1e-4)


@pytest.fixture(scope="module")
def lesson(by_episodes):
    """Three seeds learn from the same rollout: one from all of it, one from 40 rows, one from nothing."""
    plan = by_episodes.plan
    take = functools.partial(jax.tree.map, lambda x: x[1, jnp.zeros(3, jnp.int32)])
    state, rollout = take(by_episodes.before), take(by_episodes.rollouts)
    valid = np.array(rollout.rows.valid)
    few = np.flatnonzero(valid[1])[40:]
    valid[1].reshape(-1)[few] = False
    valid[2] = False
    rollout = rollout.replace(rows=rollout.rows.replace(valid=jnp.asarray(valid)))
    hyper = jax.tree.map(lambda x: jnp.full((3,), x), make_hyper(plan.config, 10))
    # A teacher who would always take the last action, whatever the student sees.
    teacher = jnp.zeros((*valid.shape, plan.student.n_actions)).at[..., -1].set(1.0)
    batch = jax.vmap(functools.partial(targets, plan))(rollout, teacher, hyper)
    run = jax.jit(jax.vmap(functools.partial(learn, plan)))
    weight, keys = jnp.full(3, 5.0), jax.random.split(jax.random.key(1), 3)

    def teach(rollout=rollout, batch=batch, keys=keys):
        return jax.tree.map(np.asarray, run(state, rollout, batch, weight, keys, hyper))

    return SimpleNamespace(plan=plan, state=state, rollout=rollout, batch=batch, keys=keys, teach=teach)


def seed(tree, i):
    return jax.tree.map(lambda x: np.asarray(x)[i], tree)


def same(a, b):
    """Whether two trees are equal to the last bit."""
    return all(jax.tree.leaves(jax.tree.map(lambda x, y: np.array_equal(x, y), a, b)))


def test_each_seed_takes_its_own_number_of_minibatches(lesson):
    state, _ = lesson.teach()
    n_valid = np.asarray(lesson.rollout.rows.valid).sum(axis=(1, 2))
    assert n_valid[0] % MINIBATCH and n_valid[1] == 40  # there are partial minibatches to drop
    np.testing.assert_array_equal(state.adam.count, EPOCHS * (n_valid // MINIBATCH))


def test_skipped_minibatches_leave_everything_untouched(lesson):
    state, metrics = lesson.teach()
    assert same(seed(state, 2), seed(lesson.state, 2))
    assert not same(seed(state.params, 1), seed(lesson.state.params, 1))
    assert {name: float(values[2]) for name, values in metrics.items()} == dict.fromkeys(metrics, 0.0)


def test_minibatches_are_drawn_from_valid_rows_only(lesson):
    away = ~lesson.rollout.rows.valid
    poison = {
        name: jnp.where(away, jnp.nan, getattr(lesson.batch, name))
        for name in ("log_prob", "value", "advantage", "returns")
    }
    # Marked as valid, so that only their never being drawn keeps the poison out.
    batch = lesson.batch.replace(**poison, valid=jnp.ones_like(away))
    features = jnp.where(away[..., None], 255, lesson.rollout.rows.features).astype(jnp.uint8)
    rollout = lesson.rollout.replace(rows=lesson.rollout.rows.replace(features=features))
    assert same(lesson.teach(rollout, batch), lesson.teach())


def test_valid_rows_do_matter(lesson):
    batch = lesson.batch.replace(advantage=-lesson.batch.advantage)
    assert not same(seed(lesson.teach(batch=batch)[0].params, 1), seed(lesson.teach()[0].params, 1))


def test_seeds_know_nothing_of_each_other(lesson):
    """The seed with few minibatches comes to the same beside others that take more, or fewer."""
    order = jnp.array([2, 1, 0])
    swapped = lesson.teach(
        *(jax.tree.map(lambda x: x[order], tree) for tree in (lesson.rollout, lesson.batch, lesson.keys))
    )
    usual = lesson.teach()
    for here, there in enumerate(order.tolist()):
        assert same(seed(swapped, here), seed(usual, there))


def test_order_of_rows_depends_on_the_key(lesson):
    other = lesson.teach(keys=jax.random.split(jax.random.key(2), 3))
    assert not same(seed(other[0].params, 0), seed(lesson.teach()[0].params, 0))


def test_student_turns_to_its_teacher(lesson):
    state, metrics = lesson.teach()
    student = lesson.plan.student
    features = lesson.rollout.rows.features[0, 0]
    for i, moved in enumerate((True, True, False)):
        n = len(features)
        logits, _, _ = student.apply(seed(state.params, i), features, student.blank(n), jnp.zeros(n, bool))
        assert np.all(np.argmax(logits, axis=-1) == student.n_actions - 1) == moved
    assert metrics["distill"][0] < np.log(student.n_actions)


@given(st.integers(0, 2**31 - 1), hnp.arrays(bool, 50))
def test_usable_rows_come_first_in_a_random_order(number, usable):
    order = np.asarray(shuffled(jax.random.key(number), usable, all_usable=False))
    assert sorted(order) == list(range(50))
    n = usable.sum()
    assert usable[order[:n]].all() and not usable[order[n:]].any()


def test_every_usable_row_has_the_same_chance():
    usable = np.arange(12) % 3 > 0
    keys = jax.random.split(jax.random.key(0), 2000)
    for rows, expected in ((usable, 8), (np.ones(12, bool), 12)):
        first = jax.vmap(lambda key, rows=rows: shuffled(key, rows, all_usable=bool(rows.all()))[0])(keys)
        counts = np.bincount(first, minlength=12)[rows]
        np.testing.assert_allclose(counts, 2000 / expected, atol=5 * np.sqrt(2000 / expected))


@pytest.mark.parametrize("size", [0.01, 10.0], ids=["below the norm", "clipped"])
def test_adam_is_optax_adam_with_clipping(size):
    rng = np.random.default_rng(0)
    ours = theirs = {"a": jnp.asarray(rng.normal(size=(3, 2)), jnp.float32), "b": jnp.ones(4)}
    zeros = jax.tree.map(jnp.zeros_like, ours)
    adam = optax.ScaleByAdamState(count=jnp.zeros((), jnp.int32), mu=zeros, nu=zeros)
    ppo = trace(Config(ppo=PPO(lr=3e-3, max_grad_norm=0.5, adam_eps=1e-5)), 1).ppo
    chain = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(3e-3, eps=1e-5))
    moments = chain.init(theirs)
    for _ in range(4):
        grads = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape) * size, jnp.float32), ours)
        assert (optax.tree.norm(grads) > 0.5) == (size > 1)
        ours, adam = adam_step(ours, adam, grads, ppo)
        steps, moments = chain.update(grads, moments, theirs)
        theirs = optax.apply_updates(theirs, steps)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7), ours, theirs)
    assert int(adam.count) == 4


def test_a_gradient_of_zero_moves_nothing_whatever_it_is_clipped_to():
    params = {"a": jnp.ones(3)}
    zeros = jax.tree.map(jnp.zeros_like, params)
    adam = optax.ScaleByAdamState(count=jnp.zeros((), jnp.int32), mu=zeros, nu=zeros)
    for limit in (0.0, 0.5):
        ppo = trace(Config(ppo=PPO(max_grad_norm=limit)), 1).ppo
        np.testing.assert_array_equal(adam_step(params, adam, zeros, ppo)[0]["a"], 1)
