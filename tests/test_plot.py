"""Tests of `python -m jaxteach.plot`: its files, its output, its errors, its speed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from jaxteach.plot import main
from jaxteach.utils.errors import cli
from tests.commands import here, started

SOURCE = Path(__file__).parents[1] / "src"


def command(*arguments, cwd=None):
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "jaxteach.plot", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        check=False,
    )


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text('{"task": "simple_door_key", "teacher": "chatglm"}')
    counts = np.full((4, 12), 50)
    arrays = dict.fromkeys(("started", "finished"), counts) | {"succeeded": counts // 2}
    steps = np.tile(np.arange(1, 13) * 100, (4, 1))
    np.savez(
        folder / "metrics.npz", seed_ids=np.arange(4), env_steps=steps, **arrays, **{"return": counts / 100}
    )
    return folder


def test_picture_goes_into_the_first_run_folder(run_folder, tmp_path):
    # There is no summary: this run was interrupted.
    result = command("run", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{Path('run') / 'success.png'}\n"
    assert (run_folder / "success.png").read_bytes().startswith(b"\x89PNG")
    rows = (run_folder / "success.csv").read_text().splitlines()
    assert rows[1].startswith("success rate,")
    assert len(rows) == 1 + 2 * 11  # two panels; 12 updates less one for the first window


def test_picture_goes_where_it_is_asked_to(run_folder, tmp_path):
    result = command(run_folder, "--out", tmp_path / "x.pdf", "--band", "ci95", "--window", "50")
    assert (result.returncode, result.stdout) == (0, f"{tmp_path / 'x.pdf'}\n")
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")
    assert ",ci95,100,0.500000,0.500000,0.500000" in (tmp_path / "x.csv").read_text()
    assert not (run_folder / "success.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no run folder given"),
        (["nowhere"], "no such run folder: nowhere"),
        (["."], "is not a run folder: it holds no config.json"),
        (["run", "nowhere"], "no such run folder: nowhere"),
        (["run", "--window", "0"], "--window must be at least 1"),
        (
            ["run", "--window", "ten"],
            "--window: 'ten' is not a whole number (python -m jaxteach.plot --help)",
        ),
        (["run", "--wndow", "3"], "unknown option --wndow: did you mean --window?"),
        (["run", "--watch", "--interval", "0"], "--interval 0: must be from 0.1 to 3600 seconds"),
        (["run", "--window", "5000"], "run is too short to draw"),
        (["run", "--out", "x.gif"], "must end in .png or .pdf"),
        (["run", "--out", "no/such/folder/x.png"], "cannot write no/such/folder/x.png"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run_folder, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["plot", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli(main)
    printed = capsys.readouterr()
    assert (stop.value.code, printed.out) == (2, "")
    assert printed.err.startswith("error: ")
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["config.json", "metrics.npz", "run"]


def test_bad_input_from_outside(tmp_path):
    result = command("nowhere", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (2, "error: no such run folder: nowhere\n")


@pytest.fixture
def live_folder(tmp_path):
    """A run that is running: its lock is new."""
    folder = tmp_path / "live"
    folder.mkdir()
    (folder / "lock").touch()
    return folder


def say(folder, update):
    """Write what a segment of a running run leaves."""
    told = {"chunk": 0, "trials": 4, "update": update, "env_steps": 400 * update, "success": update / 100}
    with open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps(told) + "\n")


def test_watch_draws_as_the_run_grows_and_ends_with_it(live_folder, run_folder, monkeypatch):
    def begin():
        (live_folder / "config.json").write_text('{"task": "simple_door_key", "env_steps": 1200}')

    def end():
        for name in ("metrics.npz", "config.json"):
            shutil.copy(run_folder / name, live_folder)
        (live_folder / "summary.json").write_text('{"teacher_success_rate": 0.5}')
        (live_folder / "lock").unlink()

    steps = [begin, partial(say, live_folder, 8), partial(say, live_folder, 16), lambda: None, end]
    pictures = []

    def sleep(seconds):
        assert seconds == 0.5
        if (live_folder / "success.png").exists():
            pictures.append((live_folder / "success.png").read_bytes())
        steps.pop(0)()

    monkeypatch.setattr("jaxteach.plot.time.sleep", sleep)
    done = here("plot", live_folder, "--watch", "--interval", "0.5")
    assert (done.status, done.err, steps) == (0, "", [])
    picture = live_folder / "success.png"
    waiting, first, second, last = done.out.splitlines()
    assert waiting.startswith("waiting: ") and "holds no config.json" in waiting
    assert f"{picture}: {live_folder} is still running: 800 of 1,200 environment steps a seed" in first
    assert "1,600 of 1,200" in second and last == f"{picture}: {live_folder} has ended"
    assert pictures[0] != pictures[1] == pictures[2] != picture.read_bytes()
    assert "teacher alone" in (live_folder / "success.csv").read_text()


def test_watch_of_what_does_not_run(run_folder, tmp_path, monkeypatch):
    done = here("plot", run_folder, "--watch")  # stopped: drawn once
    assert done.status == 0 and "is not running: 1,200 environment steps a seed" in done.out
    assert (
        here("plot", tmp_path / "nowhere", "--watch").err
        == f"error: no such run folder: {tmp_path}/nowhere\n"
    )


def test_a_picture_that_cannot_be_written_ends_the_watch(live_folder):
    (live_folder / "config.json").write_text('{"task": "simple_door_key"}')
    say(live_folder, 8)
    done = here("plot", live_folder, "--watch", "--out", live_folder / "no/x.png")
    assert done.status == 2 and "cannot write" in done.err and done.err.count("\n") == 1


def test_ctrl_c_ends_the_watch(live_folder):
    (live_folder / "config.json").write_text('{"task": "simple_door_key"}')
    say(live_folder, 8)
    process = started("plot", live_folder, "--watch", "--interval", "60")
    assert "is still running" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert (live_folder / "success.png").read_bytes().startswith(b"\x89PNG")


def test_help_is_quick():
    seconds = []
    for _ in range(3):  # the best of three: the machine may be busy
        start = time.perf_counter()
        result = command("--help")
        seconds.append(time.perf_counter() - start)
        assert result.returncode == 0
        assert "RUN [RUN ...]" in result.stdout
    assert min(seconds) < 2


def test_neither_help_nor_analysis_imports_jax_or_matplotlib():
    heavy = {"jax", "navix", "matplotlib"}
    code = f"import sys, jaxteach.plot, jaxteach.analysis; print({heavy} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        check=True,
    )
    assert result.stdout == "set()\n"


def test_pictures_follow_no_users_settings(run_folder, tmp_path):
    """Such as LaTeX for text, which may not be installed, or other sizes."""
    assert command("run", cwd=tmp_path).returncode == 0
    before = (run_folder / "success.png").read_bytes()
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfont.size: 30\naxes.facecolor: red\n")
    result = command("run", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (run_folder / "success.png").read_bytes() == before


def test_a_path_below_home(run_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    result = command("~/run", "--out=~/x.png")
    assert (result.returncode, result.stdout) == (0, f"{tmp_path / 'x.png'}\n")
