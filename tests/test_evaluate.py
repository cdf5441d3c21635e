"""Tests of `python -m jaxteach.evaluate`: students and teachers on fresh episodes, and what it refuses."""

import json
import shutil

import numpy as np
import pytest

from tests.commands import TINY, apart, here


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of two seeds."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert here("run", *TINY, "--seeds", 2, "--out", folder).status == 0
    return folder


def evaluated(*arguments):
    """What `evaluate --json` prints, which must be JSON and nothing else."""
    done = here("evaluate", *arguments, "--episodes", 20, "--json")
    assert (done.status, done.err) == (0, "")
    return json.loads(done.out)


def test_students_on_fresh_episodes(run):
    result = evaluated(run)
    assert (result["who"], result["seeds"], result["task"]) == ("student", [0, 1], "simple_door_key")
    assert (result["episodes"], result["greedy"], result["seed"]) == (20, False, 1)
    for name in ("success_rate", "return", "length"):
        assert set(result[name]) == {"mean", "iqm", "ci95", "n", "per_seed"}
        assert (result[name]["n"], len(result[name]["per_seed"])) == (2, 2)
    assert all(1 < length <= 30 for length in result["length"]["per_seed"])
    assert json.loads((run / "evaluation.json").read_text()) == result
    assert evaluated(run) == result
    own = json.loads((run / "summary.json").read_text())
    lengths = {tuple(r["length"]["per_seed"]) for r in (result, own, evaluated(run, "--seed", 2))}
    assert len(lengths) == 3  # other episodes each time


def test_a_table_for_people(run):
    done = here("evaluate", run, "--episodes", 20)
    lines = done.out.splitlines()
    assert (done.status, done.err, len(lines)) == (0, "", 4)
    assert lines[0] == "student on simple_door_key, 20 episodes"
    assert [line.split()[0] for line in lines[1:]] == ["success_rate", "return", "length"]
    assert all("IQM" in line and "over 2 seeds" in line for line in lines[1:])


@pytest.mark.unoptimised
def test_greedy_students_play_otherwise(run):
    assert evaluated(run, "--greedy")["greedy"] is True
    assert evaluated(run, "--greedy")["length"] != evaluated(run)["length"]


@pytest.mark.unoptimised
def test_students_on_another_variant(run):
    # Rooms without lava, and 150 steps: hardly ever over early.
    result = evaluated(run, "--task", "simple_door_key:large_rooms")
    assert result["task"] == "simple_door_key:large_rooms"
    assert result["length"]["mean"] > 100


@pytest.mark.unoptimised
def test_the_teacher_of_a_run_plays_the_runs_own_task(run):
    result = evaluated(run, "--who", "teacher")
    assert (result["who"], result["teacher"]["name"], len(result["teacher"]["sha256"])) == (
        "teacher",
        "chatglm",
        64,
    )
    assert set(result["success_rate"]) >= {"mean", "iqm", "ci95", "n"}
    assert result["success_rate"]["mean"] < 1  # there is lava, of which it knows nothing
    assert result["length"]["mean"] < 30


@pytest.mark.unoptimised
def test_a_teacher_without_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("--who", "teacher", "--task", "simple_door_key", "--teacher", "rule-ideal")
    done = here("evaluate", *arguments, "--episodes", 20)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("teacher rule-ideal on simple_door_key, 20 episodes\n")
    assert done.out.splitlines()[1].split() == ["success_rate", "1.000"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a run folder"),
        (["--who", "teacher"], "--task NAME"),
        (["nowhere"], "no such run folder: nowhere"),
        (["."], "is not a run folder"),
        (["run", "--episodes", "0"], "--episodes 0: must be at least 1"),
        (["run", "--episodes", "many"], "--episodes: 'many' is not a whole number"),
        (["run", "--seed", "-1"], "--seed -1"),
        (["run", "--seed", "4096"], "--seed 4096: must be from 0 to 4095"),
        (["run", "--who", "parent"], "--who: 'parent' is not one of 'student', 'teacher'"),
        (["run", "--task", "lava_dor_key"], "unknown task 'lava_dor_key': did you mean 'lava_door_key'"),
        (["run", "--task", "two_door"], "read 10x10 maps with 1 kind of key; two_door has 20x20"),
        (
            ["run", "--task", "colored_door_key"],
            "read 10x10 maps with 1 kind of key; colored_door_key has 10x10 maps with 2 kinds of key",
        ),
        (
            ["run", "--task", "Navix-Empty-5x5-v0"],
            "read observations [10, 10, 4]; Navix-Empty-5x5-v0 has [5, 5, 3]",
        ),
        (["run", "--who", "teacher", "--teacher", "gpt"], "'gpt'"),
        (["run", "--who", "teacher", "--teacher", "none"], "there is no teacher to evaluate"),
        (["stripped"], "stripped holds no parameters"),
        (["damaged"], "00000.npz is damaged or cut short"),
        (["edited"], "config.json: decay is missing"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("run", "stripped", "damaged", "edited"):
        shutil.copytree(run, tmp_path / name)
        (tmp_path / name / "evaluation.json").unlink(missing_ok=True)
    (tmp_path / "stripped/params/00000.npz").unlink()
    (tmp_path / "damaged/params/00000.npz").write_bytes((run / "params/00000.npz").read_bytes()[:-100])
    (tmp_path / "edited/config.json").write_text('{"task": "simple_door_key"}')
    done = here("evaluate", *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert message in done.err
    assert not list(tmp_path.rglob("evaluation.json"))


def test_from_outside(run):
    done = apart("evaluate", run, "--episodes", 20, "--json")
    assert (done.status, done.err) == (0, "")
    ours = evaluated(run)
    np.testing.assert_allclose(json.loads(done.out)["length"]["per_seed"], ours["length"]["per_seed"])


def test_a_run_folder_that_cannot_be_written(run, tmp_path):
    """The result is what was asked for: it is printed, and that it was not saved is said."""
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "evaluation.json").unlink(missing_ok=True)
    (folder / "evaluation.json").mkdir()  # root may write everywhere: this stands for read-only
    done = here("evaluate", folder, "--episodes", 20, "--json")
    assert done.status == 0 and json.loads(done.out)["who"] == "student"
    assert done.err.startswith(f"not saved: cannot write {folder / 'evaluation.json'}: ")
    assert done.err.count("\n") == 1
