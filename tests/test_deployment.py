"""A student trained here plays as well in Farama's engine, driven through `load_policy` alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from jaxteach import load_policy
from jaxteach.tasks import make_task
from tests.commands import apart, here
from tests.worlds.minigrid.paper.farama import FaramaRoom
from tests.worlds.minigrid.paper.play import draw_layouts, grids_of

TASK = "simple_door_key"
EPISODES = 300
pytestmark = pytest.mark.unoptimised


@dataclass(frozen=True)
class Student:
    """Attributes: its policy in NumPy, and how it fared here."""

    policy: Any
    here: Mapping[str, Any]


@pytest.fixture(scope="session", params=["shipped", pytest.param("trained", marks=pytest.mark.slow)])
def student(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Student:
    """The student that ships, or one trained as a user would, long enough to be good but not perfect."""
    if request.param == "shipped":
        name = f"pretrained/{TASK}"
        done = here("evaluate", name, "--episodes", 2000, "--json")
        assert done.status == 0, done.err
        return Student(load_policy(name), json.loads(done.out))
    folder = tmp_path_factory.mktemp("deployment") / "run"
    flags = ["--task", TASK, "--seeds", "1", "--seeds-per-chunk", "1", "--env-steps", "24576"]
    done = apart("run", *flags, "--eval-episodes", "4000", "--out", folder)
    assert done.status == 0, done.err
    return Student(load_policy(folder, 0), json.loads((folder / "summary.json").read_text()))


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


def test_a_student_succeeds_in_farama_as_often_as_here(student: Student) -> None:
    success, mean_return = student.here["success_rate"]["mean"], student.here["return"]["mean"]
    assert success > 0.8  # else there would be nothing to compare
    returns = play_in_farama(student.policy, seed=11, n=EPISODES)
    low, high = interval(returns)
    assert low <= success <= high
    assert abs(returns.mean() - mean_return) < 3.5 * returns.std() / np.sqrt(EPISODES)


def test_the_comparison_tells_a_misled_student(student: Student) -> None:
    # Maps read as [column, row]: were the engines to differ so, the test above would fail.
    policy = student.policy

    class Transposed:
        reset = staticmethod(policy.reset)

        def __call__(self, obs: np.ndarray) -> np.ndarray:
            return policy(obs.swapaxes(1, 2))

    returns = play_in_farama(Transposed(), seed=11, n=60)
    assert interval(returns)[1] < student.here["success_rate"]["mean"]
