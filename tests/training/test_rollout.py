"""Tests of the rollouts: rows, clocks, whole episodes, and the value of a truncated episode's own end."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.training.rollout import _begin_more, fill_while, sample
from tests.training.conftest import values_of

pytestmark = pytest.mark.unoptimised


def arrays(run, seed=0):
    """One seed's rollouts as NumPy arrays, [update, time, env, ...]."""
    return jax.tree.map(lambda x: np.asarray(x[:, seed]), run.rollouts)


def ended(rows):
    return rows.terminated | rows.truncated


# ---- a fixed number of steps --------------------------------------------------------------------


def test_every_row_counts(by_steps):
    rollouts = arrays(by_steps)
    assert rollouts.rows.valid.shape == (5, 16, 4)
    assert rollouts.rows.valid.all()
    np.testing.assert_array_equal(rollouts.env_steps, 64)
    np.testing.assert_array_equal(by_steps.before.env_steps[:, 0], [0, 64, 128, 192, 256])
    np.testing.assert_array_equal(rollouts.started, rollouts.rows.first.sum(axis=(1, 2)))


def test_an_episode_begins_at_the_step_after_one_ended(by_steps):
    rows = arrays(by_steps).rows
    done = ended(rows).reshape(80, 4)  # updates follow each other without a gap
    first = rows.first.reshape(80, 4)
    assert first[0].all()
    np.testing.assert_array_equal(first[1:], done[:-1])
    assert rows.terminated.any() and rows.truncated.any()


def test_episodes_last_as_long_as_the_clock_says(by_steps):
    rows = arrays(by_steps).rows
    done, truncated = (x.reshape(80, 4) for x in (ended(rows), rows.truncated))
    for e in range(4):
        lengths = np.diff(np.flatnonzero(done[:, e]), prepend=-1)
        at_limit = truncated[np.flatnonzero(done[:, e]), e]
        np.testing.assert_array_equal(lengths == 20, at_limit)
        assert np.all(lengths <= 20)


def test_students_read_what_they_see(by_steps):
    rows, student = arrays(by_steps).rows, by_steps.plan.student
    obs = rows.obs.reshape(-1, *rows.obs.shape[3:])
    read = student.reader.read(obs, np)
    np.testing.assert_array_equal(rows.features.reshape(len(obs), -1), read)


def test_probabilities_are_those_of_the_actions_taken(by_steps):
    rows, plan = arrays(by_steps).rows, by_steps.plan
    params = jax.tree.map(lambda x: x[0, 0], by_steps.before.params)
    n = rows.action.size
    features = rows.features.reshape(n, -1)
    logits, value, _ = plan.student.apply(params, features, plan.student.blank(n), jnp.zeros(n, bool))
    log_probs = np.asarray(jax.nn.log_softmax(logits))[np.arange(n), rows.action.reshape(n)]
    np.testing.assert_allclose(rows.log_prob.reshape(n), log_probs, atol=1e-5)
    np.testing.assert_allclose(rows.value.reshape(n), value, atol=1e-5)


@pytest.fixture(scope="module")
def replayed(by_steps):
    """Each update's actions played again from the state before it, with no reset: arrays [U, T, E, ...]."""
    task = by_steps.plan.task

    def play(env, actions):
        def step(env, action):
            env, outcome = task.step(env, action)
            env = task.update_seen(env)
            return env, (outcome, task.observe(env))

        return jax.lax.scan(step, task.update_seen(env), actions)[1]

    envs = jax.tree.map(lambda x: x[:, 0], by_steps.before.env)
    actions = by_steps.rollouts.rows.action[:, 0]
    over_envs = jax.vmap(play, in_axes=(0, 1), out_axes=1)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(over_envs))(envs, actions))


def test_rows_follow_the_rules_up_to_the_first_end(by_steps, replayed):
    rows, (outcome, obs) = arrays(by_steps).rows, replayed
    done = ended(rows)
    before_end = np.cumsum(done, axis=1) - done == 0  # up to and with the first end in each window
    for name in ("reward", "terminated", "truncated"):
        np.testing.assert_array_equal(getattr(outcome, name)[before_end], getattr(rows, name)[before_end])
    going_on = before_end[:, :-1] & ~done[:, :-1]
    np.testing.assert_array_equal(obs[:, :-1][going_on], rows.obs[:, 1:][going_on])


def test_a_truncated_episode_is_valued_by_its_own_last_observation(by_steps, replayed):
    rollouts, (_, obs) = arrays(by_steps), replayed
    params = jax.tree.map(lambda x: x[0, 0], by_steps.before.params)
    cut = np.argwhere(rollouts.rows.truncated & ~rollouts.rows.terminated)
    assert len(cut) >= 5
    updates, times, envs = cut.T
    own = np.asarray(values_of(by_steps.plan, params, obs[updates, times, envs]))
    np.testing.assert_allclose(rollouts.final_value[updates, envs], own, atol=1e-5)
    # The next row belongs to another episode: taking its value instead would show.
    inside = times < 15
    following = rollouts.rows.value[updates[inside], times[inside] + 1, envs[inside]]
    assert np.abs(following - own[inside]).max() > 1e-3


def test_last_value_is_that_of_the_state_after(by_steps):
    rollouts = arrays(by_steps)
    np.testing.assert_allclose(rollouts.last_value[:-1], rollouts.rows.value[1:, 0], atol=1e-5)


@pytest.mark.parametrize("run", ["by_steps", "by_episodes", "by_steps_dense", "by_episodes_dense"])
def test_outcomes_are_counted_by_the_update_they_began_in(run, request):
    """And returns are sums of rewards, also those of an episode that began updates before."""
    dense = run.endswith("dense")
    rollouts = arrays(request.getfixturevalue(run))
    rows = rollouts.rows
    expected = np.zeros_like(rollouts.outcomes)
    n_updates, n_steps, n_envs = rows.valid.shape
    for e in range(n_envs):
        born, total, length = 0, 0.0, 0
        for u, t in np.ndindex(n_updates, n_steps):
            if not rows.valid[u, t, e]:
                continue
            if rows.first[u, t, e]:
                born, total, length = u, 0.0, 0
            total += rows.reward[u, t, e]
            length += 1
            if rows.terminated[u, t, e] or rows.truncated[u, t, e]:
                solved = rows.terminated[u, t, e] and rows.reward[u, t, e] > 0
                succeeded = rows.truncated[u, t, e] if dense else solved
                expected[u, u - born] += [1, succeeded, total, length]
    np.testing.assert_allclose(rollouts.outcomes, expected, rtol=1e-5)
    assert expected[..., 0].sum() > 10
    if dense:  # returns are not last rewards, and success is not a positive reward at a termination
        assert (expected[..., 2] < -0.25).any() and 0 < expected[..., 1].sum() < expected[..., 0].sum()


# ---- whole episodes -----------------------------------------------------------------------------


def test_episodes_are_whole(by_episodes):
    rows = arrays(by_episodes).rows
    done = ended(rows)
    for u, e in np.ndindex(2, 10):
        n = rows.valid[u, :, e].sum()
        assert rows.valid[u, :n, e].all()  # waiting is for the end
        assert rows.first[u, 0, e] and done[u, n - 1, e]
        np.testing.assert_array_equal(rows.first[u, 1:n, e], done[u, : n - 1, e])


def test_enough_episodes_and_enough_steps(by_episodes):
    rollouts = arrays(by_episodes)
    rows = rollouts.rows
    n_valid = rows.valid.sum(axis=(1, 2))
    begun = (rows.first & rows.valid).sum(axis=(1, 2))
    np.testing.assert_array_equal(rollouts.env_steps, n_valid)
    np.testing.assert_array_equal(rollouts.started, begun)
    np.testing.assert_array_equal(begun, (ended(rows) & rows.valid).sum(axis=(1, 2)))
    assert np.all(n_valid >= 150) and np.all(begun >= 10)
    assert not rows.valid.all()
    np.testing.assert_array_equal(rollouts.outcomes[:, 0, 0], begun)


def test_no_episode_begins_once_there_are_enough_steps(by_episodes):
    rows = arrays(by_episodes).rows
    for u in range(2):
        before = np.cumsum(rows.valid[u].sum(axis=1)) - rows.valid[u].sum(axis=1)  # steps before each row
        late = (rows.first[u] & rows.valid[u])[before >= 150]
        assert not late.any()


def test_rows_not_taken_pass_nothing_back(by_episodes):
    rows = arrays(by_episodes).rows
    waiting = ~rows.valid & (np.cumsum(rows.valid.any(axis=2)[:, ::-1], axis=1)[:, ::-1] > 0)[..., None]
    assert waiting.any()
    assert rows.terminated[waiting].all() and not rows.truncated[waiting].any()


@pytest.mark.parametrize("run", ["by_steps", "by_episodes"])
def test_a_seed_that_is_done_takes_no_part(run, request):
    run = request.getfixturevalue(run)
    idle = arrays(run, seed=1)
    assert not idle.rows.valid.any()
    for counts in (idle.env_steps, idle.started, idle.outcomes, np.asarray(run.before.env_steps[:, 1])):
        np.testing.assert_array_equal(counts, 0)


# ---- parts --------------------------------------------------------------------------------------


def test_sampling_follows_the_policy():
    logits = jnp.log(jnp.array([[0.5, 0.25, 0.125, 0.125, 0.0, 0.0, 0.0]]))
    action, log_prob = sample(jax.random.key(0), jnp.repeat(logits, 4000, axis=0))
    shares = np.bincount(action, minlength=7) / 4000
    np.testing.assert_allclose(shares, np.exp(logits[0]), atol=0.03)
    assert shares[4:].sum() == 0
    np.testing.assert_allclose(log_prob, np.asarray(logits)[0, action], rtol=1e-5)


def test_sampling_stays_within_the_actions(monkeypatch):
    """Even where the uniform is all but 1 and the probabilities sum to a little less."""
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape: jnp.full(shape, 1 - 2**-24))
    logits = jax.random.normal(jax.random.key(1), (500, 7)) * 8
    action, log_prob = sample(jax.random.key(0), logits)
    assert 0 <= int(action.min()) <= int(action.max()) == 6
    assert np.isfinite(log_prob).all()


def test_lanes_fill_without_gaps():
    """The first of two lanes adds a row at every step, the second at every other; each has at most four."""

    def step(filled, t):
        adds = (t % jnp.array([1, 2]) == 0) & (filled < 4)
        return filled + adds, jnp.where(adds, 10 * t + jnp.arange(2), -1)

    filled, rows = fill_while(
        step, jnp.zeros(2, jnp.int32), 4, lambda filled: jnp.any(filled < 4), lambda filled: filled
    )
    assert filled.tolist() == [4, 4]
    assert rows[:, 0].tolist() == [0, 10, 20, 30]
    assert rows[:, 1].tolist() == [1, 21, 41, 61]


@pytest.mark.parametrize("mean", [3, 8, 20])
@pytest.mark.parametrize(("n_envs", "wanted"), [(10, 150), (10, 199), (3, 40), (1, 15)])
def test_episodes_are_those_of_the_reference(mean, n_envs, wanted):
    """As one after another, n_envs at least, until there are enough steps; and they fit the buffer."""
    rollout = SimpleNamespace(min_env_steps=wanted)
    plan = SimpleNamespace(
        n_steps=20 + -(-wanted // n_envs),
        task=SimpleNamespace(max_steps=20),
        config=SimpleNamespace(rollout=rollout),
    )
    begin = jax.jit(functools.partial(_begin_more, plan))
    for trial in range(5):
        lengths = np.minimum(np.random.default_rng(trial).geometric(1 / mean, 2000), 20)
        left, clock, taken = lengths[:n_envs].copy(), np.zeros(n_envs, int), np.zeros(n_envs, int)
        begun, collected = n_envs, 0
        while (left > 0).any():
            busy = left > 0
            left, clock, taken = left - busy, clock + busy, taken + busy
            collected += busy.sum()
            starts = np.asarray(begin(left > 0, taken, collected, clock, busy.any()))
            for e in np.flatnonzero(starts):
                left[e], clock[e], begun = lengths[begun], 0, begun + 1
        alone = max(n_envs, int(np.searchsorted(np.cumsum(lengths), wanted)) + 1)
        assert (begun, collected) == (alone, lengths[:alone].sum())
        assert taken.max() <= plan.n_steps
