"""Tests of sweeps in training: one program for the whole grid, and for each point what it gives alone."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from jaxteach.config import resolve
from jaxteach.config.sweep import grid
from jaxteach.runs import RunFolder, write_metrics, write_summary
from jaxteach.training import reuse_program, train
from tests.runs.sessions import Session
from tests.training.conftest import LONG

SWEPT = dataclasses.replace(LONG, seeds=3, sweep=("ppo.lr=2e-3,5e-2", "decay=linear_plateau,none"))


@pytest.fixture(scope="module")
def swept_program(long_program, table):
    program = reuse_program(long_program, resolve(SWEPT), table)
    assert program is not None  # compiled for nothing that is swept
    assert len(program.points) == 4
    return program


def alone(point, program, table):
    """What a point comes to without the others, at the same width."""
    config = resolve(dataclasses.replace(point.config, eval_episodes=LONG.eval_episodes))
    return train(config, table, program=reuse_program(program, config, table))


def test_each_point_comes_to_what_it_comes_to_alone(swept_program, table):
    """Twelve trials in six chunks of two, some of them over two points."""
    together = train(SWEPT, table, program=swept_program)
    assert together.seed_ids.tolist() == [0, 1, 2] * 4
    for number, point in enumerate(swept_program.points):
        own, rows = alone(point, swept_program, table), slice(3 * number, 3 * number + 3)
        for name, array in own.metrics.items():
            np.testing.assert_array_equal(together.metrics[name][rows], array, err_msg=name)
        jax.tree.map(
            lambda x, y, rows=rows: np.testing.assert_array_equal(x[rows], y), together.params, own.params
        )
    first, second = (together.metrics["policy_loss"][i] for i in (0, 6))
    assert not np.array_equal(first, second)  # the learning rate matters


def test_a_sweep_goes_on_and_leaves_a_run_folder_for_each_point(tmp_path, swept_program, table):
    path = tmp_path / "sweep"
    assert not Session(path, swept_program).run(segments=13).complete
    session = Session(path, swept_program)
    outcome = session.run()
    assert outcome.complete and session.said == []
    folder = RunFolder(path)
    plan, points = swept_program.plan, swept_program.points
    write_metrics(plan, points, folder, outcome, table)
    wall = {"compile": 1.0, "total": 2.0}
    teacher = swept_program.teacher_alone
    written = write_summary(plan, points, folder, outcome, table, teacher, wall)
    folder.clean()
    assert json.loads((path / "summary.json").read_text())["points"] == written["points"]
    assert sorted(p.name for p in path.iterdir()) == ["metrics.jsonl", "points", "summary.json"]
    assert [point["label"] for point in written["points"]] == [point.label for point in grid(SWEPT)]
    own = alone(swept_program.points[1], swept_program, table)
    at = path / written["points"][1]["folder"]
    with np.load(at / "metrics.npz") as metrics:
        assert metrics["seed_ids"].tolist() == [0, 1, 2]
        np.testing.assert_array_equal(metrics["succeeded"], own.metrics["succeeded"])
    kernels = [np.load(file)["policy/kernel"] for file in sorted((at / "params").iterdir())]
    np.testing.assert_array_equal(np.concatenate(kernels), own.params["policy"]["kernel"])
    config = json.loads((at / "config.json").read_text())
    assert (config["decay"]["name"], config["ppo"]["lr"], config["sweep"]) == ("none", 0.002, [])
    summary = json.loads((at / "summary.json").read_text())
    assert summary["decay"] == "none" and summary["success_rate"] == written["points"][1]["success_rate"]
    assert sum(
        json.loads((path / p["folder"] / "summary.json").read_text())["wall_seconds"]["train"]
        for p in written["points"]
    ) == pytest.approx(written["wall_seconds"]["train"])


def test_parameters_need_not_be_kept(tmp_path, long_program, long_training):
    session = Session(tmp_path, long_program)
    assert not session.run(segments=6, keep_params=False).complete
    outcome = session.run(keep_params=False)
    assert outcome.complete and session.said == []
    np.testing.assert_array_equal(outcome.metrics["succeeded"], long_training.metrics["succeeded"])
    assert outcome.final["success_rate"].shape == (3,)
    # What a stop left to be played is all there is.
    assert not list((tmp_path / "params").glob("*[0-9].npz"))
