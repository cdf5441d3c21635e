"""Tests of `python -m jaxteach.run` as a command that meets its folder again: refusals, signals, the end."""

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jaxteach import run
from jaxteach.config import resolve
from jaxteach.runs import recipe
from jaxteach.teacher.loading import cache_folder
from jaxteach.teacher.success import Success
from jaxteach.training import program
from jaxteach.utils import errors
from jaxteach.utils import jax_setup as backend
from jaxteach.utils import signals as stopping
from jaxteach.utils.lock import FolderLock
from tests.commands import TINY as FLAGS
from tests.training.conftest import LONG


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, long_program):
    """Runs the command in this process, its program compiled before: exit status, stdout, stderr."""
    folder = tmp_path / "run"

    def compiled(config, table, **how):
        assert dataclasses.replace(config, out=None, teacher="chatglm") == resolve(LONG)
        return long_program

    def start(*arguments, out=folder):
        monkeypatch.setattr(sys, "argv", ["run", *arguments, "--out", str(out)])
        with pytest.raises(SystemExit) as stop:
            errors.cli(run.main)
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    monkeypatch.setattr(backend, "start_jax", lambda *arguments: None)
    monkeypatch.setattr(recipe, "compile_program", compiled)
    # The teacher's own success takes a program of its own.
    monkeypatch.setattr(program, "teacher_success", lambda *arguments: Success(1.0, 1000))
    start.folder = folder
    return start


@pytest.fixture
def stop_after(monkeypatch):
    """Has a signal arrive when the run has asked so many times whether to stop."""

    def after(questions, number=15):
        left = [questions]

        def asked(self):
            left[0] -= 1
            if left[0] < 0:
                self._number = number
            return left[0] < 0

        monkeypatch.setattr(stopping.Stopping, "asked", property(asked))

    yield after
    monkeypatch.undo()


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


ENDED = [
    "config.json",
    "metrics.jsonl",
    "metrics.npz",
    "params/00000.npz",
    "params/00001.npz",
    "summary.json",
]


def assert_ended(folder, expected):
    """Check that a run's folder holds what an uninterrupted run leaves, and nothing else."""
    assert files(folder) == ENDED
    with np.load(folder / "metrics.npz") as archive:
        for name, array in expected.metrics.items():
            assert archive[name].tobytes() == array.tobytes()
    result = json.loads((folder / "summary.json").read_text())
    assert result["seeds"] == [0, 1, 2] and result["diverged"] == []
    assert result["success_rate"]["n"] == 3
    wall = result["wall_seconds"]
    assert wall["total"] >= wall["train"] > 0


@pytest.mark.parametrize("questions", [0, 1, 3, 5], ids=["at once", "chunk 0", "later", "chunk 1"])
@pytest.mark.parametrize(("number", "status"), [(2, 130), (15, 143)])
def test_stopped_and_gone_on_with(command, stop_after, long_training, questions, number, status):
    folder = command.folder
    stop_after(questions, number)
    code, _, said = command(*FLAGS)
    assert code == status
    assert said == f"stopped; continue with: python -m jaxteach.run --resume --out {folder}\n"
    assert (folder / "metrics.npz").exists() == (questions > 0)
    assert not (folder / "summary.json").exists()
    stop_after(10**6)
    code, out, said = command("--resume")
    assert (code, said) == (0, "")
    assert "student: IQM success" in out
    assert_ended(folder, long_training)
    before = {path: (folder / path).read_bytes() for path in ENDED}
    code, out, said = command("--resume")
    assert (code, out, said) == (0, f"{folder} has ended already: nothing is left to do\n", "")
    assert {path: (folder / path).read_bytes() for path in ENDED} == before


@pytest.fixture
def stopped(command, stop_after):
    """The folder of a run stopped in its first chunk."""
    stop_after(3)
    assert command(*FLAGS)[0] == 143
    stop_after(10**6)
    return command.folder


def refusal(code, out, said):
    """The one line with which a command was refused."""
    assert code == 2
    assert said.startswith("error: ") and said.count("\n") == 1 and said[:-1].isprintable()
    return said


def test_refusals_keep_everything(command, stopped, long_training, tmp_path):
    before = files(stopped)
    line = refusal(*command(*FLAGS))
    assert "already holds a run: continue with it (--resume)" in line
    line = refusal(*command("--resume", "--ppo.lr", "0.1", "--seeds", "4", "--decay", "none"))
    assert "--seeds 4 (the run was started with 3)" in line
    assert "--decay none (the run was started with linear_plateau)" in line
    assert "--ppo.lr 0.1" in line
    line = refusal(*command("--resume", "--deterministic"))
    assert "--deterministic True (the run was started with False)" in line
    with FolderLock(stopped):
        line = refusal(*command("--resume"))
        assert "is in use by another run" in line
    assert files(stopped) == before
    # Flags that say the same, and the preset's name, do no harm.
    assert command("--resume", "--preset", "fast", "--ppo.epochs", "1", "--checkpoint-every", "1")[0] == 0
    assert_ended(stopped, long_training)


def test_a_configuration_edited_by_hand(command, stopped):
    config = json.loads((stopped / "config.json").read_text())
    config["seeds"] = 2
    (stopped / "config.json").write_text(json.dumps(config))
    assert "config.json has been changed since the run was started" in refusal(*command("--resume"))
    (stopped / "config.json").write_text("{")
    assert "config.json is damaged or cut short" in refusal(*command("--resume"))
    (stopped / "config.json").write_text("[]")
    assert "config.json must hold a JSON object" in refusal(*command("--resume"))
    (stopped / "config.json").write_text('{"task": ' + "[" * 100_000)
    assert "config.json is damaged: nested deeper than" in refusal(*command("--resume"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": [1]}, "device must be an object, not a list"),
        (
            {"device": {"platform": "cpu", "kind": "cpu", "count": "two"}},
            "device.count must be a whole number",
        ),
        (
            {"device": {"platform": "cpu", "kind": "cpu", "count": -1}},
            "--host-devices -1: must be at least 1",
        ),
        ({"teacher_table": "x"}, "teacher_table must be an object, not 'x'"),
        ({"seeds": "abc"}, "seeds must be a whole number, not 'abc'"),
        ({"task": None}, "task must be a text, not null"),
        ({"ppo": {"lr": "fast"}}, "ppo.lr must be a finite number, not 'fast'"),
        ({"keep_params": {"a": 1}}, "keep_params must be one of all, none, not an object"),
        ({"deterministic": "no"}, "deterministic must be true or false, not 'no'"),
        ({"versions": None}, "versions must be an object, not null"),
    ],
)
def test_a_configuration_edited_to_what_no_run_writes(command, stopped, changes, message):
    config = json.loads((stopped / "config.json").read_text())
    (stopped / "config.json").write_text(json.dumps(config | changes))
    before = files(stopped)
    assert message in refusal(*command("--resume"))
    assert files(stopped) == before


SCALARS = st.text(max_size=9) | st.booleans() | st.integers(-9, 9)
LISTS = st.lists(SCALARS, min_size=1, max_size=2)
OBJECTS = st.dictionaries(st.text(max_size=5), SCALARS | LISTS, max_size=2)


def another(value):
    """Values of other types than the one config.json has in a place."""
    if isinstance(value, dict):
        return st.none() | SCALARS | LISTS
    if isinstance(value, str):
        return st.none() | st.integers() | st.booleans() | LISTS | OBJECTS
    if isinstance(value, int | float):
        return st.none() | st.text() | LISTS | OBJECTS
    return OBJECTS


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_configuration_with_any_value_of_another_type(command, stopped, data):
    path, before = stopped / "config.json", files(stopped)
    if not (whole := stopped.with_name("whole.json")).exists():
        shutil.copy(path, whole)
    config = json.loads(whole.read_text())
    node, name = (
        config,
        data.draw(st.sampled_from(sorted(config.keys() - {"schema_version", "features", "out"}))),
    )
    if isinstance(config[name], dict) and config[name] and data.draw(st.booleans()):
        node, name = config[name], data.draw(st.sampled_from(sorted(config[name])))
    node[name] = data.draw(another(node[name]))
    path.write_text(json.dumps(config))
    line = refusal(*command("--resume"))
    assert name in line or "config.json has been changed" in line or f"--{name.replace('_', '-')}" in line
    assert files(stopped) == before


def test_a_table_changed(command, stop_after, tmp_path):
    path = shutil.copy(cache_folder() / "simple_door_key" / "chatglm.json", tmp_path / "mine.json")
    stop_after(3)
    assert command(*FLAGS, "--teacher", str(path))[0] == 143
    stop_after(10**6)
    before, text = files(command.folder), path.read_text()
    path.write_text(text.replace("ChatGLM", "ChatGPT"))
    line = refusal(*command("--resume"))
    assert f"the teacher table {path} has changed" in line
    path.unlink()
    assert f"{path}: no such file" in refusal(*command("--resume"))
    assert files(command.folder) == before
    path.write_text(text)
    assert command("--resume")[0] == 0


def test_nothing_to_go_on_with(command, long_training, monkeypatch):
    code, out, _ = command("--resume", *FLAGS)
    assert code == 0
    assert "holds no run to continue with: a new one begins" in out
    assert_ended(command.folder, long_training)
    monkeypatch.setattr(sys, "argv", ["run", "--resume"])
    with pytest.raises(errors.UserError, match="--resume needs --out"):
        run.main()


def test_other_versions_are_told(command, stopped):
    config = json.loads((stopped / "config.json").read_text())
    config["versions"]["jax"] = "0.1"
    config["device"]["kind"] = "abacus"
    (stopped / "config.json").write_text(json.dumps(config))
    code, _, said = command("--resume")
    assert code == 0
    first, second = said.splitlines()
    assert "not 0.1 as before" in first and "abacus" in second
