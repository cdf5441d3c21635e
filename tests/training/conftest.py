"""Tiny runs that the tests of training share, so that each program is compiled once."""

import dataclasses
import functools
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jaxteach.config import PPO, Config, Decay, Rollout, Student, Variant, resolve
from jaxteach.tasks import registry
from jaxteach.teacher.loading import load_teacher
from jaxteach.teacher.table import PlanTable
from jaxteach.training import Program, Training, compile_program, train
from jaxteach.training.exported import Store
from jaxteach.training.rollout import collect
from jaxteach.training.state import Plan, init_seed, make_plan
from tests.training.corridor import CORRIDOR, Corridor

# Small rooms with much lava and little time: random play is enough for episodes to end in every way.
VARIANT = Variant(room_min=5, room_max=6, n_lava=2, max_steps=20)
STEPS = Config(
    seeds=8,
    seeds_per_chunk=8,
    env_steps=512,
    decay=Decay(start=10.0, floor=0.1, plateau_at=4, off_at=6),
    student=Student("ego", hidden=8),
    ppo=PPO(epochs=2, minibatch=16),
    rollout=Rollout("steps", envs=4, steps=16),
    variant=VARIANT,
)
EPISODES = Config(
    seeds=2,
    seeds_per_chunk=2,
    env_steps=400,
    student=Student("ego", hidden=8),
    ppo=PPO(epochs=2, minibatch=16, returns="monte_carlo"),
    rollout=Rollout("episodes", envs=10, min_env_steps=150),
    variant=VARIANT,
)
LONG = Config(
    seeds=3,
    seeds_per_chunk=2,
    env_steps=4096,
    eval_episodes=20,
    student=Student("ego", hidden=8),
    ppo=PPO(epochs=1, minibatch=32),
    rollout=Rollout("steps", envs=8, steps=16),
    variant=Variant(room_min=5, room_max=6, n_lava=2, max_steps=30),
)
"""Two chunks of four segments: for what happens between them. What `TINY` is to commands, so that they share
a program."""
STORE = Store(Path(os.environ["JAXTEACH_CACHE"]) / "programs", lambda line: None)
"""Where commands look for it."""


@pytest.fixture(scope="session")
def table() -> PlanTable:
    """The table of every run here."""
    table = load_teacher("chatglm", "simple_door_key")
    assert table is not None
    return table


@pytest.fixture(scope="session")
def program(table: PlanTable) -> Program:
    """`STEPS`, compiled for eight seeds and taught."""
    return compile_program(resolve(STEPS), table)


@pytest.fixture(scope="session")
def training(program: Program, table: PlanTable) -> Training:
    """The results of seeds 0 to 7."""
    return train(STEPS, table, program=program)


@pytest.fixture(scope="session")
def long_program(table: PlanTable) -> Program:
    """`LONG`, compiled."""
    return compile_program(resolve(LONG), table, store=STORE)


@pytest.fixture(scope="session")
def long_training(long_program: Program, table: PlanTable) -> Training:
    """The result of `LONG`, uninterrupted."""
    return train(LONG, table, program=long_program)


def experience(plan: Plan, n_updates: int) -> SimpleNamespace:
    """Rollouts of a student that never learns: its plan, the states before [U, seed, ...] and the rollouts.

    Two seeds; the second has used up its environment steps and takes no part.
    """

    def one(seed_id: Any, active: Any) -> Any:
        def update(state: Any, number: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(5), number)
            after, rollout = collect(plan, state, key, number, active)
            return after, (state, rollout)

        return jax.lax.scan(update, init_seed(plan, seed_id), jnp.arange(n_updates))[1]

    run = jax.jit(jax.vmap(one, out_axes=1))
    before, rollouts = run(jnp.uint32([3, 4]), jnp.array([True, False]))
    return SimpleNamespace(plan=plan, before=before, rollouts=rollouts)


@pytest.fixture(scope="session")
def by_steps() -> SimpleNamespace:
    """Five updates of 16 steps in 4 environments."""
    return experience(make_plan(resolve(STEPS), taught=True), 5)


def in_corridor(config: Config) -> Plan:
    """The plan of a taught run in the corridor, which is quickly compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._tasks._registered, CORRIDOR.name, CORRIDOR)
        config = dataclasses.replace(config, task=CORRIDOR.name, variant=Variant())
        return make_plan(resolve(config), taught=True)


class Dense(Corridor):
    """Every step is rewarded, and an episode that lasts to the time limit is a success."""

    def step(self, state, action):
        state, outcome = super().step(state, action)
        reward = jnp.where(action == 0, 0.5, -0.25)
        return state, outcome.replace(reward=reward, success=outcome.truncated)


def dense(config: Config) -> Plan:
    """A plan with dense rewards."""
    return dataclasses.replace(in_corridor(config), task=Dense())


@pytest.fixture(scope="session")
def by_steps_dense() -> SimpleNamespace:
    """As `by_steps`, in the corridor with dense rewards."""
    return experience(dense(STEPS), 5)


@pytest.fixture(scope="session")
def by_episodes_dense() -> SimpleNamespace:
    """As `by_episodes`, with dense rewards."""
    return experience(dense(EPISODES), 2)


@pytest.fixture(scope="session")
def by_episodes() -> SimpleNamespace:
    """Two updates of whole episodes in the corridor, at least 10 and at least 150 environment steps."""
    return experience(in_corridor(EPISODES), 2)


@functools.partial(jax.jit, static_argnums=0)
def values_of(plan: Plan, params: Any, obs: Any) -> Any:
    """A memoryless student's values of observations u8[N, H, W, 4], f32[N]."""
    n = obs.shape[0]
    student = plan.student
    return student.apply(params, student.features(obs), student.blank(n), jnp.zeros((n,), bool))[1]
