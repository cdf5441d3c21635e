"""Tests of what is told of a run after each segment."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from jaxteach.training.live import live_point
from jaxteach.training.metrics import LOSSES, MetricsLog


def segment(successes, n_updates=2, finished=120):
    """Metrics as a program gives them: of 120 episodes a seed starts each update, `successes` succeed."""
    shape = (n_updates, len(successes))
    outcomes = np.zeros((*shape, 1, 4), np.float32)
    outcomes[:, :, 0, 0] = finished
    outcomes[:, :, 0, 1] = successes
    outcomes[:, :, 0, 2] = 2 * np.array(successes)
    return {
        **{name: np.full(shape, i, np.float32) for i, name in enumerate(LOSSES)},
        "env_steps": np.broadcast_to(np.arange(1, n_updates + 1)[:, None] * 100, shape).astype(np.int32),
        "started": np.full(shape, 120, np.int32),
        "unlisted": np.zeros(shape, np.int32),
        "alive": np.ones(shape, bool),
        "outcomes": outcomes,
    }


def point(metrics, n=4):
    log = MetricsLog(n)
    log.add(metrics)
    return live_point(
        SimpleNamespace(
            log=log, chunk=1, trials=np.arange(n), env_steps=1000, chunk_env_steps=800, seconds=4.0
        )
    )


def test_by_hand():
    found = point(segment([0, 30, 60, 90]))
    assert found["success"] == pytest.approx(0.375) and found["success_iqm"] == pytest.approx(0.375)
    assert [found[f"success_{which}"] for which in ("q25", "median", "q75")] == [0.1875, 0.375, 0.5625]
    assert found["return"] == pytest.approx(0.75) and found["return_q75"] == pytest.approx(1.125)
    assert (found["known_at"], found["env_steps_per_seed"], found["env_steps_per_second"]) == (200, 200, 250)
    assert [found[name] for name in LOSSES] == list(range(len(LOSSES)))
    assert (found["chunk"], found["update"], found["env_steps"], found["trials"]) == (1, 2, 1000, 4)
    assert "unlisted" not in found
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_is_not_known_or_not_finite_is_left_out():
    metrics = segment([1, 2, 3, 4], finished=50)  # of 120 that were started
    metrics["distill"][:] = np.nan  # no teacher
    metrics["policy_loss"][0, 0] = np.inf
    metrics["unlisted"][:, 1] = 3
    found = point(metrics)
    assert not {name for name in found if name.startswith(("success", "return", "known"))}
    assert not {"distill", "policy_loss"} & found.keys() and found["unlisted"] == 6
