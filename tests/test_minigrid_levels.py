"""A level of MiniGrid from the first step to a figure: run, evaluate, plot, deploy."""

import json
from pathlib import Path

import numpy as np
import pytest

from jaxteach import load_policy
from tests.commands import here

pytestmark = pytest.mark.unoptimised

SMALL = (
    "--task MiniGrid-Empty-5x5-v0 --teacher none --seeds 2 --seeds-per-chunk 2 --env-steps 1024 "
    "--eval-episodes 8 --student.hidden 8 --rollout.envs 8 --ppo.minibatch 32 --ppo.epochs 1"
).split()
STUDENTS = {
    "ego": [],
    "gru": ["--student", "gru", "--variant.observation", "view"],
    "cnn": ["--student", "cnn"],
}


@pytest.fixture(
    scope="module",
    params=["ego", pytest.param("gru", marks=pytest.mark.slow), pytest.param("cnn", marks=pytest.mark.slow)],
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a student."""
    folder = tmp_path_factory.mktemp("levels") / request.param
    done = here("run", *SMALL, *STUDENTS[request.param], "--out", folder)
    assert done.status == 0, done.err
    return folder


def test_it_trains_and_evaluates(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert json.loads((run / "config.json").read_text(encoding="utf-8"))["task"] == "MiniGrid-Empty-5x5-v0"
    done = here("evaluate", run, "--episodes", 8, "--seed", 0, "--json")
    assert done.status == 0, done.err
    result = json.loads(done.out)
    assert result["seeds"] == [0, 1]
    # The same students on the same episodes as at the end of the run.
    assert result["success_rate"]["per_seed"] == summary["success_rate"]["per_seed"]
    assert 0 < result["length"]["mean"] <= 100


def test_it_is_plotted(run: Path, tmp_path: Path) -> None:
    done = here("plot", run, "--window", 5, "--out", tmp_path / "figure.png")
    assert done.status == 0, done.err
    assert list(tmp_path.iterdir())


def test_its_students_play_on_numpy_alone(run: Path) -> None:
    policy = load_policy(run, 1)
    cells = np.zeros((3, 5, 5, 4), np.uint8)
    cells[..., 0], cells[..., 3] = 1, 4
    cells[:, 1, 1, 3] = 0
    obs = {
        "cells": cells,
        "image": np.ones((3, 7, 7, 3), np.uint8),
        "direction": np.arange(3, dtype=np.uint8),
        "mission": np.zeros(3, np.uint16),
    }
    batch = policy(obs)
    assert batch.shape == (3, 7)
    np.testing.assert_allclose(batch.sum(axis=1), 1, rtol=1e-5)
    policy.reset()
    one = policy({name: array[0] for name, array in obs.items()})
    np.testing.assert_allclose(one, batch[0], rtol=1e-5)
    with pytest.raises(ValueError, match="by name"):
        policy(cells)
    with pytest.raises(ValueError, match="must be"):
        policy({**obs, "cells": cells[:, :4], "image": obs["image"][:, :4]})
    with pytest.raises(ValueError, match="as many"):
        policy({**obs, "mission": np.zeros(2, np.uint16)})
