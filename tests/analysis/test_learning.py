"""Tests of what a figure of runs shows: panels, teachers' levels, names and title."""

import numpy as np
import pytest

from jaxteach.analysis import learning, load_run
from jaxteach.utils.errors import UserError


@pytest.fixture
def loaded(write_run):
    return lambda *args, **kwargs: load_run(write_run(*args, **kwargs))


def test_panels_of_one_run(loaded):
    success, returns = learning.learning_panels([loaded()])
    (curve,) = success.curves
    assert (curve.label, curve.seeds) == ("student", 8)
    # 40 episodes an update, so 3 updates to a window of 100; the last update's are still running.
    np.testing.assert_array_equal(curve.env_steps, np.arange(3, 30) * 512)
    assert curve.centre[0] < 0.1 < 0.9 < curve.centre[-1]
    np.testing.assert_allclose(returns.curves[0].centre, 0.9 * curve.centre, atol=1e-12)
    assert [(level.label, level.value) for level in success.levels] == [("teacher alone", 0.57)]
    assert returns.levels == ()


def test_window_and_band_and_labels_are_used(loaded):
    runs = [loaded()]
    success, _ = learning.learning_panels(runs, window=40, band="ci95", labels=["x"])
    assert success.curves[0].env_steps[0] == 512
    assert (success.curves[0].band, success.curves[0].label) == ("ci95", "x")


def test_a_run_too_short_is_named(loaded, metrics):
    short = {name: array[:, :2] for name, array in metrics.items() if name != "seed_ids"}
    run = loaded("stub", metrics=short | {"seed_ids": np.arange(8)})
    with pytest.raises(UserError, match=r"stub is too short to draw: .* last 100 episodes"):
        learning.learning_panels([run])
    assert learning.learning_panels([run], window=40)[0].curves[0].env_steps.size == 2


def test_labels_are_what_differs(loaded):
    base, rl = loaded("base"), loaded("rl", teacher=None, decay="none")
    assert learning.run_labels([base]) == ["student"]
    assert learning.run_labels([base, rl]) == ["taught by chatglm", "no teacher"]
    slow = loaded("slow", decay="linear")
    assert learning.run_labels([base, slow]) == ["linear_plateau", "linear"]
    assert learning.run_labels([base, rl, slow]) == [
        "taught by chatglm, linear_plateau",
        "no teacher",
        "taught by chatglm, linear",
    ]
    other = loaded("other", task="two_door", student="cnn")
    assert learning.run_labels([base, other]) == ["lava_door_key, ego", "two_door, cnn"]
    paper = loaded("paper", preset="paper")
    assert learning.run_labels([base, paper]) == ["preset fast", "preset paper"]


def test_labels_fall_back_on_folders(loaded, tmp_path):
    (tmp_path / "deep").mkdir()
    one, two, three = loaded("one"), loaded("two"), loaded("three", decay="step")
    assert learning.run_labels([one, two]) == ["one", "two"]
    assert learning.run_labels([one, two, three]) == ["linear_plateau (one)", "linear_plateau (two)", "step"]
    deep = loaded("deep/one")
    assert learning.run_labels([one, deep]) == [
        f"one ({tmp_path / 'one'})",
        f"one ({tmp_path / 'deep' / 'one'})",
    ]


def test_labels_and_title_tell_the_seeds(loaded, metrics):
    fewer = loaded("fewer", metrics={name: array[:3] for name, array in metrics.items()}, decay="step")
    single = loaded("single", metrics={name: array[:1] for name, array in metrics.items()})
    base = loaded("base")
    assert learning.run_labels([base, fewer]) == ["linear_plateau, n = 8", "step, n = 3"]
    assert learning.run_title([base, fewer]) == "lava_door_key, 3 to 8 seeds"
    assert learning.run_title([base, loaded("again")]) == "lava_door_key, 8 seeds each"
    assert learning.run_title([base]) == "lava_door_key, 8 seeds"
    assert learning.run_title([single]) == "lava_door_key, 1 seed"
    assert learning.run_title([base, loaded("t", task="two_door")]) == "lava_door_key, two_door, 8 seeds each"


def test_levels_of_several_teachers(loaded):
    def levels(*runs):
        return [(level.label, level.value) for level in learning.teacher_levels(runs)]

    one, same = loaded("one"), loaded("same", decay="linear")
    assert levels(one, same, loaded("rl", teacher=None), loaded("cut", summary=False)) == [
        ("teacher alone", 0.57)
    ]
    assert levels(one, loaded("q", teacher="qwen", rate=0.6)) == [
        ("chatglm alone", 0.57),
        ("qwen alone", 0.6),
    ]
    assert levels(one, loaded("two", task="two_door", rate=0.08)) == [
        ("chatglm alone, lava_door_key", 0.57),
        ("chatglm alone, two_door", 0.08),
    ]


def test_note_explains_the_band():
    assert "interquartile range" in learning.run_note(100, "iqr")
    assert "95 %" in learning.run_note(50, "ci95")
    assert "last 50 episodes" in learning.run_note(50, "ci95")
