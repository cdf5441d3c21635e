"""Tests that neither the width of the chunks nor the number of devices changes what is learnt."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxteach.config import PPO, Rollout, Student, Variant
from jaxteach.tasks import registry
from jaxteach.training import train
from jaxteach.training.metrics import LOSSES
from tests.training.conftest import STEPS
from tests.training.corridor import Corridor

pytestmark = pytest.mark.unoptimised

ROOT = Path(__file__).parents[2]
N_SEEDS = 64
SCALE = dataclasses.replace(
    STEPS,
    task="short_corridor",
    teacher="none",
    seeds=N_SEEDS,
    env_steps=12_288,
    student=Student("ego", hidden=32),
    ppo=PPO(epochs=2, minibatch=64),
    rollout=Rollout("steps", envs=32, steps=6),
    variant=Variant(),
)
"""Seeds that do learn: 64 updates each."""


class Short(Corridor):
    """A corridor with hardly the time to walk through it."""

    name = "short_corridor"
    max_steps = 6


def know() -> None:
    """Make the task known by its name."""
    registry._tasks._registered[Short.name] = Short()


EIGHT_DEVICES = """
import dataclasses
import sys
from jaxteach.utils.jax_setup import start_jax
start_jax(host_devices=8)
import jax
import numpy as np
from jaxteach.training import train
from tests.training.test_scale import SCALE, know
know()
assert jax.local_device_count() == 8
training = train(dataclasses.replace(SCALE, seeds_per_chunk=SCALE.seeds))
np.savez(sys.argv[1], seed_ids=training.seed_ids, **training.metrics)
"""


def metrics_of(width):
    """Metrics of the seeds in chunks of a width, [seed, update]."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry._tasks, "_registered", dict(registry._tasks._registered))
        know()
        training = train(dataclasses.replace(SCALE, seeds_per_chunk=width))
    assert training.seed_ids.tolist() == list(range(N_SEEDS))
    return training.metrics


@pytest.fixture(scope="module")
def narrow():
    return metrics_of(8)


@pytest.fixture(scope="module")
def wide():
    return metrics_of(N_SEEDS)


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
    return metrics["succeeded"][:, -16:].sum(axis=1) / metrics["finished"][:, -16:].sum(axis=1)


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
