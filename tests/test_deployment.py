"""A student trained here plays as well in Farama's engine, driven through `load_policy` alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from jaxteach import load_policy
from jaxteach.tasks import make_task
from tests.worlds.minigrid.paper.farama import FaramaRoom
from tests.worlds.minigrid.paper.play import draw_layouts, grids_of

TASK = "simple_door_key"
EPISODES = 300
SOURCE = Path(__file__).parents[1] / "src"


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one student, trained as a user would, just long enough to be good but not perfect."""
    folder = tmp_path_factory.mktemp("deployment") / "run"
    flags = ["--task", TASK, "--seeds", "1", "--seeds-per-chunk", "1", "--env-steps", "24576"]
    flags += ["--eval-episodes", "4000", "--out", str(folder)]
    result = subprocess.run(
        [sys.executable, "-m", "jaxteach.run", *flags],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder


def play_in_farama(policy: Any, seed: int, n: int) -> np.ndarray:
    """The returns of fresh episodes in Farama's engine, one environment each, stepped side by side."""
    task = make_task(TASK)
    layouts = draw_layouts(task, seed, n)
    grids, cells, directions = grids_of(task, layouts), layouts["agent"], layouts["direction"]
    starts = zip(np.asarray(grids), np.asarray(cells), np.asarray(directions), strict=True)
    rooms = [FaramaRoom(grid, cell, direction) for grid, cell, direction in starts]
    observations = [room.reset()[0] for room in rooms]
    returns, playing = np.zeros(n), set(range(n))
    rng = np.random.default_rng(seed)
    policy.reset()
    while playing:
        below = policy(np.stack(observations)).cumsum(axis=1) <= rng.random((n, 1))
        actions = np.minimum(below.sum(axis=1), 6)
        for i in sorted(playing):
            observations[i], reward, terminated, truncated, _ = rooms[i].step(int(actions[i]))
            returns[i] += reward
            if terminated or truncated:
                playing.remove(i)
    return returns


def interval(returns: np.ndarray) -> tuple[float, float]:
    """The 99.9 % interval of the success rate behind these returns: each machine trains its own student."""
    found = binomtest(int((returns > 0).sum()), len(returns)).proportion_ci(0.999, method="exact")
    return found.low, found.high


def test_a_student_succeeds_in_farama_as_often_as_here(run: Path) -> None:
    here = json.loads((run / "summary.json").read_text())
    success, mean_return = here["success_rate"]["mean"], here["return"]["mean"]
    assert success > 0.8  # else there would be nothing to compare
    returns = play_in_farama(load_policy(run, 0), seed=11, n=EPISODES)
    low, high = interval(returns)
    assert low <= success <= high
    assert abs(returns.mean() - mean_return) < 3.5 * returns.std() / np.sqrt(EPISODES)


def test_the_comparison_tells_a_misled_student(run: Path) -> None:
    # Maps read as [column, row]: were the engines to differ so, the test above would fail.
    policy = load_policy(run, 0)

    class Transposed:
        reset = staticmethod(policy.reset)

        def __call__(self, obs: np.ndarray) -> np.ndarray:
            return policy(obs.swapaxes(1, 2))

    here = json.loads((run / "summary.json").read_text())["success_rate"]["mean"]
    assert interval(play_in_farama(Transposed(), seed=11, n=60))[1] < here
