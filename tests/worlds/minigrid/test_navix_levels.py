"""Levels as navix environments: the same episodes as ours, navix's autoreset, and what cannot be changed."""

import jax
import jax.numpy as jnp
import navix
import numpy as np
import pytest

import jaxteach
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.levels import LEVELS
from jaxteach.worlds.minigrid.navix_levels import make_environment

pytestmark = pytest.mark.unoptimised

NAME = "MiniGrid-Dynamic-Obstacles-5x5-v0"


def test_every_level_is_registered_by_faramas_id() -> None:
    ids = jaxteach.register_navix()
    assert set(LEVELS) <= set(ids)
    env = navix.make("MiniGrid-DoorKey-5x5-v0")
    timestep = jax.jit(env.reset)(jax.random.key(0))
    assert timestep.observation.shape == (7, 7, 3) and timestep.observation.dtype == jnp.uint8
    assert env.mission_text(timestep.state) == "use the key to open the door and then get to the goal"
    assert (env.action_space.maximum, env.max_steps) == (6, 250)
    shown = env.shown(timestep.state)
    np.testing.assert_array_equal(shown["image"], timestep.observation)
    assert env == make_environment("MiniGrid-DoorKey-5x5-v0") != make_environment(NAME)


@pytest.mark.parametrize("name", [NAME, pytest.param("MiniGrid-LavaGapS5-v0", marks=pytest.mark.slow)])
def test_a_step_is_the_tasks_and_ended_episodes_begin_anew(name: str) -> None:
    env, n = make_environment(name, max_steps=6), 32
    task = env.task
    timestep = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(1), n))
    step, theirs = jax.jit(jax.vmap(env.step)), jax.jit(jax.vmap(task.step))
    begun = jax.jit(jax.vmap(env.reset))
    rng = np.random.default_rng(0)
    seen = {"terminated": 0, "truncated": 0, "resets": 0}
    for _ in range(20):
        action = jnp.asarray(rng.integers(0, 3, n), jnp.int32)
        before = timestep
        timestep = step(before, action)
        state, outcome = theirs(before.state.game, action)
        ended = np.asarray(before.step_type > 0)
        assert np.array_equal(timestep.t, np.where(ended, 0, before.t + 1))
        for mine, other in zip(jax.tree.leaves(timestep.state.game), jax.tree.leaves(state), strict=True):
            np.testing.assert_array_equal(np.asarray(mine)[~ended], np.asarray(other)[~ended])
        np.testing.assert_array_equal(timestep.reward, np.where(ended, 0, outcome.reward))
        # navix resets with the key in the state.
        fresh = begun(before.state.key)
        for mine, other in zip(
            jax.tree.leaves(timestep.state.game), jax.tree.leaves(fresh.state.game), strict=True
        ):
            np.testing.assert_array_equal(np.asarray(mine)[ended], np.asarray(other)[ended])
        seen["terminated"] += int(timestep.info["terminated"].sum())
        seen["truncated"] += int(timestep.info["truncated"].sum())
        seen["resets"] += int(ended.sum())
    assert all(seen.values()), seen


def test_without_autoreset_an_ended_episode_runs_on() -> None:
    env = make_environment("MiniGrid-Empty-5x5-v0", max_steps=1, disable_autoreset=True)
    timestep = env.step(env.step(env.reset(jax.random.key(0)), 0), 0)
    assert int(timestep.t) == 2


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"reward_fn": max}, "reward_fn of MiniGrid-Empty-5x5-v0 cannot be changed"),
        ({"action_space": None}, "action_space of MiniGrid-Empty-5x5-v0 cannot be changed"),
        ({"room_min": 5}, "unknown parameter 'room_min' of MiniGrid-Empty-5x5-v0"),
        ({"max_steps": 0}, "impossible variant"),
        ({"observation_space": 3}, "goes with an observation_fn"),
    ],
)
def test_what_cannot_be_changed_is_refused(parameters: dict, line: str) -> None:
    with pytest.raises(UserError, match=line):
        make_environment("MiniGrid-Empty-5x5-v0", **parameters)
