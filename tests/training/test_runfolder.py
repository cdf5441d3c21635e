"""Tests of the run folder: parameters there and back, and what a stopped chunk leaves."""

import numpy as np
import pytest

from jaxteach import load_policy
from jaxteach.config import resolve
from jaxteach.errors import UserError
from jaxteach.student.features import View, n_egocentric
from jaxteach.tasks import make_task
from jaxteach.training.runfolder import Finished, RunFolder, flatten, unflatten
from tests.training.conftest import STEPS
from tests.training.sessions import Session

IDS = np.array([3, 4])
N_FEATURES = n_egocentric(View(10, 10, (None,)))


@pytest.fixture
def folder(tmp_path):
    """A run folder with its configuration."""
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(resolve(STEPS), make_task("simple_door_key"), None)
    return folder


def params(value):
    """Parameters of two students who always act alike."""
    bias = np.zeros((2, 7), np.float32)
    bias[:, value] = 5.0
    wide = {"kernel": np.zeros((2, N_FEATURES, 8), np.float32), "bias": np.zeros((2, 8), np.float32)}
    deep = {"kernel": np.zeros((2, 8, 8), np.float32), "bias": np.zeros((2, 8), np.float32)}
    policy = {"kernel": np.zeros((2, 8, 7), np.float32), "bias": bias}
    return {"dense_0": wide, "dense_1": deep, "policy": policy}


def action(folder, seed):
    obs = np.full((10, 10, 4), (1, 0, 0, 4), np.uint8)
    obs[5, 5, 3] = 0
    return int(load_policy(folder.path, seed)(obs).argmax())


def test_parameters_there_and_back():
    tree = params(1)
    arrays = flatten(tree)
    assert set(arrays) == {f"{layer}/{part}" for layer in tree for part in ("kernel", "bias")}
    back = unflatten({"seed_ids": IDS, **arrays})
    assert set(back) == set(tree)
    np.testing.assert_array_equal(back["policy"]["bias"], tree["policy"]["bias"])


def test_a_stopped_chunk_can_be_played_until_it_is_finished(folder):
    folder.write_unfinished(0, IDS, params(2))
    assert action(folder, 4) == 2
    assert folder.read_chunk(0, IDS, "run", print) is None  # it is not finished
    done = Finished(IDS, {"env_steps": np.ones((2, 3))}, np.full(2, -1), 1.5)
    folder.write_chunk(0, done, params(6), "run")
    assert action(folder, 4) == 6
    assert [path.name for path in (folder.path / "params").iterdir()] == ["00000.npz"]
    read = folder.read_chunk(0, IDS, "run", print)
    assert read is not None and read.seconds == 1.5
    np.testing.assert_array_equal(read.metrics["env_steps"], done.metrics["env_steps"])


def test_a_run_stopped_within_a_chunk(tmp_path, long_program):
    def left():
        return sorted(path.name for path in (tmp_path / "params").iterdir())

    assert not Session(tmp_path, long_program, every=0).run(segments=1).complete
    assert left() == ["00000.unfinished.npz"]
    assert Session(tmp_path, long_program, every=0).run().complete
    assert left() == ["00000.npz", "00001.npz"]


def test_a_folder_holds_one_run(folder):
    with pytest.raises(UserError, match="already holds a run"):
        RunFolder.create(folder.path)
