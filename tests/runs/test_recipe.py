"""Tests of the one recipe for a run: train into a folder, stop, continue, and refuse another run's folder."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import jaxteach
from jaxteach.runs import Hooks, RunFolder, Settings, execute
from jaxteach.runs.recipe import WRITING
from jaxteach.teacher.success import Success
from jaxteach.training import compilation
from jaxteach.utils.errors import UserError
from tests.training.conftest import LONG


@pytest.fixture
def programs(long_program):
    """Compiled before, so that nothing compiles here."""
    return [long_program]


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(tmp_path, programs, table, long_training):
    folder, begun = tmp_path / "run", []
    answers = iter([False, True, *[False] * 100])
    hooks = Hooks(stop=lambda: next(answers), begin=begun.append)
    stopped = execute(LONG, table, folder, hooks, programs=programs)
    assert (stopped.folder, stopped.complete, stopped.values) == (folder, False, {})
    assert begun[0].startswith("compiling for ") and begun[1:] == [WRITING]
    done = execute(LONG, table, folder, hooks, programs=programs, facts={"source": "here"})
    assert begun[-2:] == [WRITING, "measuring the teacher"]
    assert done.complete and done.values["source"] == "here"
    assert done.values == json.loads((folder / "summary.json").read_text())
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "metrics.npz",
        "params",
        "summary.json",
    }
    parts = [RunFolder(folder).read_params(chunk) for chunk in (0, 1)]
    params = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(long_training.params), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_teacher_whose_success_ships_is_not_measured(tmp_path, programs, table, monkeypatch):
    monkeypatch.setattr(compilation, "shipped_for", lambda *arguments: Success(0.25, 8))
    begun = []
    done = execute(LONG, table, tmp_path / "run", Hooks(begin=begun.append), programs=programs)
    assert begun[-1] == WRITING
    assert done.values["teacher_success_rate"] == 0.25


def test_a_run_that_has_ended_is_not_trained_again(tmp_path, programs, table):
    first = execute(LONG, table, tmp_path, programs=programs)

    def never(*_):
        raise AssertionError

    hooks = Hooks(on_segment=never, on_evaluation=never, say=never, guard=never)
    again = execute(LONG, table, tmp_path, hooks, programs=programs)
    assert again.complete and again.values == first.values


def test_hooks_are_called_on_the_way(tmp_path, programs, table):
    segments, evaluated, said, begun = [], [], [], []
    hooks = Hooks(
        on_segment=lambda progress: segments.append((progress.chunk, progress.share)),
        on_evaluation=lambda *facts: evaluated.append(facts),
        on_begun=lambda path: begun.append((path / "config.json").exists()),
        say=said.append,
    )
    execute(LONG, table, tmp_path, hooks, programs=programs)
    shares = [share for _, share in segments]
    assert shares == sorted(shares) and shares[-1] == 1.0 and {chunk for chunk, _ in segments} == {0, 1}
    assert evaluated == [(0, 2, 2), (1, 2, 1)] and begun == [True]
    assert said[0].startswith(f"run folder: {tmp_path} (") and said[1].startswith("compiled in ")


def test_another_run_in_the_folder_is_refused_and_named(tmp_path, programs, table):
    execute(LONG, table, tmp_path, programs=programs)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    other = dataclasses.replace(LONG, first_seed=7)
    with pytest.raises(
        UserError, match=r"holds a run of another configuration \(other values of first_seed\)"
    ):
        execute(other, table, tmp_path, programs=programs)
    with pytest.raises(UserError, match=r"the teacher table .* has changed since"):
        execute(LONG, dataclasses.replace(table, sha256="0" * 64), tmp_path, programs=programs)
    with pytest.raises(UserError, match="already holds a run"):
        execute(LONG, table, tmp_path, settings=Settings(resume=False), programs=programs)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"fingerprint": "0"}))
    with pytest.raises(UserError, match="has been changed since the run was started"):
        execute(LONG, table, tmp_path, programs=programs)
    (tmp_path / "config.json").write_bytes(before[tmp_path / "config.json"])
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_teacher_and_its_table_go_together(tmp_path, table):
    with pytest.raises(UserError, match=r"names teacher chatglm, and there is no table: pass load_teacher"):
        execute(LONG, None, tmp_path / "run")
    with pytest.raises(UserError, match="would not be named"):
        execute(dataclasses.replace(LONG, teacher="none"), table, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_the_package_offers_the_recipe():
    assert jaxteach.execute is execute and jaxteach.Hooks is Hooks
