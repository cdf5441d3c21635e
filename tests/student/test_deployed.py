"""Tests of the deployed student: NumPy alone gives what JAX gave, from files alone."""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxteach
from jaxteach.config import Config, Student, resolve
from jaxteach.runs import RunFolder
from jaxteach.student.deployed import load_policy
from jaxteach.student.networks import make_student
from jaxteach.tasks import make_task
from jaxteach.utils.errors import UserError
from tests.student.conftest import random_maps

STUDENTS = ("ego", "cnn", "gru")
HIDDEN = 8
SEEDS = np.array([3, 4, 9])
ROOT = Path(__file__).parents[2]


def save_run(folder: Path, name: str, task_name: str = "simple_door_key"):
    """A run folder with three students that were never trained; returns the student and its parameters."""
    task = make_task(task_name)
    student = make_student(name, HIDDEN, task)
    # Drawn wide: fresh biases are zero and fresh policies all but uniform, which would hide mistakes. No
    # wider: sums of float32 differ by their order, and at logits of 40 by more than what is tested for.
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(student.init, jax.random.key(0))
    params = {}
    for layer, parts in shapes.items():
        fan_in, units = parts["kernel"].shape
        gain = 3 if layer == "policy" else np.sqrt(2)
        kernel = rng.normal(scale=gain / np.sqrt(fan_in), size=(3, fan_in, units))
        params[layer] = {"kernel": kernel, "bias": rng.normal(scale=0.3, size=(3, units))}
    params = jax.tree.map(lambda x: x.astype(np.float32), params)
    run = RunFolder.create(folder)
    run.write_config(resolve(Config(task=task_name, student=Student(name, HIDDEN))), student.reader, None)
    run.write_params(0, SEEDS[:2], jax.tree.map(lambda x: x[:2], params))
    run.write_params(1, SEEDS[2:], jax.tree.map(lambda x: x[2:], params))
    return student, params


@pytest.fixture(scope="module", params=STUDENTS)
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deployed") / request.param
    return folder, *save_run(folder, request.param)


@functools.partial(jax.jit, static_argnums=0)
def probabilities(student, params, maps):
    """Action probabilities [N, T, 7] in JAX, from maps u8[N, T, H, W, 4] of episodes that begin at t = 0."""
    n, n_steps = maps.shape[:2]
    x = student.features(maps.reshape(n * n_steps, *maps.shape[2:])).reshape(n, n_steps, -1)
    first = jnp.zeros((n, n_steps), bool).at[:, 0].set(True)
    return jax.nn.softmax(student.unroll(params, x, student.blank(n), first)[0])


def test_numpy_gives_what_jax_gave(saved):
    folder, student, params = saved
    maps = random_maps(student.reader.view, 20).reshape(5, 4, student.reader.view.height, -1, 4)
    for row, seed in enumerate(SEEDS):
        policy = load_policy(folder, int(seed))
        found = np.stack([policy(maps[:, t]) for t in range(4)], axis=1)
        assert (found.shape, found.dtype) == ((5, 4, 7), np.float32)
        expected = probabilities(student, jax.tree.map(lambda x, row=row: x[row], params), maps)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert found.std(axis=(0, 1)).max() > 0.05  # these students do look at what they see


def test_one_observation_is_a_batch_of_one(saved):
    folder, student, _ = saved
    maps = random_maps(student.reader.view, 3, seed=5)
    alone, batched = load_policy(folder, 4), load_policy(folder, 4)
    for obs in maps:
        found = alone(obs)
        assert (found.shape, found.dtype) == ((7,), np.float32)
        np.testing.assert_allclose(found, batched(obs[None])[0], atol=1e-6)
        assert found.sum() == pytest.approx(1, abs=1e-5)


def test_reset_begins_a_new_episode(saved):
    folder, student, _ = saved
    policy = load_policy(folder, 9)
    maps = random_maps(student.reader.view, 4, seed=6)
    before = [policy(obs) for obs in maps]
    went_on = policy(maps[0])
    policy.reset()
    np.testing.assert_array_equal([policy(obs) for obs in maps], before)
    assert np.array_equal(went_on, before[0]) == (not student.recurrent)


def test_colours_of_keys_come_from_the_run(tmp_path):
    """A map of another task's keys is read as that task reads it."""
    student, params = save_run(tmp_path / "run", "ego", "colored_door_key")
    maps = random_maps(student.reader.view, 20)
    expected = probabilities(student, jax.tree.map(lambda x: x[0], params), maps[:, None])[:, 0]
    np.testing.assert_allclose(load_policy(tmp_path / "run", 3)(maps), expected, atol=1e-5)


def test_neither_jax_nor_navix_is_needed(saved):
    folder, student, _ = saved
    np.save(folder / "maps.npy", random_maps(student.reader.view, 2))
    code = """
import sys
for name in ("jax", "jaxlib", "flax", "navix", "optax", "chex", "matplotlib"):
    sys.modules[name] = None  # importing it fails
import numpy as np
import jaxteach
policy = jaxteach.load_policy(sys.argv[1], 4)
policy.reset()
print(policy(np.load(sys.argv[1] + "/maps.npy")).tolist())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = jaxteach.load_policy(folder, 4)(np.load(folder / "maps.npy"))
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 3), (9, 10, 4), (2, 3, 10, 10, 4)])
def test_observations_of_another_shape_are_refused(saved, shape):
    with pytest.raises(ValueError, match=r"must be \[\.\.\., \(10, 10, 4\)\]"):
        load_policy(saved[0], 3)(np.zeros(shape, np.uint8))


def edit(run, **changes):
    """Change entries of a run's config.json."""
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | changes))


def first_version(run, **changes):
    """Make a run's config.json that of the first version, which described a view, and change it."""
    config = json.loads((run / "config.json").read_text())
    features = config.pop("features")
    view = {name: value for name, value in features.items() if name != "reader"}
    (run / "config.json").write_text(json.dumps({**config, "view": view, **changes}))


def test_runs_of_the_first_version_load(saved, tmp_path):
    folder, student, _ = saved
    shutil.copytree(folder, tmp_path / "run")
    first_version(tmp_path / "run")
    maps = random_maps(student.reader.view, 3)
    np.testing.assert_array_equal(load_policy(tmp_path / "run", 3)(maps), load_policy(folder, 3)(maps))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: run.rename(run.with_name("moved")), "run is not a run folder.*config.json"),
        (lambda run: (run / "config.json").unlink(), "run is not a run folder.*config.json"),
        (lambda run: (run / "config.json").write_text("{"), "config.json is damaged"),
        (lambda run: (run / "config.json").write_text("[]"), "config.json must hold a JSON object"),
        (lambda run: (run / "config.json").write_text("[" * 10**5), "config.json is damaged: nested deeper"),
        (lambda run: first_version(run, view={"height": 1}), "view: width is missing"),
        (lambda run: first_version(run, view=[]), "config.json: view must be an object, not a list"),
        (lambda run: edit(run, features=[]), "config.json: features must be an object, not a list"),
        (lambda run: edit(run, features=None), "config.json: features must be an object, not null"),
        (lambda run: edit(run, features={"reader": "egocentric"}), "features: height is missing"),
        (lambda run: edit(run, features={"reader": "eyes"}), "features: .*reader 'eyes'"),
        (lambda run: edit(run, features={"reader": ["map"]}), r"features: .*reader \['map'\]"),
        (lambda run: edit(run, student={"name": "dense"}), "student.name must be one of ego, cnn, gru"),
        (lambda run: [p.unlink() for p in (run / "params").iterdir()], "seed 3: it holds none"),
        (lambda run: (run / "params/00000.npz").write_bytes(b"PK"), "00000.npz is damaged or cut short"),
        (lambda run: np.savez(run / "params/00000.npz", x=np.zeros(3)), "00000.npz is damaged"),
        (lambda run: (run / "params/00000.npz").unlink(), "no parameters of seed 3: it holds 9..9"),
    ],
)
def test_damaged_runs_are_named(tmp_path, damage, message):
    run = tmp_path / "run"
    save_run(run, "ego")
    damage(run)
    with pytest.raises(UserError, match=message):
        load_policy(run, 3)
