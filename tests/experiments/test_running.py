"""Tests of plans: what is trained once is not trained again, and what is stopped continues."""

import dataclasses
import gzip
import json

import jax
import numpy as np
import pytest
import running
from common import SCALES, Options
from reporting import csv_text, run_command, summary_row, write_results
from running import Job, carry_out, folder_of, predict, rate_of

from jaxteach.config import Corrupt, Decay, Student, check, resolve
from jaxteach.run import read_options
from tests.training.conftest import STEPS

pytestmark = pytest.mark.unoptimised

TINY = dataclasses.replace(STEPS, seeds=2, seeds_per_chunk=2, first_seed=1000)
JOBS = [
    Job("taught", TINY),
    Job("not taught", dataclasses.replace(TINY, decay=Decay("none"))),
    Job("taught, again", TINY),
]
OPTIONS = Options("fig_test", SCALES["quick"], plan=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Where runs go in these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "RUNS", tmp_path_factory.mktemp("runs"))
        yield running.RUNS


@pytest.fixture(scope="module")
def results(runs):
    return carry_out(JOBS, OPTIONS)


def test_each_configuration_is_trained_once(runs, results):
    assert len(list(runs.iterdir())) == 2
    assert [result.label for result in results] == ["taught", "not taught", "taught, again"]
    assert results[0].run.path == results[2].run.path != results[1].run.path
    assert results[0].run.metrics["seed_ids"].tolist() == [1000, 1001]
    np.testing.assert_array_equal(results[1].run.metrics["lambda"], 0)


def test_a_second_time_nothing_is_trained(runs, results, monkeypatch, capsys):
    monkeypatch.setattr(running, "train_job", None)
    again = carry_out(JOBS, OPTIONS)
    assert capsys.readouterr().out == "fig_test: 3 runs, 3 there already; nothing to train\n"
    np.testing.assert_array_equal(again[0].success, results[0].success)


def test_the_plan_alone_trains_nothing(runs, capsys):
    job = Job("another", dataclasses.replace(TINY, first_seed=0))
    with pytest.raises(SystemExit) as stopped:
        carry_out([job], dataclasses.replace(OPTIONS, plan=True))
    assert stopped.value.code == 0
    assert "1 runs, 0 there already; about 20 s of training" in capsys.readouterr().out
    assert not folder_of(resolve(job.config)).exists()


def test_a_stopped_plan_says_so_and_goes_on(runs, results, monkeypatch, capsys):
    job = Job("stopped", dataclasses.replace(TINY, first_seed=500))
    monkeypatch.setattr("jaxteach.utils.signals.Stopping.asked", property(lambda self: True))
    with pytest.raises(SystemExit) as stopped:
        carry_out([job], OPTIONS)
    assert stopped.value.code == 130
    assert "the same command continues" in capsys.readouterr().out
    assert not (folder_of(resolve(job.config)) / "summary.json").exists()
    monkeypatch.undo()
    monkeypatch.setattr(running, "RUNS", runs)
    (done,) = carry_out([job], OPTIONS)
    assert done.run.metrics["env_steps"][:, -1].tolist() == [512, 512]


def test_a_run_says_which_code_it_comes_from(results):
    assert results[0].run.summary["source_sha256"] == running.source_digest()


def test_a_folders_name_tells_all_that_decides_results_apart():
    folders = {
        folder_of(resolve(dataclasses.replace(TINY, **changes)))
        for changes in (
            {},
            {"first_seed": 1},
            {"env_steps": 1024},
            {"corrupt": Corrupt(0.1)},
            {"teacher": "none"},
        )
    }
    assert len(folders) == 5
    assert folder_of(resolve(TINY)).name.startswith("simple_door_key-")


def test_predictions_by_hand(monkeypatch, tmp_path):
    monkeypatch.setattr(running, "RUNS", tmp_path)
    base = dataclasses.replace(resolve(TINY), seeds=120, env_steps=1000)  # a second, and a quarter
    one = Job("one", base)
    assert predict([]) == "nothing to train"
    assert predict([one]) == "about 20 s of training to come"
    # Another lambda is the same program; another student, or none to teach, is not.
    other = Job("two", dataclasses.replace(base, decay=Decay("none")))
    assert predict([one, other]) == "about 20 s of training to come"
    wide = Job("three", dataclasses.replace(base, student=Student("ego", hidden=9)))
    alone = Job("four", dataclasses.replace(base, teacher="none"))
    assert predict([one, wide, alone]) == "about 50 s of training to come"
    long = Job("long", dataclasses.replace(base, env_steps=200_000))
    assert predict([long, long]) == "about 9 min of training to come"


@pytest.mark.parametrize(
    "text", ["", pytest.param("[" * 10**5, id="deep"), "{}", '{"student": "ego", "method": "llm4teach"}']
)
def test_predictions_do_without_damaged_summaries(monkeypatch, tmp_path, text):
    monkeypatch.setattr(running, "RUNS", tmp_path)
    for name, content in (("good", json.dumps(SUMMARY)), ("bad", text)):
        (tmp_path / f"simple_door_key-{name}").mkdir()
        (tmp_path / f"simple_door_key-{name}/summary.json").write_text(content)
    assert rate_of(resolve(TINY)) == 7.5


SUMMARY = {"student": "ego", "method": "llm4teach", "env_steps_per_second": 7.5, "seeds": [1]}


def test_runs_of_other_code_are_told(runs, results, capsys):
    folder = results[1].run.path
    files = [folder / "summary.json", folder / "config.json"]
    before = [file.read_text() for file in files]
    files[0].write_text(json.dumps(json.loads(before[0]) | {"source_sha256": "older"}))
    files[1].write_text(json.dumps(json.loads(before[1]) | {"versions": {"jax": "0.1"}}))
    carry_out(JOBS, OPTIONS)
    for file, text in zip(files, before, strict=True):
        file.write_text(text)
    first, line = capsys.readouterr().out.splitlines()
    assert first.endswith("nothing to train")
    what = f"with other source_sha256 and versions than today, such as {folder.name}"
    assert line == f"1 of them {what}: remove to train anew"


def test_rows_by_hand(results):
    row = summary_row(results[0], 20, extra="x")
    assert (row["task"], row["run"], row["extra"], row["seeds"]) == ("simple_door_key", "taught", "x", 2)
    assert row["success_mean"] == pytest.approx(results[0].success.mean())
    assert row["success_low"] <= row["success_iqm"] <= row["success_high"]
    assert row["confirmed_0.8"] == 0 and row["confirmed_env_steps_to_0.8"] is None
    assert 0 <= row["teacher_success"] <= 1


def test_csv_by_hand():
    rows = [{"a": "x, y", "b": 0.5, "c": None}, {"a": 1, "b": float("inf"), "d": 1234567.5}]
    assert csv_text(rows) == 'a,b,c,d\n"x, y",0.500000,,\n1,,,1234567.5\n'


def test_results_are_the_same_bytes_twice(results, tmp_path, monkeypatch):
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(Options, "out", tmp_path / name)
        write_results(OPTIONS, results, {"summary.csv": b"a\n"})
        written.append({f.name: f.read_bytes() for f in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["per_seed.csv.gz", "provenance.json", "summary.csv"]
    lines = gzip.decompress(written[0]["per_seed.csv.gz"]).decode().splitlines()
    assert len(lines) == 1 + 3 * 2
    origin = json.loads(written[0]["provenance.json"])
    assert origin["seeds"] == [1000, 1001] and len(origin["runs"]) == 3
    assert origin["runs"][0]["teacher"]["name"] == "chatglm"


def test_the_command_of_a_run_gives_its_configuration(results):
    for result in results:
        words = run_command(result.config, {"platform": "cpu", "count": 1}).split()
        assert words[:3] == ["python", "-m", "jaxteach.run"]
        options, _ = read_options(words[3:])
        assert options.devices == 1
        check(options.config)
        assert resolve(options.config) == result.config


def test_of_programs_only_those_used_last_are_kept(monkeypatch):
    cleared = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(True))
    programs = list(range(running.PROGRAMS))
    running.make_room(programs)
    assert programs == list(range(running.PROGRAMS)) and not cleared
    programs.append(running.PROGRAMS)
    running.make_room(programs)
    assert programs == list(range(1, running.PROGRAMS + 1)) and cleared == [True]
