"""Tests of what tells a configuration from others: the fingerprints of earlier runs still hold."""

import dataclasses
import json

import pytest

from jaxteach.config import PPO, Config, Corrupt, from_json, identity, resolve, to_json
from jaxteach.runs import fingerprint


@pytest.mark.parametrize(
    ("config", "digest"),
    [
        (Config(), "4bb01585b86461f5405d0eba2ac39cc768577b96182a8b465306bef1e8d3ccef"),
        (
            Config(corrupt=Corrupt(0.2, seed=3)),
            "46ec59fb14d51e72056db9957e5075c22da1d48eec93d91be22c1e1d8f106267",
        ),
    ],
)
def test_a_fingerprint_is_that_of_before_numbers_of_states(config, digest):
    """Written down then: a run begun without the field can be continued, and its shards joined."""
    assert fingerprint(resolve(config), None, deterministic=False) == digest


def test_later_fields_count_once_they_are_set():
    assert "states" not in identity(Config())["corrupt"] and "states" in to_json(Config())["corrupt"]
    config = Config(corrupt=Corrupt(states=2))
    assert identity(config)["corrupt"]["states"] == 2
    assert fingerprint(config, None, False) != fingerprint(Config(), None, False)


def test_a_bonus_counts_once_it_is_asked_for():
    assert not {"bonus", "bonus_weight"} & set(identity(Config())["ppo"])
    assert identity(Config(ppo=PPO(bonus="visits")))["ppo"]["bonus"] == "visits"


def test_a_file_of_before_is_read():
    config = resolve(Config(corrupt=Corrupt(0.2, seed=3)))
    values = json.loads(json.dumps(to_json(config)))
    del values["corrupt"]["states"], values["ppo"]["bonus"], values["ppo"]["bonus_weight"]
    assert from_json(values) == config
    assert from_json(to_json(dataclasses.replace(config, corrupt=Corrupt(states=2)))).corrupt.states == 2
