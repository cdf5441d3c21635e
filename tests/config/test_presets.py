"""Tests of presets: where defaults come from."""

import dataclasses

import pytest

from jaxteach.config import Config, from_json, preset, resolve, to_json
from jaxteach.tasks.registry import task_settings
from jaxteach.utils.errors import UserError

MAZE = "MiniGrid-ObstructedMaze-Full-v1"


def test_a_level_brings_what_was_found_for_it_and_nothing_else():
    config = preset("level", MAZE)
    assert (config.task, config.preset, config.env_steps) == (MAZE, "level", 2_097_152)
    assert (config.decay.name, config.decay.floor, config.decay.off_at) == ("adaptive", 0.3, 1.0)
    plain = Config()
    assert config.ppo == dataclasses.replace(plain.ppo, entropy_weight=0.003, lr=0.001, minibatch=512)
    assert config.rollout == dataclasses.replace(plain.rollout, envs=128, steps=64)
    assert config.student == dataclasses.replace(plain.student, hidden=256)
    rest = {name: getattr(plain, name) for name in ("task", "decay", "ppo", "rollout", "student")}
    assert config.teacher == "rule-ideal"  # with which it was found
    assert dataclasses.replace(config, preset="fast", env_steps=None, teacher=plain.teacher, **rest) == plain
    assert from_json(to_json(config)) == config


def test_what_was_found_makes_a_configuration_of_every_level():
    assert len(task_settings()) == 18
    for task, settings in task_settings().items():
        assert resolve(preset("level", task)).env_steps == settings["env_steps"] >= 65_536


def test_a_task_without_settings_of_its_own_has_no_such_preset():
    for task in (None, "lava_door_key", "MiniGrid-DoorKey-8x8-v0:view"):
        with pytest.raises(UserError, match=r"nothing was found for task .*leave the flag out"):
            preset("level", task)
    with pytest.raises(UserError, match="did you mean 'level'"):
        preset("levle")
