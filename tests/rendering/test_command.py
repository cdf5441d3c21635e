"""Tests of `python -m jaxteach.render`: its file, its output, its errors."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from jaxteach.config import Config, Corrupt
from jaxteach.render import Options, main, table_of
from jaxteach.tasks import make_task
from jaxteach.teacher.loading import load_teacher
from jaxteach.utils.errors import cli

pytestmark = pytest.mark.unoptimised


@pytest.fixture
def render(monkeypatch, capsys):
    """Run the command in this process; returns its exit status, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["render", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli(main)
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run


def test_an_episode_goes_into_the_run_folder(untrained_run, render):
    run = untrained_run("lava_door_key")
    status, out, err = render(run, "--seed", 1, "--episode", 2, "--fps", 10)
    assert (status, err) == (0, "")
    path = run / "episode.gif"
    told = re.fullmatch(
        rf"{path}: (success|failure|time) after (\d+) steps, return \d\.\d\d \(\d+ kB\)\n", out
    )
    assert told, out
    assert path.stat().st_size < 1_500_000
    with Image.open(path) as gif:
        assert (gif.width, gif.n_frames, gif.info["duration"]) == (840, int(told[2]) + 1, 100)


@pytest.mark.slow
def test_the_longest_episode_on_the_largest_grid_stays_small(untrained_run, render, tmp_path):
    # Its student hardly ever opens a door of a 20x20 room.
    status, out, _ = render(untrained_run("two_door"), "--out", tmp_path / "x.gif")
    assert status == 0 and "time after 150 steps" in out
    assert (tmp_path / "x.gif").stat().st_size < 1_500_000


def test_the_same_command_gives_the_same_file(untrained_run, render, tmp_path):
    run = untrained_run()
    for name in ("a.gif", "b.gif"):
        assert render(run, "--out", tmp_path / name, "--size", 420, "--greedy")[0] == 0
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_another_variant_and_no_teacher(untrained_run, render, tmp_path):
    run, out = untrained_run(teacher="none", student="gru"), tmp_path / "x.gif"
    for arguments in (["--variant", "with_lava"], ["--task", "lava_door_key:more_lava"]):
        assert render(run, "--out", out, "--size", 420, *arguments)[0] == 0


@pytest.mark.parametrize(("mode", "wrong"), [("systematic", 3), ("noise", 6)])
def test_a_teacher_with_errors_is_shown_with_them(mode, wrong):
    config = Config(corrupt=Corrupt(0.5, mode))
    task, true = make_task(config.task), load_teacher(config.teacher, config.task)
    table = table_of(Options(Path("run")), config, config.task, task)
    assert (
        table.name
        == {
            "systematic": "chatglm (3 of 6 states wrong)",
            "noise": "chatglm (50% wrong at random)",
        }[mode]
    )
    assert sum(a != b for a, b in zip(table.plans, true.plans, strict=True)) == wrong
    for state in table.plans:
        assert sum(plan.probability for plan in state) == pytest.approx(1)
    named = table_of(Options(Path("run"), teacher="chatglm"), config, config.task, task)
    assert named == true


@pytest.mark.parametrize("method", ["hierarchical", "interruptible"])
def test_students_that_choose_among_options_cannot_be_drawn(untrained_run, render, method):
    file = untrained_run() / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"method": method}))
    status, _, err = render(file.parent)
    assert status == 2 and "choose among options" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "7"], "has no parameters of seed 7: it holds 0..1"),
        (["--seed", "-1"], "--seed -1: must lie in [0, 4294967295]"),
        (["--fps", "0"], "--fps 0.0: must lie in [1, 50]"),
        (["--size", "5000"], "--size 5000: must lie in [420, 1680]"),
        (["--out", "x.png"], "--out x.png: the picture is a GIF"),
        (["--out", "nowhere/x.gif"], "--out nowhere/x.gif: there is no folder nowhere"),
        (["--task", "two_door"], "read 10x10 maps with 1 kind of key; two_door has 20x20"),
        (["--task", "colored_door_key"], "colored_door_key has 10x10 maps with 2 kinds of key"),
        (["--task", "simple_door"], "unknown task 'simple_door': did you mean 'simple_door_key'?"),
        (["--variant", "small_room"], "did you mean 'small_rooms'?"),
        (["--task", "lava_door_key:no_lava", "--variant", "more_lava"], "leave out --variant"),
        (["--teacher", "gpt"], "no teacher table 'gpt' for task simple_door_key"),
        (["--episode", "one"], "--episode"),
    ],
)
def test_bad_input_is_one_clear_line(untrained_run, render, arguments, words):
    status, out, err = render(untrained_run(), *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and words in err


def test_a_folder_without_a_run_is_one_clear_line(render, tmp_path):
    assert render(tmp_path)[::2] == (
        2,
        f"error: {tmp_path} is not a run folder: it holds no config.json\n",
    )


def test_a_damaged_configuration_is_one_clear_line(untrained_run, render):
    file = untrained_run() / "config.json"
    values = json.loads(file.read_text())
    del values["ppo"]
    file.write_text(json.dumps(values))
    status, _, err = render(file.parent)
    assert status == 2 and err.count("\n") == 1 and "config.json" in err


def test_help_needs_no_jax():
    began = time.perf_counter()
    code = "import sys; sys.argv = ['render', '--help']\ntry:\n    from jaxteach.render import main; main()\n"
    code += "except SystemExit: sys.exit('jax' in sys.modules or 'matplotlib' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, "--episode" in result.stdout) == (0, True)
    assert time.perf_counter() - began < 6  # two on a quiet machine
