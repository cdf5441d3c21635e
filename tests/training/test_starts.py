"""Tests of where episodes start: fresh resets, or a pool where a reset is dear; levels keep their shares."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from scipy import stats

from jaxteach.config import PPO, Config, Rollout, Student, resolve
from jaxteach.student.networks import make_student
from jaxteach.tasks.language import Language, Option, plain_language
from jaxteach.tasks.protocol import Defaults, Outcome
from jaxteach.training.evaluation import POOL_STEPS, play
from jaxteach.training.rollout import collect
from jaxteach.training.starts import begin_anew, fresh_starts
from jaxteach.training.state import Plan, init_seed
from jaxteach.training.streams import by_step, rollout_keys
from jaxteach.worlds.vectors import Vector

pytestmark = pytest.mark.unoptimised

SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 8)
"""How often each level is drawn."""
N_ENVS, N_STEPS, POOL = 6, 24, 10


class Place(struct.PyTreeNode):
    """An episode of a level: the random word it was made of, and how long it has lasted."""

    word: jax.Array
    level: jax.Array
    clock: jax.Array


@dataclasses.dataclass(frozen=True)
class Levels(Defaults):
    """Levels 0 to 3, that last 1 to 4 steps; those of level 0 succeed. It shows the word and the level."""

    pool_size: int = 0
    name: str = "levels"
    action_names: tuple[str, ...] = ("left", "right")
    max_steps: int = 4
    n_draws: int = 1
    no_op: int = 0

    @property
    def language(self) -> Language:
        return plain_language((), tuple(Option(name) for name in self.action_names))

    def reset(self, words):
        level = jnp.argmax(words[0] % 8 < jnp.array([4, 6, 7, 8], jnp.uint32))
        return Place(words[0], level.astype(jnp.int32), jnp.zeros((), jnp.int32))

    def step(self, state, action):
        clock = state.clock + 1
        over = clock > state.level
        outcome = Outcome(jnp.zeros(()), over, jnp.zeros((), bool), over & (state.level == 0))
        return state.replace(clock=clock), outcome

    def observe(self, state):
        return jnp.stack([state.word >> 16, state.word & 0xFFFF, state.level]).astype(jnp.float32)

    def features(self, kind):
        return Vector((3,))


@functools.cache
def plan_of(dear: bool, mode: str = "steps") -> Plan:
    task = Levels(POOL if dear else 0)
    config = resolve(
        Config(
            teacher="none",
            env_steps=10**6,
            student=Student("ego", hidden=4),
            ppo=PPO(minibatch=4),
            rollout=Rollout(mode, envs=N_ENVS, steps=N_STEPS, min_env_steps=40),
        )
    )
    return Plan(task, make_student("ego", 4, task), config, taught=False)


@functools.cache
def collected(dear: bool, mode: str, n: int):
    """n updates, each by itself from the first state: keys [n], first bool[n, T, E], words and levels."""
    plan = plan_of(dear, mode)
    state = init_seed(plan, jnp.uint32(0))

    @jax.jit
    @jax.vmap
    def update(key):
        rows = collect(plan, state, key, jnp.zeros((), jnp.int32), jnp.array(True))[1].rows
        return rows.first & rows.valid, rows.features

    keys = jax.random.split(jax.random.key(7), n)
    first, shown = (np.asarray(x) for x in update(keys))
    words = shown[..., 0].astype(np.uint32) * 2**16 + shown[..., 1].astype(np.uint32)
    return keys, first, words, shown[..., 2].astype(int)


def pool_of(key) -> np.ndarray:
    """The words of the pool of an update."""
    return np.asarray(jax.random.bits(rollout_keys(key).start, (POOL, 1)))[:, 0]


def fits(counts, shares) -> bool:
    """Whether counts may be of these shares: a chi-square test."""
    counts = np.asarray(counts)
    return stats.chisquare(counts, counts.sum() * np.asarray(shares)).pvalue > 1e-3


def test_a_cheap_reset_is_drawn_anew_for_every_episode():
    keys, first, words, _ = collected(False, "steps", 64)
    for u in range(8):
        layouts = rollout_keys(keys[u]).layouts
        for t in range(1, N_STEPS):
            drawn = np.asarray(jax.random.bits(by_step(layouts, t - 1), (N_ENVS, 1)))[:, 0]
            np.testing.assert_array_equal(words[u, t][first[u, t]], drawn[first[u, t]])
    begun = words[:, 1:][first[:, 1:]]
    assert len(np.unique(begun)) == len(begun) > 64 * N_ENVS


@pytest.mark.parametrize("mode", ["steps", "episodes"])
def test_dear_starts_come_from_the_updates_pool(mode):
    keys, first, words, _ = collected(True, mode, 64)
    for u, key in enumerate(keys):
        begun = words[u, 1:][first[u, 1:]]
        assert len(begun) > 0
        assert set(begun) <= set(pool_of(key))


def test_starts_are_drawn_from_all_of_the_pool():
    keys, first, words, _ = collected(True, "steps", 400)
    counts = np.zeros(POOL, int)
    for u, key in enumerate(keys):
        pool = pool_of(key)
        assert len(set(pool)) == POOL
        begun = words[u, 1:][first[u, 1:]]
        counts += (begun[:, None] == pool[None, :]).sum(axis=0)
    assert fits(counts, np.full(POOL, 1 / POOL))


def test_pools_are_renewed():
    _, first, words, _ = collected(True, "steps", 64)
    begun = [set(words[u, 1:][first[u, 1:]]) for u in range(64)]
    assert len(set.union(*begun)) == sum(len(some) for some in begun)


@pytest.mark.parametrize("mode", ["steps", "episodes"])
@pytest.mark.parametrize("dear", [False, True])
def test_levels_keep_their_shares(dear, mode):
    """Of each update the first start after its beginning: these are independent of each other."""
    _, first, _, levels = collected(dear, mode, 2000)
    counts = np.zeros(4, int)
    for begins, level in zip(first[:, 1:].reshape(2000, -1), levels[:, 1:].reshape(2000, -1), strict=True):
        if begins.any():
            counts[level[np.argmax(begins)]] += 1
    assert counts.sum() > 1500
    assert fits(counts, SHARES)


def test_a_pool_is_drawn_from_with_replacement():
    task = Levels(True)
    pool = fresh_starts(task, jax.random.key(0), 5)
    before, ended = fresh_starts(task, jax.random.key(2), 3), jnp.ones(3, bool)
    keys = jax.random.split(jax.random.key(1), 3000)
    drawn = jax.vmap(lambda key: begin_anew(task, key, ended, before, pool))(keys)
    words = np.asarray(drawn.word)
    assert fits([(words == word).sum() for word in np.asarray(pool.word)], np.full(5, 0.2))
    pairs = (words[:, 0] == words[:, 1]).sum()
    assert fits([pairs, 3000 - pairs], [0.2, 0.8])


@pytest.mark.parametrize("dear", [False, True])
def test_an_evaluation_plays_levels_by_their_shares(dear):
    n_lanes, n_episodes = 64, 12_800

    def act(key, state, first, memory):
        return jnp.zeros(n_lanes, jnp.int32), memory

    result = jax.jit(
        lambda: play(Levels(POOL if dear else 0), act, jnp.zeros((n_lanes, 0)), jax.random.key(3), n_episodes)
    )()
    # A pool of 64 serves some 64 * 16 / 1.9 episodes, which adds its own chance: 24 pools of 64.
    assert POOL_STEPS == 16
    assert float(result.success) == pytest.approx(
        SHARES[0], abs=4 * np.sqrt(0.25 / (24 * 64)) if dear else 0.018
    )
    assert float(result.length) == pytest.approx(1 + 1 / 4 + 2 / 8 + 3 / 8, abs=0.11 if dear else 0.04)
