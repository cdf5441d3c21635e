"""Tests of the run folder: parameters there and back, and what a stopped chunk leaves."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach import load_policy
from jaxteach.config import resolve
from jaxteach.config.sweep import grid
from jaxteach.runs.checkpoints import placed
from jaxteach.runs.chunk_files import read_chunk, write_chunk, write_params
from jaxteach.runs.run_folder import RunFolder, flatten, unflatten
from jaxteach.tasks import make_task
from jaxteach.training import Chunk
from jaxteach.training.trials import trials_of
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.features import View, n_egocentric
from tests.runs.sessions import Session
from tests.training.conftest import STEPS

IDS = np.array([3, 4])
POINTS = grid(STEPS)
N_FEATURES = n_egocentric(View(10, 10, (None,)))


@pytest.fixture
def folder(tmp_path):
    """A run folder with its configuration."""
    folder = RunFolder.create(tmp_path / "run")
    folder.write_config(resolve(STEPS), make_task("simple_door_key").features("compact"), None)
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
    write_params(folder, POINTS, 0, IDS, params(2), finished=False)
    assert action(folder, 4) == 2
    write_params(folder, POINTS, 0, IDS, params(6), finished=True)
    assert action(folder, 4) == 6
    assert [path.name for path in (folder.path / "params").iterdir()] == ["00000.npz"]


def test_a_finished_chunk_is_read_back(folder):
    def read(trials=IDS, keep_params=True):
        return read_chunk(folder, POINTS, 0, trials, "run", keep_params, said.append)

    final = {"success_rate": np.array([0.5, 1.0]), "return": np.array([0.25, 0.75])}
    done = Chunk(IDS, {"return": np.ones((2, 3))}, np.full(2, -1), 1.5, final, 0.5)
    said = []
    assert read() is None and said == []  # it is not finished
    write_chunk(folder, 0, done, "run")
    assert read(keep_params=False).seconds == 1.5
    assert read() is None  # for its parameters are not there
    write_params(folder, POINTS, 0, IDS, params(6), finished=True)
    back = read()
    assert (back.seconds, back.evaluate_seconds) == (1.5, 0.5)
    np.testing.assert_array_equal(back.metrics["return"], done.metrics["return"])
    np.testing.assert_array_equal(back.final["return"], final["return"])
    assert read(trials=IDS + 1) is None
    assert [line.partition(": chunk")[2] for line in said] == [" 0 is trained again"] * 2


def test_a_point_of_a_sweep_has_a_folder_of_its_own(folder):
    points = grid(dataclasses.replace(STEPS, sweep=("ppo.lr=0.1,0.2",)))
    trials = trials_of(2, [3])
    write_params(folder, points, 0, trials, params(2), finished=True)
    for point in points:
        own = folder.at(point)
        own.write_config(point.config, make_task("simple_door_key").features("compact"), None)
        assert own.path == folder.path / "points" / point.label
        assert action(own, 3) == 2
        with pytest.raises(UserError, match="no parameters of seed 4"):
            action(own, 4)


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


def test_typed_keys_are_kept_by_their_words():
    """States of environments of others hold such keys; NumPy and orbax take none."""
    state = {"env": {"key": jax.random.split(jax.random.key(1, impl="rbg"), 3)}, "clock": jnp.arange(3)}
    arrays = flatten(state)
    assert arrays["env/key"].dtype == np.uint32 and arrays["env/key"].shape == (3, 4)
    again = placed(arrays, jax.tree.map(jnp.copy, state))
    assert again["env"]["key"].dtype == state["env"]["key"].dtype
    assert jnp.array_equal(again["env"]["key"], state["env"]["key"])
    with pytest.raises(ValueError, match="its state differs in env/key"):
        placed({**arrays, "env/key": arrays["env/key"][:, :2]}, state)
