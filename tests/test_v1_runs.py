"""Run folders of version one, tests/data/v1_runs: whatever reads a run folder still reads them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from jaxteach import load_policy
from jaxteach.analysis import load_run
from jaxteach.tasks import make_task
from tests.commands import here

RUNS = Path(__file__).parent / "data" / "v1_runs"
TASKS = {"taught": "simple_door_key", "hierarchical": "two_door"}


@pytest.fixture(params=TASKS)
def run(request, tmp_path):
    """A copy of a finished run, for commands to write into."""
    return shutil.copytree(RUNS / request.param, tmp_path / request.param)


def test_a_policy_plays_from_a_run_of_version_one(run):
    task = make_task(TASKS[run.name])
    n_choices = len(task.language.options if run.name == "hierarchical" else task.action_names)
    policy = load_policy(run, 1)
    obs = np.full((task.height, task.width, 4), (1, 0, 0, 4), np.uint8)
    obs[5, 5, 3] = 0
    probabilities = policy(obs)
    assert probabilities.shape == (n_choices,)
    np.testing.assert_allclose(probabilities.sum(), 1.0, rtol=1e-5)


def test_curves_of_a_run_of_version_one_are_read_and_drawn(run):
    assert load_run(run).metrics["env_steps"][:, -1].tolist() == [4096, 4096]
    assert here("plot", run, "--window", 1).status == 0
    assert (run / "success.png").exists()


@pytest.mark.slow
def test_a_run_of_version_one_is_evaluated_and_rendered(run):
    done = here("evaluate", run, "--episodes", 20)
    assert done.status == 0 and TASKS[run.name] in done.out, done
    assert here("render", run).status == 0
    assert (run / "episode.gif").exists()


def test_a_run_of_version_one_that_has_ended_is_not_trained_again(tmp_path):
    run = shutil.copytree(RUNS / "taught", tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    done = here("run", "--resume", "--out", run)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{run} has ended already: nothing is left to do\n"
    assert before == {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_run_that_version_one_began_is_refused_and_left_alone(tmp_path):
    run = shutil.copytree(RUNS / "taught", tmp_path / "run")
    (run / "summary.json").unlink()
    before = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    done = here("run", "--resume", "--out", run)
    assert done.status == 2 and done.err.count("\n") == 1
    assert f"{run} was begun by an earlier version of jaxteach" in done.err
    assert before == {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
