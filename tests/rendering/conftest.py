"""Run folders of students that were never trained: what rendering reads, in a second."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxteach.config import Config, Student, resolve
from jaxteach.runs import RunFolder
from jaxteach.tasks.drawing import Drawing
from jaxteach.teacher.loading import load_teacher
from jaxteach.training.state import make_plan
from jaxteach.worlds.minigrid.paper import drawing


@pytest.fixture
def untrained_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a run folder with two students, ids 0 and 1, and return its path."""

    def write(
        task: str = "simple_door_key", teacher: str = "chatglm", student: str = "ego", name: str = "run"
    ) -> Path:
        config = resolve(Config(task=task, teacher=teacher, seeds=2, student=Student(student)))
        table = load_teacher(teacher, task)
        plan = make_plan(config, table is not None)
        folder = RunFolder.create(tmp_path / name)
        folder.write_config(config, plan.student.reader, table)
        params = jax.vmap(plan.student.init)(jax.random.split(jax.random.key(0), 2))
        folder.write_params(0, np.arange(2), jax.tree.map(np.asarray, params))
        return folder.path

    return write


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every state drawn from now on, in order."""
    drawn, draw = [], drawing.draw

    def watched(task: Any, state: Any) -> Any:
        drawn.append(jax.device_get(state))
        return draw(task, state)

    monkeypatch.setattr(drawing, "draw", watched)
    return drawn


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every state that would be drawn from now on, in order; pictures of a thousand moments take long."""
    states: list[Any] = []

    def watched(task: Any, state: Any) -> Drawing:
        states.append(jax.device_get(state))
        return Drawing(())

    monkeypatch.setattr(drawing, "draw", watched)
    return states
