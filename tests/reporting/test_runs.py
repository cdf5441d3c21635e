"""Tests of what a page says of its runs: the command that repeats one, whatever its preset and flags."""

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from jaxteach.config import resolve
from jaxteach.reporting.runs import Reported, how_to_repeat
from jaxteach.run import read_options
from jaxteach.runs.run_folder import fingerprint
from jaxteach.tasks.registry import task_settings


def repeated(arguments: list[str]) -> tuple[str, str]:
    """Fingerprints of what a command line asks for, and of what the line of its flags on a page does."""
    options = read_options(arguments)[0]
    asked, told = resolve(options.config), SimpleNamespace(deterministic=options.deterministic)
    one = SimpleNamespace(config=asked, record=told, run=SimpleNamespace(path=Path("runs/one")))
    *_, line = how_to_repeat(cast(Reported, one))
    again = read_options(shlex.split(line)[2:])[0]
    return fingerprint(asked, None, told.deterministic), fingerprint(
        resolve(again.config), None, again.deterministic
    )


@pytest.mark.parametrize("task", sorted(task_settings()))
def test_a_run_by_a_levels_own_preset_is_repeated(task):
    asked, told = repeated(["--preset", "level", "--task", task, "--seeds", "16", "--ppo.lr", "0.0007"])
    assert told == asked


@pytest.mark.parametrize(
    "line",
    [
        "--decay linear_plateau --seeds 8",
        "--preset paper --task two_door --teacher none",
        "--preset paper --eval-episodes 7 --seeds-per-chunk 2",
        "--task lava_door_key --method hierarchical --deterministic",
        "--task MiniGrid-DoorKey-8x8-v0 --teacher rule-ideal --rollout.envs 16 --first-seed 1000",
        "--sweep decay.floor=0.0,0.1 --sweep ppo.lr=0.001,0.002",
    ],
)
def test_a_run_is_repeated(line):
    asked, told = repeated(line.split())
    assert told == asked
