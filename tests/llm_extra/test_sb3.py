"""Stable-Baselines3 trains on our tasks through Gymnasium, single and in its own vector environments."""

import gymnasium
import numpy as np
import pytest

import jaxteach.gymnasium  # noqa: F401 (registers the ids)

sb3 = pytest.importorskip("stable_baselines3")


def test_ppo_takes_a_few_updates():
    from stable_baselines3.common.env_checker import check_env
    from stable_baselines3.common.env_util import make_vec_env

    given = {"flat": True, "room_min": 5, "room_max": 5, "max_steps": 20}
    check_env(gymnasium.make("jaxteach/simple_door_key", **given), warn=False)
    envs = make_vec_env("jaxteach/simple_door_key", n_envs=2, seed=0, env_kwargs=given)
    model = sb3.PPO("MlpPolicy", envs, n_steps=64, batch_size=64, n_epochs=2, seed=0, device="cpu")
    before = {name: x.clone() for name, x in model.policy.state_dict().items()}
    model.learn(384)
    assert (model.num_timesteps, model._n_updates) == (384, 3 * 2)
    assert len(model.ep_info_buffer) >= 384 // 20 - 2  # episodes were seen to end
    assert all(episode["l"] <= 20 for episode in model.ep_info_buffer)
    after = model.policy.state_dict()
    assert any(not np.array_equal(x, after[name]) for name, x in before.items())
    assert all(np.isfinite(x.numpy()).all() for x in after.values())
    action, _ = model.predict(envs.reset())
    assert action.shape == (2,)
