"""Tests that neither the width of the chunks nor the number of devices changes what is learnt."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxteach.config import PPO, Decay, Rollout, Student, Variant
from jaxteach.training import train
from jaxteach.training.metrics import LOSSES
from tests.training.conftest import STEPS

ROOT = Path(__file__).parents[2]
N_SEEDS = 32
SCALE = dataclasses.replace(
    STEPS,
    seeds=N_SEEDS,
    env_steps=12_288,
    decay=Decay(start=10.0, floor=0.1, plateau_at=0.3, off_at=0.6),
    student=Student("ego", hidden=32),
    ppo=PPO(epochs=2, minibatch=64),
    rollout=Rollout("steps", envs=8, steps=32),
    variant=Variant(room_min=5, room_max=6, max_steps=60),
)
"""Seeds that do learn: 48 updates each."""

EIGHT_DEVICES = """
import dataclasses
import sys
from jaxteach.utils.jax_setup import start_jax
start_jax(host_devices=8)
import jax
import numpy as np
from jaxteach.teacher.loading import load_teacher
from jaxteach.training import train
from jaxteach.training.metrics import LOSSES
from tests.training.test_scale import SCALE
assert jax.local_device_count() == 8
config = dataclasses.replace(SCALE, seeds_per_chunk=SCALE.seeds)
training = train(config, load_teacher("chatglm", "simple_door_key"))
np.savez(sys.argv[1], seed_ids=training.seed_ids, **training.metrics)
"""


def metrics_of(width, table):
    """Metrics of the seeds in chunks of a width, [seed, update]."""
    training = train(dataclasses.replace(SCALE, seeds_per_chunk=width), table)
    assert training.seed_ids.tolist() == list(range(N_SEEDS))
    return training.metrics


@pytest.fixture(scope="module")
def narrow(table):
    return metrics_of(8, table)


@pytest.fixture(scope="module")
def wide(table):
    return metrics_of(N_SEEDS, table)


@pytest.fixture(scope="module")
def spread(tmp_path_factory):
    """The seeds on eight devices, which a process must ask for before it starts."""
    file = tmp_path_factory.mktemp("spread") / "metrics.npz"
    command = [sys.executable, "-c", EIGHT_DEVICES, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(file) as arrays:
        return dict(arrays)


def success(metrics):
    """Each seed's success among the episodes of the last quarter that have finished, f64[seed]."""
    return metrics["succeeded"][:, -12:].sum(axis=1) / metrics["finished"][:, -12:].sum(axis=1)


OTHERS = ["spread", pytest.param("wide", marks=pytest.mark.slow)]
"""On eight devices the chunk is as wide; that it is on one device as well takes another program."""


@pytest.mark.parametrize("other", OTHERS)
def test_the_first_update_is_the_same(narrow, other, request):
    metrics = request.getfixturevalue(other)
    assert metrics.keys() >= {*LOSSES, "started"}
    for name in ("env_steps", "started", "finished", "succeeded"):
        np.testing.assert_array_equal(metrics[name][:, 0], narrow[name][:, 0])
    for name in LOSSES:
        np.testing.assert_allclose(metrics[name][:, 0], narrow[name][:, 0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("other", OTHERS)
def test_statistics_at_the_end_are_the_same(narrow, other, request):
    ours, theirs = success(narrow), success(request.getfixturevalue(other))
    assert ours.std() > 0 and ours.mean() > 0.5  # they have learnt, some less than others
    assert abs(ours.mean() - theirs.mean()) < np.sqrt(
        (ours.var() + theirs.var()) / len(ours)
    )  # standard error
