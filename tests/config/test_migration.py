"""Tests of points of a schedule from flag to config.json and back, those of an earlier version included."""

import json

import pytest

from jaxteach.cli.flags import check_unchanged
from jaxteach.config import SCHEMA_VERSION, from_json, share_of_run, to_json
from jaxteach.run import read_options
from jaxteach.utils.errors import UserError


def stored(word, version=SCHEMA_VERSION):
    """The contents of config.json of a run with an off_at."""
    config = read_options(["--decay.off-at", word])[0].config
    return json.loads(json.dumps({**to_json(config), "schema_version": version, "keep_params": "all"}))


@pytest.mark.parametrize(
    ("word", "share"), [("1", None), ("1.0", 1.0), ("0.5", 0.5), ("1980", None), ("1980.0", None)]
)
def test_a_decimal_point_survives(word, share):
    assert share_of_run(from_json(stored(word)).decay.off_at) == share


def test_version_1_keeps_its_meaning():
    values = {**stored("1.0", 1), "sweep": ["decay.plateau-at=0.5,1.0,2", "ppo.lr=1.0"]}
    config = from_json(values)
    assert share_of_run(config.decay.off_at) is None and config.decay.off_at == 1
    assert config.sweep == ("decay.plateau-at=0.5,1,2", "ppo.lr=1.0")
    assert from_json(stored("1980.0", 1)).decay.off_at == 1980.0


def test_a_run_goes_on_with_its_numbers_however_written():
    check_unchanged(stored("1980"), from_json(stored("1980.0")), {})
    with pytest.raises(UserError, match=r"--decay\.off-at 1\.0 \(the run was started with 1\)"):
        check_unchanged(stored("1"), from_json(stored("1.0")), {})
