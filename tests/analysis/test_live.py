"""Tests of runs that have not ended, read from metrics.jsonl as it is written."""

import json
import os
import shutil
import time
from types import SimpleNamespace

import numpy as np
import pytest

from jaxteach.analysis import learning_panels, load_run, run_note
from jaxteach.training.live import live_point
from jaxteach.training.metrics import LOSSES, MetricsLog
from jaxteach.utils.errors import UserError
from tests.commands import ROOT


def line(chunk, update, success, *, trials=8, before=0, **more):
    """A line as this version writes it; success is known as of one update ago."""
    steps = 100 * update
    known = {} if success is None else {"known_at": steps - 100, "success_iqm": success}
    edges = {"q25": -0.125, "median": 0.0, "q75": 0.0625}
    for name in ("success", "return") if success is not None else ():
        known |= {name: success, f"{name}_iqm": success}
        known |= {f"{name}_{edge}": success + shift for edge, shift in edges.items()}
    return {
        "success": None,
        "chunk": chunk,
        "trials": trials,
        "update": update,
        "env_steps": before + steps * trials,
        "env_steps_per_seed": steps,
        "seconds": 1.5,
        "lambda": 10.0 / update,
        **known,
        **more,
    }


@pytest.fixture
def write_live(write_run):
    """Write the folder of a run that has not ended."""

    def write(lines, tail=""):
        folder = write_run(summary=False)
        (folder / "metrics.npz").unlink()
        text = "".join(json.dumps(each) + "\n" for each in lines)
        (folder / "metrics.jsonl").write_text(text + tail)
        return folder

    return write


def curves(folder, band="iqr"):
    success, returns = learning_panels([load_run(folder)], band=band)
    return success.curves[0], returns.curves[0]


def test_curves_by_hand(write_live):
    folder = write_live([line(0, 8, None), line(0, 16, 0.5), line(0, 24, 0.75)], tail='{"chunk": 0, "upd')
    success, _ = curves(folder)
    assert success.env_steps.tolist() == [1500, 2300] and success.seeds == 8
    assert success.centre.tolist() == [0.5, 0.75]
    assert (success.low.tolist(), success.high.tolist()) == ([0.375, 0.625], [0.5625, 0.8125])
    success, _ = curves(folder, "ci95")
    assert success.low.tolist() == success.centre.tolist() == success.high.tolist() == [0.5, 0.75]
    weight = load_run(folder).live.curve("x", "lambda", "iqr")
    assert weight.env_steps.tolist() == [800, 1600, 2400] and weight.low.tolist() == weight.high.tolist()


def test_chunks_are_averaged_as_far_as_each_has_come(write_live):
    first = [line(0, u, s, trials=6) for u, s in ((8, 0.25), (16, 0.5), (24, 1.0))]
    second = [line(1, u, s, trials=2, before=14400) for u, s in ((8, 0.75), (16, 1.0))]
    folder = write_live(first + second)
    success, _ = curves(folder)
    assert success.seeds == load_run(folder).seeds == 8
    assert success.env_steps.tolist() == [700, 1500, 2300]
    assert success.centre.tolist() == [(6 * 0.25 + 2 * 0.75) / 8, (6 * 0.5 + 2 * 1.0) / 8, 1.0]


def test_equal_steps_count_once_with_the_latest_value(write_live):
    folder = write_live([line(0, 8, 0.25), line(0, 16, 0.5), line(0, 24, 0.75, known_at=1500)])
    success, _ = curves(folder)
    assert (success.env_steps.tolist(), success.centre.tolist()) == ([700, 1500], [0.25, 0.75])


def test_the_log_draws_points_of_the_finished_runs_curve(write_run):
    """What is seen while a run runs lies on what is drawn of it in the end."""
    chance, log, lines = np.random.default_rng(0), MetricsLog(4), []
    for number in range(6):
        shape = (8, 4)
        outcomes = np.zeros((*shape, 3, 4), np.float32)
        started = chance.integers(10, 30, shape)
        outcomes[:, :, 0, 0] = started - 3
        outcomes[:, :, 0, 1] = chance.binomial(started - 3, 0.1 + 0.15 * number)
        outcomes[:, :, 0, 2] = 0.9 * outcomes[:, :, 0, 1]
        outcomes[1:, :, 1, 0] = 3  # the rest ends one update later, of what the same segment began
        steps = (8 * number + np.arange(1, 9))[:, None] * 128
        started[-1] -= 3
        log.add(
            {
                **{name: np.zeros(shape, np.float32) for name in LOSSES},
                "env_steps": np.broadcast_to(steps, shape),
                "started": started,
                "alive": np.ones(shape, bool),
                "outcomes": outcomes,
            }
        )
        standing = SimpleNamespace(
            log=log,
            chunk=0,
            trials=np.arange(4),
            env_steps=int(steps[-1, 0]) * 4,
            chunk_env_steps=int(steps[-1, 0]) * 4,
            seconds=1.0,
        )
        lines.append(live_point(standing))
    folder = write_run(summary=False, metrics={"seed_ids": np.arange(4), **log.arrays()})
    whole = curves(folder)
    (folder / "metrics.npz").unlink()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    for so_far, ended in zip(curves(folder), whole, strict=True):
        at = np.searchsorted(ended.env_steps, so_far.env_steps)
        assert so_far.env_steps.size >= 5
        for edge in ("env_steps", "low", "centre", "high"):
            np.testing.assert_allclose(getattr(so_far, edge), getattr(ended, edge)[at], atol=1e-7)


def test_a_log_of_the_first_version(tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(ROOT / "tests/data/v1_runs/taught", folder)
    (folder / "summary.json").unlink()
    (folder / "metrics.npz").unlink()
    run = load_run(folder)
    assert (run.seeds, run.env_steps) == (2, 4096)
    success, returns = curves(folder)
    assert success.env_steps.tolist() == [2048, 3072, 4096] and success.centre.tolist() == [0, 0, 0]
    assert returns.env_steps.size == 0


def test_which_file_is_ahead(write_live, write_run, metrics):
    folder = write_live([line(0, 8, 0.5)])
    np.savez(folder / "metrics.npz", **metrics)  # stopped: what it wrote then is at least as new
    assert load_run(folder).live is None
    more = line(0, 8, 0.5) | {"env_steps": int(metrics["env_steps"][:, -1].sum()) + 1}
    (folder / "metrics.jsonl").write_text(json.dumps(more) + "\n")  # and goes on
    assert load_run(folder).live is not None


def test_how_far_it_is_and_whether_it_is_running(write_live):
    folder = write_live([line(0, 8, 0.5)])
    (folder / "config.json").write_text(json.dumps({"task": "x", "env_steps": 49152, "seeds": 16}))
    told = load_run(folder).standing
    assert (
        "has not ended, and is not running: 800 of 49,152 environment steps a seed of 8 seeds out of 16"
        in told
    )
    (folder / "lock").touch()
    run = load_run(folder)
    stamp = time.strftime("%Y-%m-%d %H:%M", time.gmtime(run.live.read_at))
    assert f"{folder} is still running" in run.standing and f"read {stamp}" in run.standing
    note = run_note(50, "ci95", [run])
    assert "over 100 episodes, not 50, without an interval." in note
    os.utime(folder / "lock", (time.time() - 60,) * 2)  # its process has died
    assert "is not running" in load_run(folder).standing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has nothing to show yet"),
        ('{"chunk": 0', "has nothing to show yet"),
        ("\xff\n", "line 1: damaged, not JSON"),
        ("[" * 10**5 + "\n", "line 1: damaged"),
        ("[1]\n", "line 1: must hold an object"),
        ('{"chunk": 0, "update": 8}\n', "line 1: env_steps must be a whole number"),
        ('{"chunk": 0, "update": 8, "env_steps": true}\n', "env_steps must be a finite number"),
        ('{"chunk": 0, "update": 8, "env_steps": 1e999, "trials": 1}\n', "env_steps must be a finite number"),
        ('{"chunk": 0, "update": 8, "env_steps": 9, "success": "high"}\n', "success must be a finite number"),
        ('{"chunk": 0, "update": 8, "env_steps": 9, "trials": 0}\n', "trials must be at least 1"),
        ('{"chunk": 0, "update": 8, "env_steps": 9}\n', "config.json"),  # which must say how many trials
    ],
)
def test_logs_that_no_run_writes(write_live, text, message):
    with pytest.raises(UserError, match=message) as error:
        load_run(write_live([], tail=text))
    assert "run" in str(error.value)
