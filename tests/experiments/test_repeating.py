"""Tests of repeating recorded runs: what is compared, and what is said of runs that cannot be."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import repeating
import running
from common import SCALES, Options, processor
from reporting import metrics_digest, write_results

from jaxteach.analysis import load_run
from jaxteach.utils.errors import UserError
from jaxteach.utils.jax_setup import versions
from jaxteach.utils.surroundings import source_digest
from tests.training.conftest import STEPS


def make_run(path, wins):
    path.mkdir(parents=True)
    names = ("started", "finished", "env_steps", "return")
    counts = {name: np.array([[4, 4]]) for name in names}
    np.savez(path / "metrics.npz", seed_ids=np.array([1000]), succeeded=np.array([[1, wins]]), **counts)
    (path / "config.json").write_text(json.dumps({"schema_version": 1, "task": "t"}))


@pytest.fixture
def recorded(tmp_path):
    """Results of one figure, of a run that is there, and one of other code."""
    make_run(tmp_path / "then", wins=3)
    origin = {
        "task": "t",
        "label": "taught",
        "command": "python -m jaxteach.run --task t --host-devices 2",
        "fingerprint": "a",
        "device": {"platform": "cpu", "kind": "cpu", "count": 2},
        "processor": processor(),
        "versions": versions(),
        "source_sha256": source_digest(),
        "metrics_sha256": metrics_digest(load_run(tmp_path / "then")),
    }
    older = origin | {"label": "older", "source_sha256": "x", "commit": "0123456789abcdef"}
    (tmp_path / "results" / "fig_x").mkdir(parents=True)
    file = tmp_path / "results" / "fig_x" / "provenance.json"
    file.write_text(json.dumps({"runs": [origin, older]}))
    return tmp_path


def test_a_run_that_repeats(recorded, capsys):
    commands = []

    def train(command):
        commands.append(command)
        shutil.copytree(recorded / "then", command[-1])

    assert repeating.repeat(recorded / "results", train) == 0
    ((_, *words),) = commands
    assert words[:-1] == "-m jaxteach.run --task t --host-devices 2 --out".split()
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == "fig_x: 1 runs cannot be repeated, of other code than this: commit 0123456789 has theirs"
    )
    assert lines[-2] == "fig_x: t, taught: the same to the bit"
    assert lines[-1] == "1 of 2 recorded runs repeated; 1 can be repeated by this code"


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({"processor": "another 1 2"}, "of another device: cpu, another 1 2"),
        ({"processor": None}, "recorded without the digest of their metrics or the processor"),
        ({"versions": {"jax": "0.1"}}, "of other versions than are installed here"),
    ],
)
def test_runs_that_cannot_be_repeated(recorded, what, why):
    file = recorded / "results" / "fig_x" / "provenance.json"
    origin = json.loads(file.read_text())["runs"][0]
    assert repeating.Recorded("fig_x", origin).hindrance == ""
    assert repeating.Recorded("fig_x", origin | what).hindrance.startswith(why)


def test_a_run_that_comes_out_otherwise(recorded):
    make_run(recorded / "now", wins=2)
    with pytest.raises(UserError, match="fig_x: t, taught: trained anew it comes out otherwise"):
        repeating.repeat(recorded / "results", lambda command: shutil.copytree(recorded / "now", command[-1]))


@pytest.mark.slow
def test_recorded_commands_repeat_to_the_bit(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(running, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(Options, "out", tmp_path / "results" / "fig_x")
    options = Options("fig_x", SCALES["default"], plan=False)
    (tmp_path / "results" / "fig_x").mkdir(parents=True)
    config = dataclasses.replace(STEPS, seeds=2, seeds_per_chunk=2, first_seed=1000)
    results = running.carry_out([running.Job("taught", config)], options)
    write_results(options, results, {})
    assert repeating.repeat(tmp_path / "results") == 0
    assert capsys.readouterr().out.endswith("1 of 1 recorded runs repeated; 1 can be repeated by this code\n")
