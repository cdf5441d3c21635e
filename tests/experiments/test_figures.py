"""Tests of the figures' scripts: their plans at every scale, and how dots are drawn."""

import hashlib
import importlib
import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from common import SCALES, Options
from drawing import Dot, DotPanel, dots_figure, shrunk, stretched, title_of
from matplotlib.figure import Figure

from jaxteach.config import Config, Corrupt, check, resolve
from jaxteach.teacher.loading import load_teacher
from jaxteach.teacher.wrong import wrong_states
from jaxteach.utils.errors import UserError

SCRIPTS = sorted(path.stem for path in (Path(__file__).parents[2] / "experiments").glob("fig_*.py"))


def test_all_figures_are_there():
    wanted = "corruption decay generalization hard_levels learning_curves llm_levels students teacher_quality"
    assert [f"fig_{name}" for name in (*wanted.split(), "uncertainty")] == SCRIPTS


def jobs_of(script, scale, monkeypatch):
    """The jobs of a script, which is ended before anything is trained."""
    module, found = importlib.import_module(script), []

    def carry_out(jobs, options):
        found.extend(jobs)
        raise SystemExit

    monkeypatch.setattr(module, "carry_out", carry_out)
    with pytest.raises(SystemExit):
        module.figure(Options(script, SCALES[scale], plan=True))
    return found


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("scale", SCALES)
def test_plans(script, scale, monkeypatch):
    jobs = jobs_of(script, scale, monkeypatch)
    names = [(job.config.task, job.label) for job in jobs]
    assert len(set(names)) == len(names)
    for job in jobs:
        check(job.config)
        resolve(job.config)
        assert job.config.first_seed >= 1000  # the seeds below are those that settings were chosen on


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_default_has_as_many_seeds_behind_every_point(script, monkeypatch):
    seeds: dict[tuple[str, str], int] = {}
    for job in jobs_of(script, "default", monkeypatch):
        name = (job.config.task, job.label.partition("/")[0])
        seeds[name] = seeds.get(name, 0) + job.config.seeds
    assert set(seeds.values()) == {8 if script.endswith("_levels") else 16}


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_say_what_they_show(script):
    assert (importlib.import_module(script).__doc__ or "").count("\n") == 0


def test_dots_are_drawn_where_they_belong():
    dots = (
        Dot("first", 0.5, 0.25, 0.75, mark=0.6, strong=True),
        Dot("never", math.inf, math.inf, math.inf),
        Dot("open to the right", 0.4, 0.3, math.inf),
    )
    figure = dots_figure("title", "note " * 60, [DotPanel("panel", "along", dots)] * 3, columns=2)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 3
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [dot.label for dot in dots]
    points = {
        (tuple(line.get_xdata()), tuple(line.get_ydata()), line.get_marker()) for line in axes.get_lines()
    }
    assert ((0.25, 0.75), (0, 0), "None") in points
    assert ((0.5,), (0,), "o") in points and ((0.4,), (2,), "s") in points
    assert ((0.3, 1.0), (2, 2), "None") in points and ((1.0,), (2,), ">") in points
    assert [text.get_text().strip() for text in axes.texts] == ["not confirmed"]
    assert max(len(line) for line in figure._supxlabel.get_text().splitlines()) < 150


def test_success_rates_are_stretched_and_back():
    rates = np.array([0.0, 0.45, 0.9, 0.95, 1.0])
    assert stretched(rates).tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert shrunk(stretched(rates)).tolist() == pytest.approx(rates.tolist())


@pytest.mark.parametrize("name", ["fig_students", "fig_hard_levels", "fig_llm_levels"])
def test_committed_results_are_drawn_again(tmp_path, monkeypatch, name):
    options = Options(name, SCALES["default"], plan=False, redraw=True)
    folder = tmp_path / "there"
    shutil.copytree(options.out, folder)
    for picture in folder.glob(f"{name}*.*"):
        picture.write_bytes(b"")
    before = (folder / "summary.csv").read_bytes()
    monkeypatch.setattr(Options, "out", folder)
    importlib.import_module(name).figure(options)
    assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "summary.csv").read_bytes() == before
    files = json.loads((folder / "provenance.json").read_text())["files"]
    assert {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in files} == files
    monkeypatch.setattr(Options, "out", tmp_path / "nothing")
    with pytest.raises(UserError, match="no results to draw again"):
        importlib.import_module(name).figure(options)


def test_wrong_tables_are_drawn_not_their_seeds():
    corruption = importlib.import_module("fig_corruption")
    run = SimpleNamespace(steps_to=lambda threshold, window: np.array([5.0, np.inf]))
    runs = [
        SimpleNamespace(**vars(run), success=np.array(rates), teacher_success=teacher)
        for rates, teacher in (([1.0, 0.9], 0.5), ([0.0, 0.1], 0.3))
    ]
    means = np.array([0.95, 0.05])
    point = corruption.Point("systematic", 2, 6, means, np.array([0.5, 0.3]), tuple(runs))
    row = corruption.row_of("simple_door_key", point, 100)
    assert (row["run"], row["n_wrong"], row["n_states"], row["share"]) == ("states 2", 2, 6, 1 / 3)
    assert (row["tables"], row["seeds"], row["success_mean"]) == (2, 4, 0.5)
    assert (row["success_low"], row["success_high"]) == (0.05, 0.95)  # both draws the one table, or the other
    assert (row["above_teacher"], row["above_0.8"], row["confirmed_0.8"]) == (0.5, 0.5, 0.5)
    curve = corruption.curve_of("students", [point], "students")
    assert (curve.env_steps[0], curve.centre[0], curve.low[0], curve.seeds) == (2, 0.5, 0.05, 2)


def test_wrong_states_are_those_that_the_summaries_count():
    corruption = importlib.import_module("fig_corruption")

    def result(rates, **errors):
        count = {"n_wrong": errors.get("states", 0), "n_states": 14} if errors else None
        return SimpleNamespace(
            config=Config(corrupt=Corrupt(**errors)),
            run=SimpleNamespace(summary={"corrupt": count}),
            success=np.array(rates),
            teacher_success=0.5,
        )

    noise = result([0.4, 0.6], share=0.9, mode="noise")
    draws = [result(rates, states=3, seed=seed) for seed, rates in enumerate(([0.2, 0.4], [0.6, 0.8]))]
    runs = [result([1.0, 0.9]), *draws, noise]
    points = corruption.points_of("systematic", runs)
    assert [(p.amount, p.n_states, p.students.tolist()) for p in points] == [
        (0, 14, [1.0, 0.9]),
        (3, 14, pytest.approx([0.3, 0.7])),
    ]
    assert [p.amount for p in corruption.points_of("noise", runs)] == [0, 0.9]
    panel = corruption.panel_of("colored_door_key", "systematic", points)
    assert panel.name == "ColoredDoorKey: states wrong, of 14"
    assert [curve.label for curve in panel.curves] == ["students", "teachers"]


def test_numbers_of_wrong_states_can_be_had_of_the_tables():
    corruption, scale = importlib.import_module("fig_corruption"), SCALES["default"]
    for task, teacher in corruption.TEACHERS.items():
        table, plans = load_teacher(teacher, task), corruption.errors(scale, task)
        for number in corruption.STATES[task]:
            own = [c for name, c in plans.items() if name.startswith(f"states {number}/")]
            assert len(own) == corruption.TABLES
            assert {len(wrong_states(table, config.corrupt)) for config in own} == {number}


def test_titles():
    assert title_of("lava_door_key") == "LavaDoorKey"
    assert title_of("MiniGrid-DoorKey-5x5-v0") == "MiniGrid-DoorKey-5x5-v0"
    assert title_of("simple_door_key:small_rooms") == "SimpleDoorKey, small rooms"
