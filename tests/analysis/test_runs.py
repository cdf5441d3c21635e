"""Tests of reading run folders: whole, interrupted, and every way one can be damaged."""

import dataclasses
import json

import numpy as np
import pytest

from jaxteach.analysis import load_run
from jaxteach.utils.errors import UserError


def test_a_finished_run(write_run, metrics):
    folder = write_run()
    run = load_run(folder)
    assert (run.path, run.seeds, run.teacher_success_rate) == (folder, 8, 0.57)
    assert [run.setting(name) for name in ("task", "student", "decay", "teacher")] == [
        "lava_door_key",
        "ego",
        "linear_plateau",
        "chatglm",
    ]
    np.testing.assert_array_equal(run.metrics["env_steps"], metrics["env_steps"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.path = folder


def test_an_interrupted_run_is_told_by_its_config(write_run):
    run = load_run(str(write_run(summary=False)))
    assert run.summary is None
    assert run.teacher_success_rate is None
    assert [run.setting(name) for name in ("decay", "teacher")] == ["linear_plateau", "chatglm"]


def test_a_teacher_given_as_a_file_goes_by_its_name(write_run):
    run = load_run(write_run(summary=False, teacher="tables/qwen2.5-7b.json"))
    assert run.setting("teacher") == "qwen2.5-7b"


def test_a_run_without_teacher(write_run):
    run = load_run(write_run(teacher=None))
    assert run.setting("teacher") == "none"
    assert run.teacher_success_rate is None


def test_a_run_stopped_before_its_first_update(write_run, metrics):
    none = {name: array[:, :0] for name, array in metrics.items() if name != "seed_ids"}
    folder = write_run(metrics=none | {"seed_ids": np.arange(8)})
    assert load_run(folder).metrics["env_steps"].shape == (8, 0)


def test_folders_that_are_no_run(tmp_path, write_run):
    with pytest.raises(UserError, match=r"no such run folder: .*nowhere"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"is not a run folder: it holds no config.json"):
        load_run(tmp_path)
    folder = write_run()
    with pytest.raises(UserError, match="no such run folder"):
        load_run(folder / "config.json")
    (folder / "metrics.npz").unlink()
    with pytest.raises(UserError, match=r"holds no metrics\.npz"):
        load_run(folder)


@pytest.mark.parametrize("name", ["config.json", "summary.json"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"task": "si', "not JSON"),
        (b"", "not JSON"),
        (b"[1]", "object"),
        (b"\xff", "JSON"),
        pytest.param(b'{"task": ' + b"[" * 10**5, "deeper", id="deep"),
        pytest.param(b'{"task": ' + b"[" * 99 + b"]" * 99 + b"}", "deeper", id="99 deep"),
    ],
)
def test_damaged_json(write_run, name, content, message):
    folder = write_run()
    (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load_run(folder)
    assert str(folder / name) in str(error.value)


def test_metrics_cut_short_anywhere(write_run):
    folder = write_run()
    whole = (folder / "metrics.npz").read_bytes()
    for length in [0, 3, 30, 100, len(whole) // 2, len(whole) - 5]:
        (folder / "metrics.npz").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"metrics\.npz is damaged or cut short"):
            load_run(folder)


def test_metrics_with_a_flipped_byte(write_run):
    folder = write_run()
    data = bytearray((folder / "metrics.npz").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (folder / "metrics.npz").write_bytes(data)
    with pytest.raises(UserError, match=r"metrics\.npz is damaged"):
        load_run(folder)


def test_metrics_that_are_one_array_or_objects(write_run, metrics):
    folder = write_run()
    with open(folder / "metrics.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="not an archive of arrays"):
        load_run(folder)
    np.savez(folder / "metrics.npz", **metrics, note=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="damaged"):
        load_run(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("finished"), "lacks finished"),
        (lambda m: m.update(seed_ids=np.arange(3)), "for the seeds in seed_ids"),
        (lambda m: m.update(env_steps=np.zeros(8)), r"\[seed, update\]"),
        (lambda m: m.update({"return": np.zeros((8, 2))}), "return must be numbers"),
        (lambda m: m.update(started=np.full((8, 30), "a")), "started must be numbers"),
        (lambda m: m.update(succeeded=np.full((8, 30), np.nan)), "succeeded holds NaN"),
        (lambda m: m.update(env_steps=-m["env_steps"]), "must not fall"),
        (lambda m: m.update(succeeded=m["started"] + 1), "succeeded <= finished <= started"),
        (lambda m: m.update(finished=m["started"] + 1), "succeeded <= finished <= started"),
        (lambda m: m.update(succeeded=m["succeeded"] - 41), "0 <= succeeded"),
    ],
)
def test_metrics_that_make_no_sense(write_run, change, message, metrics):
    change(metrics)
    folder = write_run(metrics=metrics)
    with pytest.raises(UserError, match=message) as error:
        load_run(folder)
    assert str(folder / "metrics.npz") in str(error.value)


@pytest.mark.parametrize("rate", [1.5, "high", True, [0.5]])
def test_a_teacher_rate_that_is_none(write_run, rate):
    folder = write_run()
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"teacher_success_rate": rate}))
    with pytest.raises(UserError, match="teacher_success_rate must be between 0 and 1"):
        _ = load_run(folder).teacher_success_rate
