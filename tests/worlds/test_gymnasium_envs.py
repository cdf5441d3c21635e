"""Tasks as Gymnasium environments: Gymnasium's own checks, and that they are the task, step by step."""

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.utils import seeding
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from jaxteach import load_policy
from jaxteach.gymnasium import TaskEnv, TaskVectorEnv
from jaxteach.tasks import make_task, task_names
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.levels import LEVELS

pytestmark = pytest.mark.unoptimised

SMALL = {"room_min": 5, "room_max": 6, "n_lava": 2, "max_steps": 12}
"""Of lava_door_key: episodes end by lava and by time within a few steps."""
LEVEL = "MiniGrid-Dynamic-Obstacles-5x5-v0"
"""Draws while it runs."""


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("lava_door_key", SMALL),
        ("lava_door_key", {"flat": True}),
        (LEVEL, {}),
        (LEVEL, {"observation": "view"}),
    ],
)
def test_gymnasium_finds_nothing_to_say(name, given):
    env = gymnasium.make(f"jaxteach/{name}", **given)
    assert env.spec.id == f"jaxteach/{name}"
    check_env(env.unwrapped)  # warnings are errors


def test_every_task_and_level_is_registered():
    known = {name.removeprefix("jaxteach/") for name in gymnasium.registry if name.startswith("jaxteach/")}
    assert known == {*task_names(), *LEVELS}


def test_an_episode_is_the_tasks_own():
    """From equal words, by equal actions, all that the task gives, to its end by time."""
    task, env = make_task("lava_door_key", **SMALL), TaskEnv("lava_door_key", **SMALL)
    obs, info = env.reset(seed=5)
    words = seeding.np_random(5)[0].integers(2**32, size=task.n_draws, dtype=np.uint32)
    state = task.update_seen(task.reset(words))
    step = jax.jit(task.step)
    for t, action in enumerate([0, 1] * 6, 1):  # turning, which kills nobody
        np.testing.assert_array_equal(obs, task.observe(state))
        assert env.observation_space.contains(obs) and info == {"success": False}
        obs, reward, terminated, truncated, info = env.step(action)
        state, outcome = step(state, np.int32(action))
        state = task.update_seen(state)
        assert (reward, terminated, truncated) == (0.0, False, t == 12)
        assert (float(outcome.reward), bool(outcome.terminated), bool(outcome.truncated)) == (
            reward,
            terminated,
            truncated,
        )
    np.testing.assert_array_equal(obs, task.observe(state))


def test_a_policy_plays_it():
    """A student that ships reaches what it reached in training; rewards and success agree."""
    env, policy = gymnasium.make("jaxteach/simple_door_key"), load_policy("pretrained/simple_door_key")
    rng, won = np.random.default_rng(0), []
    obs, _ = env.reset(seed=0)
    while len(won) < 20:
        action = np.argmax(policy(obs).cumsum() > rng.random())
        obs, reward, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            assert info["success"] == (reward > 0) == terminated
            won.append(info["success"])
            obs, _ = env.reset()
    assert sum(won) >= 18


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize(("name", "given"), [("lava_door_key", SMALL), (LEVEL, {"max_steps": 12})])
def test_many_are_as_many_single_ones(name, given, mode):
    """Gymnasium's own vector environment over single ones is the reference: autoreset, final_obs, infos."""
    ours = gymnasium.make_vec(f"jaxteach/{name}", num_envs=5, autoreset_mode=mode, **given)
    assert isinstance(ours.unwrapped, TaskVectorEnv) and ours.metadata["autoreset_mode"] is mode
    theirs = SyncVectorEnv([lambda: TaskEnv(name, **given)] * 5, autoreset_mode=mode)
    for space in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(ours, space) == getattr(theirs, space)
    rng, ended, final = np.random.default_rng(1), 0, 0
    assert data_equivalence(ours.reset(seed=3), theirs.reset(seed=3), exact=True)
    for _ in range(60):
        actions = rng.integers(0, ours.single_action_space.n, 5)
        mine, their = ours.step(actions), theirs.step(actions)
        for one, other in zip(*(told[4].pop("final_obs", ()) for told in (mine, their)), strict=True):
            assert (one is None and other is None) or data_equivalence(one, other, exact=True)
            final += one is not None
        assert data_equivalence(mine, their, exact=True)
        assert ours.observation_space.contains(mine[0])
        ended += (mine[2] | mine[3]).sum()
    assert ended > 10 and (final > 0) == (mode is AutoresetMode.SAME_STEP)


def test_what_an_episode_ended_with_is_told():
    env = TaskVectorEnv("lava_door_key", 5, autoreset_mode="SameStep", **SMALL)
    env.reset(seed=range(5))
    for _ in range(12):  # turning on the spot
        obs, _, terminated, truncated, infos = env.step([0] * 5)
    assert truncated.all() and not terminated.any()
    assert infos["_final_obs"].all() and infos["final_obs"].dtype == object
    single = TaskEnv("lava_door_key", **SMALL)
    single.reset(seed=1)
    for _ in range(12):
        last = single.step(0)[0]
    np.testing.assert_array_equal(infos["final_obs"][1], last)
    np.testing.assert_array_equal(obs[1], single.reset()[0])


def test_pictures():
    env = gymnasium.make("jaxteach/lava_door_key", render_mode="rgb_array", **SMALL)
    env.reset(seed=1)
    before = env.render()
    env.step(0)
    assert before.dtype == np.uint8 and before.shape == env.render().shape == (*before.shape[:2], 3)
    assert not np.array_equal(before, env.render())
    many = gymnasium.make_vec("jaxteach/lava_door_key", num_envs=5, render_mode="rgb_array", **SMALL)
    many.reset(seed=1)
    np.testing.assert_array_equal(many.render()[0], before)
    assert TaskEnv("lava_door_key", **SMALL).render() is None
    with pytest.raises(UserError, match="render_mode human: must be rgb_array"):
        TaskEnv("lava_door_key", render_mode="human")


def test_seeds():
    env = TaskVectorEnv("lava_door_key", 5, **SMALL)
    first = env.reset(seed=7)[0]
    went_on = env.reset()[0]
    assert not np.array_equal(went_on, first)
    np.testing.assert_array_equal(env.reset(seed=[7, 8, 9, 10, 11])[0], first)
    np.testing.assert_array_equal(env.reset()[0], went_on)
    mixed = env.reset(seed=[7, None, None, None, 11])[0]
    np.testing.assert_array_equal(mixed[[0, 4]], first[[0, 4]])
    assert not np.array_equal(mixed[1], first[1])
    first[0] = 0  # what was handed out is the caller's


def test_bad_input():
    with pytest.raises(UserError, match="did you mean 'lava_door_key'"):
        TaskEnv("lava_dor_key")
    with pytest.raises(UserError, match="num_envs 0"):
        TaskVectorEnv("lava_door_key", 0)
    with pytest.raises(UserError, match="must be NextStep or SameStep"):
        TaskVectorEnv("lava_door_key", 2, autoreset_mode=AutoresetMode.DISABLED)
    env, many = TaskEnv("lava_door_key", **SMALL), TaskVectorEnv("lava_door_key", 5, **SMALL)
    env.reset(), many.reset()
    with pytest.raises(ValueError, match="must be from 0 to 6"):
        env.step(7)
    for wrong in ([0, 7, 0, 0, 0], [0], 3):
        with pytest.raises(ValueError, match="actions must be 5, each from 0 to 6"):
            many.step(wrong)
    with pytest.raises(ValueError, match="there must be 5 seeds"):
        many.reset(seed=[1])
