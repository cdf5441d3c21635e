"""Tests of `python -m jaxteach.report`: its files, what it measures, its errors."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxteach.reporting.page import MAX_BYTES
from jaxteach.teacher.wrong import systematic
from tests.commands import ROOT, TINY, Done, here

pytestmark = pytest.mark.unoptimised

OLD = ROOT / "tests/data/v1_runs"
QUICK = ("--episodes", "0", "--shown", "0")


def data_of(page: Path) -> dict:
    told = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert told is not None
    return json.loads(told[1])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished tiny run and one with a sweep."""
    folder = tmp_path_factory.mktemp("runs")
    assert here("run", *TINY, "--out", folder / "run").status == 0
    assert here("run", *TINY, "--sweep", "decay.floor=0.0,0.1", "--out", folder / "sweep").status == 0
    return folder


def test_a_report_of_a_run_has_everything(runs, tmp_path):
    done = here("report", runs / "run", "--out", tmp_path / "x.html", "--episodes", 24, "--window", 5)
    assert (done.status, done.err) == (0, "")
    assert re.search(rf"{tmp_path / 'x.html'} \(\d+ kB\)\n$", done.out)
    page = tmp_path / "x.html"
    assert page.stat().st_size < MAX_BYTES
    data = data_of(page)
    names = [panel["name"] for panel in data["panels"]]
    assert names[:2] == ["success rate", "return"] and "weight of the teacher (lambda)" in names
    (run,) = data["runs"]
    summary = json.loads((runs / "run/summary.json").read_text())
    assert run["summary"]["success"]["iqm"] == summary["success_rate"]["iqm"]
    assert json.loads(run["config"]) == json.loads((runs / "run/config.json").read_text())
    (audit,) = data["audits"]
    assert audit["students"] == [0, 1, 2] and audit["episodes"] == 24
    assert sum(row["visits"] for row in audit["rows"]) + audit["unlisted"] == audit["visits"] > 0
    assert len(data["episodes"]) == 2
    for episode in data["episodes"]:
        for moment in episode["moments"]:
            assert sum(moment["student"]) == pytest.approx(1, abs=1e-3)
            assert all(0 <= place < len(data["pictures"]) for _, place in moment["panels"])
        assert [moment["action"] is None for moment in episode["moments"]].index(True) == len(
            episode["moments"]
        ) - 1
    # The audit as files says the same.
    (whole,) = json.loads((tmp_path / "x.audit.json").read_text())["audits"]
    assert [row for row in whole["rows"] if row["visits"]] == audit["rows"]
    assert (
        len(whole["rows"]) == audit["listed"] == len((tmp_path / "x.audit.csv").read_text().splitlines()) - 1
    )
    assert set(data["audit_csv"].splitlines()) <= set((tmp_path / "x.audit.csv").read_text().splitlines())


def test_the_same_runs_give_the_same_page(runs, tmp_path):
    for name in ("a.html", "b.html"):
        assert (
            here("report", runs / "run", "--out", tmp_path / name, "--episodes", 16, "--shown", 1).status == 0
        )
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_how_to_repeat_a_run_repeats_it(runs, tmp_path):
    assert here("report", runs / "run", "--out", tmp_path / "x.html", *QUICK).status == 0
    by_file, _, by_flags = data_of(tmp_path / "x.html")["runs"][0]["repeat"]
    wanted = json.loads((runs / "run/config.json").read_text())["fingerprint"]
    for number, line in enumerate((by_file, by_flags)):
        _, command, *args = line.split()
        out = tmp_path / f"again{number}"
        assert here(command, *args, "--out", out).status == 0
        assert json.loads((out / "config.json").read_text())["fingerprint"] == wanted
        assert (out / "metrics.npz").read_bytes() == (runs / "run/metrics.npz").read_bytes()


def test_a_sweep_is_reported_point_by_point(runs, tmp_path):
    done = here("report", runs / "sweep", "--out", tmp_path / "x.html", "--window", 5, *QUICK)
    assert done.status == 0
    data = data_of(tmp_path / "x.html")
    assert len({run["label"] for run in data["runs"]}) == 2 and data["audits"] == []
    assert not (tmp_path / "x.audit.json").exists()


def test_runs_of_the_first_version(tmp_path):
    done = here("report", OLD / "taught", OLD / "hierarchical", "--out", tmp_path / "x.html", "--episodes", 8)
    assert (done.status, done.err) == (0, "")
    data = data_of(tmp_path / "x.html")
    taught, hierarchical = data["runs"]
    assert [audit["label"] for audit in data["audits"]] == [taught["label"]]
    assert {episode["label"] for episode in data["episodes"]} == {taught["label"]}
    assert any("students that choose among options" in note for note in hierarchical["notes"])
    assert taught["summary"]["env_steps"] == 4096


def test_a_run_without_summary_or_parameters_is_reported_as_far_as_it_goes(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(OLD / "taught", run)
    (run / "summary.json").unlink()
    shutil.rmtree(run / "params")
    done = here("report", run)
    assert (done.status, done.err) == (0, "")
    (told,) = data_of(run / "report.html")["runs"]
    assert told["summary"]["success"] is None
    assert any("has not ended" in note for note in told["notes"])
    assert any("kept no parameters" in note for note in told["notes"])


def test_a_run_that_is_running_is_reported_from_its_log(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(OLD / "taught", run)
    for name in ("summary.json", "metrics.npz"):
        (run / name).unlink()
    shutil.rmtree(run / "params")
    (run / "lock").touch()
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"chunk": 0, "update": 4')  # being written
    done = here("report", run)
    assert (done.status, done.err) == (0, "")
    data = data_of(run / "report.html")
    assert data["panels"][0]["curves"][0]["env_steps"] == [2048, 3072, 4096]
    (told,) = data["runs"]
    assert told["summary"]["env_steps"] == 4096 and told["summary"]["success"] is None
    assert re.search(
        r"is still running: 4,096 of 4,096 environment steps a seed, read 20\d\d-", told["notes"][0]
    )
    assert any("kept no parameters yet" in note for note in told["notes"])


def test_a_teacher_that_is_not_here_is_noted(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(OLD / "taught", run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "teacher": str(tmp_path / "gone.json")}))
    assert here("report", run).status == 0
    (told,) = data_of(run / "report.html")["runs"]
    assert any("gone.json" in note for note in told["notes"])


def empty(run: Path) -> None:
    for path in sorted(run.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def cut(name: str, keep: float = 0.5):
    def damage(run: Path) -> None:
        data = (run / name).read_bytes()
        (run / name).write_bytes(data[: int(keep * len(data))])

    return damage


def changed(name: str, **values: object):
    def damage(run: Path) -> None:
        (run / name).write_text(json.dumps({**json.loads((run / name).read_text()), **values}))

    return damage


def not_finite(run: Path) -> None:
    with np.load(run / "params/00000.npz") as file:
        arrays = {name: x * np.nan if x.dtype.kind == "f" else x for name, x in file.items()}
    np.savez(run / "params/00000.npz", **arrays)


def other_network(run: Path) -> None:
    with np.load(run / "params/00000.npz") as file:
        arrays = dict(file)
    np.savez(
        run / "params/00000.npz", **{name: x[..., :1] if x.ndim > 1 else x for name, x in arrays.items()}
    )


DAMAGES = {
    "empty": (empty, "is not a run folder: it holds no config.json"),
    "half-written": (lambda run: (run / "metrics.npz").unlink(), "it holds no metrics.npz"),
    "config cut": (cut("config.json"), "config.json is damaged or cut short"),
    "config empty": (cut("config.json", 0), "config.json is damaged or cut short"),
    "metrics cut": (cut("metrics.npz"), "metrics.npz is damaged or cut short"),
    "summary cut": (cut("summary.json"), "summary.json is damaged or cut short"),
    "parameters cut": (cut("params/00000.npz"), "params/00000.npz"),
    "another network": (other_network, "parameters of another network"),
    "not a number": (not_finite, "every student's parameters hold NaN or infinity"),
    "foreign config": (lambda run: (run / "config.json").write_text('{"a": 1}'), "is missing"),
    "foreign summary": (lambda run: (run / "summary.json").write_text('{"a": 1}'), "is missing"),
    "a text for a rate": (
        changed("summary.json", success_rate={"mean": "high"}),
        "summary.json: success_rate",
    ),
    "a list for a rate": (changed("summary.json", success_rate=[1]), "success_rate must be an object"),
    "half an interval": (
        changed("summary.json", success_rate={"mean": 1, "iqm": 1, "n": 1, "ci95": [1]}),
        "ci95 must be two numbers",
    ),
    "diverged": (changed("summary.json", diverged="no"), "diverged must be a list"),
    "teacher's rate": (changed("summary.json", teacher_success_rate=7), "must be between 0 and 1"),
    "a setting": (changed("config.json", seeds="two"), "config.json: seeds must be a whole number"),
    "device": (changed("config.json", device=None), "config.json: device must be an object"),
}


def refused(done: Done, message: str) -> None:
    assert (done.status, done.out) == (2, ""), done
    assert done.err.startswith("error: ") and done.err.count("\n") == 1 and message in done.err


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_one_line_and_nothing_is_written(tmp_path, damage):
    run, (spoil, message) = tmp_path / "run", DAMAGES[damage]
    shutil.copytree(OLD / "taught", run)
    spoil(run)
    before = sorted(path for path in tmp_path.rglob("*"))
    refused(here("report", OLD / "hierarchical", run, "--out", tmp_path / "x.html"), message)
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no run folder given"),
        (["nowhere"], "no such run folder: nowhere"),
        (["RUN", "--out", "x.pdf"], "the page is HTML"),
        (["RUN", "--out", "no/folder/x.html"], "there is no folder"),
        (["RUN", "--window", "0"], "--window must be at least 1"),
        (["RUN", "--episodes", "-1"], "--episodes -1: must be from 0"),
        (["RUN", "--episodes", "99999999"], "must be from 0 to"),
        (["RUN", "--shown", "101"], "--shown 101: must be from 0 to 100"),
        (["RUN", "--episodse", "3"], "did you mean --episodes?"),
    ],
)
def test_bad_flags_are_one_line(monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    refused(here("report", *[OLD / "taught" if word == "RUN" else word for word in arguments]), message)
    assert list(tmp_path.iterdir()) == []


def test_a_page_named_like_a_runs_file_overwrites_none_of_them(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(OLD / "taught", run)
    before = {path: path.read_bytes() for path in run.rglob("*.*")}
    done = here("report", run, run, "--out", run / "config.html", "--episodes", 8, "--shown", 0)
    assert done.status == 0 and {path: path.read_bytes() for path in before} == before
    assert len(data_of(run / "config.html")["runs"]) == 1  # a folder named twice is one


def test_what_a_diverged_seed_made_infinite_is_not_drawn(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(OLD / "taught", run)
    with np.load(run / "metrics.npz") as file:
        arrays = dict(file)
    arrays["distill"][0, 5:] = np.inf
    arrays["entropy"][:] = np.inf
    np.savez(run / "metrics.npz", **arrays)
    assert here("report", run, *QUICK).status == 0
    panels = {panel["name"]: panel for panel in data_of(run / "report.html")["panels"]}
    assert "entropy of the student" not in panels
    assert len(panels["distillation loss"]["curves"][0]["env_steps"]) == 5


def test_episodes_stop_where_the_page_would_become_too_large(monkeypatch, tmp_path):
    monkeypatch.setattr("jaxteach.reporting.played.ROOM", 150_000)
    done = here("report", OLD / "taught", "--out", tmp_path / "x.html", "--episodes", 0, "--shown", 9)
    assert done.status == 0
    data = data_of(tmp_path / "x.html")
    n = len(data["episodes"])
    assert n < 9 and any(f"{9 - n} of 9 episodes left out" in note for note in data["runs"][0]["notes"])
    assert len(json.dumps([data["episodes"], data["pictures"]])) <= 160_000
    places = {place for e in data["episodes"] for m in e["moments"] for _, place in m["panels"]}
    assert places <= set(range(len(data["pictures"])))


def test_help_is_light():
    heavy = {"jax", "navix", "matplotlib", "numpy"}
    code = f"import sys, jaxteach.report; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.slow
def test_wrong_rows_of_a_corrupted_table_lead_the_audit(tmp_path):
    """A small but real run: its students learn, and learn where not to listen.

    What it takes, by hand and in plays of one episode each: tests/reporting/test_audit.py.
    """
    run = "--seeds 2 --seeds-per-chunk 2 --env-steps 24576 --eval-episodes 20 --corrupt.share 0.2".split()
    assert here("run", *run, "--out", tmp_path / "run").status == 0
    done = here("report", tmp_path / "run", "--episodes", 256, "--shown", 0)
    told = r"[12] rows? of chatglm \(1 of 6 states wrong\) that students do better without"
    assert done.status == 0 and re.search(told, done.out)
    (audit,) = json.loads((tmp_path / "run/report.audit.json").read_text())["audits"]
    from jaxteach.config import Corrupt
    from jaxteach.tasks import task_facts
    from jaxteach.teacher.loading import load_teacher

    true = load_teacher("chatglm", "simple_door_key")
    assert true is not None
    options = task_facts("simple_door_key").language.options
    wrong = systematic(true, options, Corrupt(0.2)).provenance["corruption"]["states"]
    assert wrong and [row["state"] for row in audit["rows"] if row["corrupted"]] == wrong
    top, *others = (row for row in audit["rows"] if row["verdict"] == "wrong")
    assert top is audit["rows"][0] and [top["state"]] == wrong
    # A verdict is of a 95 % interval, and last bits are the processor's: another may seem wrong, by little.
    assert len(others) <= 1 and all(row["over_own"]["mean"] > top["over_own"]["mean"] / 2 for row in others)
    assert top["over_own"]["high"] < 0 and top["departs"] > 0.2 and top["kl"] > 1
