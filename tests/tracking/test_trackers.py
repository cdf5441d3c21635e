"""Runs that send their curves to a tracker: what arrives there, read back; and that none can end a run."""

import importlib.util
import json
import math
import sqlite3
import struct

import pytest
from tensorboardX.proto.event_pb2 import Event

from jaxteach.tracking import to_tensorboard
from tests.commands import TINY, apart, here

pytestmark = pytest.mark.unoptimised

WANTED = {"env_steps_per_seed", "env_steps_per_second", "lambda", "distill", "policy_loss", "value_loss"}


def events(folder):
    """The scalars of TensorBoard's files: name to [(step, value)]."""
    found = {}
    for path in sorted(folder.glob("events.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_has_every_segment_and_the_result(tmp_path):
    out = tmp_path / "run"
    assert here("run", *TINY, "--out", out, "--track", "tensorboard").status == 0
    found = events(out / "tensorboard")
    assert set(found) >= WANTED
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(found["lambda"]) == len(lines) == 8
    steps = [step for step, _ in found["env_steps"]]
    assert steps == sorted(set(steps))
    # What a tracker gets and what the file says is one thing.
    for name in lines[-1].keys() - {"success"}:
        assert [value for _, value in found[name]] == pytest.approx([x[name] for x in lines if name in x])
    summary = json.loads((out / "summary.json").read_text())
    assert found["summary/success_rate"] == [(0, pytest.approx(summary["success_rate"]["iqm"]))]
    assert found["summary/teacher_success_rate"][0][1] == pytest.approx(summary["teacher_success_rate"])
    assert all(math.isfinite(value) for points in found.values() for _, value in points)


def test_wandb_keeps_them_in_the_run_folder_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    out = tmp_path / "run"
    done = apart("run", *TINY, "--out", out, "--track", "wandb")
    assert (done.status, done.err) == (0, "")
    (path,) = out.glob("wandb/offline-run-*/run-*.wandb")
    data = path.read_bytes()
    for name in WANTED | {"success_rate", "linear_plateau"}:
        assert name.encode() in data


def test_trackio_has_them_in_its_database(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "db"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = apart("run", *TINY, "--out", tmp_path / "run", "--track", "trackio")
    assert done.status == 0
    with sqlite3.connect(tmp_path / "db/jaxteach.db") as database:
        rows = [json.loads(row) for (row,) in database.execute("select metrics from metrics")]
    assert set(rows[0]) >= WANTED and sum("lambda" in row for row in rows) == 8
    assert "summary/success_rate" in rows[-1]


@pytest.mark.parametrize("when", ["open", "log", "end"])
def test_one_that_fails_never_ends_a_run(tmp_path, monkeypatch, when):
    def fail(*arguments):
        raise OSError("the server is gone\nfor good")

    if when == "open":
        monkeypatch.setattr(to_tensorboard, "open_run", fail)
    else:
        monkeypatch.setattr(to_tensorboard.Tensorboard, when, fail)
    done = here("run", *TINY, "--out", tmp_path / "run", "--track", "tensorboard")
    assert done.status == 0 and (tmp_path / "run/summary.json").exists()
    said = [line for line in done.err.splitlines() if "--track" in line]
    assert said == ["--track tensorboard has failed and is left out from now on: the server is gone for good"]


def test_what_is_not_there_is_refused_before_anything_begins(tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else real(name))
    done = here("run", *TINY, "--out", tmp_path / "run", "--track", "wandb")
    assert (done.status, done.err) == (2, "error: --track wandb: wandb is not installed: pip install wandb\n")
    assert not (tmp_path / "run").exists()


def test_nobody_logged_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    done = apart("run", *TINY, "--out", tmp_path / "run", "--track", "wandb")
    assert done.status == 2
    assert done.err.startswith("error: --track wandb: nobody is logged in: wandb login, or")
    assert "Traceback" not in done.err and not (tmp_path / "run").exists()


def test_two_are_refused(tmp_path):
    done = here("run", *TINY, "--out", tmp_path, "--track", "wandb", "--track=trackio")
    assert (done.status, done.err) == (2, "error: --track is given twice: a run has one tracker\n")
