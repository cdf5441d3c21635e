"""Small synthetic run folders for the tests of analysis."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

UPDATES, STEPS_PER_UPDATE, EPISODES = 30, 512, 40


def synthetic_metrics(seeds: int = 8, updates: int = UPDATES, speed: float = 1.0) -> dict[str, Any]:
    """Metrics of students that learn along an S-curve; the last update's episodes are still running."""
    rng = np.random.default_rng(seeds)
    shape = (seeds, updates)
    midpoint = rng.normal(12.0 / speed, 1.5, size=(seeds, 1))
    skill = 1.0 / (1.0 + np.exp(-(np.arange(updates) - midpoint) / 2.0))
    started = np.full(shape, EPISODES)
    finished = started.copy()
    finished[:, -1:] //= 2
    succeeded = rng.binomial(finished, skill)
    return {
        "seed_ids": np.arange(seeds),
        "env_steps": np.tile(np.arange(1, updates + 1) * STEPS_PER_UPDATE, (seeds, 1)),
        "started": started,
        "finished": finished,
        "succeeded": succeeded,
        "return": 0.9 * succeeded / np.maximum(finished, 1),
        "length": np.full(shape, 30.0),
    }


@pytest.fixture
def metrics() -> dict[str, Any]:
    """Metrics of 8 seeds and 30 updates."""
    return synthetic_metrics()


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run folder and return its path; `summary=False` leaves an interrupted run."""

    def write(
        name: str = "run",
        *,
        metrics: dict[str, Any] | None = None,
        summary: bool = True,
        teacher: str | None = "chatglm",
        rate: float | None = 0.57,
        task: str = "lava_door_key",
        decay: str = "linear_plateau",
        student: str = "ego",
        preset: str = "fast",
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        config = {
            "task": task,
            "preset": preset,
            "student": {"name": student},
            "teacher": teacher or "none",
            "decay": {"name": decay},
        }
        (folder / "config.json").write_text(json.dumps(config))
        if summary:
            content = {
                "schema_version": 1,
                "task": task,
                "student": student,
                "decay": decay,
                "teacher": teacher and {"name": teacher, "sha256": "0" * 64},
                "teacher_success_rate": rate if teacher else None,
            }
            (folder / "summary.json").write_text(json.dumps(content))
        np.savez(folder / "metrics.npz", **(synthetic_metrics() if metrics is None else metrics))
        return folder

    return write
