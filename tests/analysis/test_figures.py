"""Tests of figures: what is drawn, that it can be told apart in grey, and the files written."""

import csv
import dataclasses
import itertools

import matplotlib.colors
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from jaxteach.analysis import figures
from jaxteach.analysis.curves import learning_curve
from jaxteach.utils.errors import UserError


def curve(label="a", points=5, top=1.0):
    values = np.linspace(0, top, points)[None] * np.array([[0.5], [0.8], [1.0]])
    return learning_curve(label, np.tile(np.arange(1, points + 1) * 1000, (3, 1)), values)


def panel(*curves, levels=()):
    return figures.Panel("success rate", curves, levels)


def drawn(*panels):
    figure = figures.learning_figure("task, 3 seeds", "note", panels)
    figure.draw_without_rendering()
    return figure


def texts(axes):
    return {text.get_text(): text for text in axes.texts}


def test_panel_holds_lines_bands_levels_and_their_names():
    figure = drawn(panel(curve("one"), curve("two", top=0.5), levels=(figures.Level("teacher", 0.57),)))
    (axes,) = figure.axes
    assert set(texts(axes)) == {"one", "two", "teacher 0.57"}
    assert len(axes.collections) == 2  # the bands
    lines = [line for line in axes.lines if line.get_clip_on()]
    np.testing.assert_allclose(lines[0].get_data(), [[1000, 2000, 3000, 4000, 5000], [0, 0.2, 0.4, 0.6, 0.8]])
    assert list(lines[2].get_ydata()) == [0.57, 0.57]
    assert axes.get_xlim() == (0, 5000)
    assert axes.get_ylim() == pytest.approx((-0.015, 1.015))
    assert figure.get_suptitle() == "task, 3 seeds"


def test_names_stand_level_with_their_lines_and_inside_the_picture():
    figure = drawn(panel(curve("high"), curve("low", top=0.1)), panel(curve("long " * 8)))
    width, height = figure.bbox.size
    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert box.x0 >= axes.bbox.x1
            assert box.x1 <= width
            assert 0 <= box.y0 <= box.y1 <= height
    names = texts(figure.axes[0])
    assert names["high"].get_position()[1] == pytest.approx((0.8 + 0.015) / 1.03)


def test_names_of_equal_lines_do_not_touch():
    figure = drawn(panel(*[curve(f"number {index}") for index in range(6)]))
    boxes = sorted((text.get_window_extent() for text in figure.axes[0].texts), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 for below, above in itertools.pairwise(boxes))


def test_a_name_has_one_style_in_all_panels():
    figure = figures.learning_figure("a", "b", [panel(curve("one"), curve("two")), panel(curve("two"))])
    first, second = (texts(axes) for axes in figure.axes)
    assert first["one"].get_color() != first["two"].get_color() == second["two"].get_color()


def test_axis_begins_at_the_panels_bottom():
    (axes,) = drawn(dataclasses.replace(panel(curve()), bottom=0.85)).axes
    assert axes.get_ylim() == pytest.approx((0.84775, 1.00225))
    assert [text.get_text() for text in axes.get_yticklabels()] == ["0.85", "0.9", "0.95", "1"]


def test_axis_opens_for_numbers_outside_0_to_1():
    (axes,) = drawn(panel(curve(top=-3.0))).axes
    assert axes.get_ylim()[0] < -3.0 * 0.8


def test_a_curve_without_points_leaves_an_empty_panel():
    (axes,) = drawn(panel(curve(points=0))).axes
    assert not axes.texts


def test_neighbouring_styles_differ_in_lightness_and_dashes():
    def lightness(colour):
        linear = np.power((np.array(matplotlib.colors.to_rgb(colour)) + 0.055) / 1.055, 2.4)
        return 116 * np.cbrt(linear @ [0.2126, 0.7152, 0.0722]) - 16

    shades = [lightness(colour) for colour, _ in figures.STYLES]
    assert np.all(np.abs(np.diff(shades)) >= 15)
    assert max(shades) < 70  # still legible as text on white
    assert len({dashes for _, dashes in figures.STYLES}) == len(figures.STYLES)


@given(st.lists(st.floats(0, 1), max_size=9), st.floats(0.01, 0.1))
def test_spread_keeps_order_and_distance(heights, gap):
    places = figures.spread(heights, gap)
    for one, other in itertools.combinations(range(len(heights)), 2):
        assert abs(places[one] - places[other]) >= gap - 1e-9
        if heights[one] > heights[other]:
            assert places[one] > places[other]
    assert all(-1e-9 <= place <= 1 for place in places)


def test_picture_is_repeatable_and_small(tmp_path):
    noisy = np.random.default_rng(0).random((9, 250))
    panels = [panel(*[learning_curve(f"curve {i}", [range(1, 251)] * 9, noisy) for i in range(6)])] * 2
    for name in ("one.png", "two.png"):
        figures.save_figure(figures.learning_figure("a", "b", panels), tmp_path / name)
    data = (tmp_path / "one.png").read_bytes()
    assert data == (tmp_path / "two.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) <= 300_000


def test_picture_is_drawn_smaller_to_fit(tmp_path):
    figure = drawn(panel(curve()))
    figures.save_figure(figure, tmp_path / "full.png")
    full = (tmp_path / "full.png").stat().st_size
    figures.save_figure(figure, tmp_path / "less.png", max_bytes=full - 1)
    assert (tmp_path / "less.png").stat().st_size < full


def test_pdf_is_repeatable(tmp_path):
    for name in ("one.pdf", "two.pdf"):
        figures.save_figure(figures.learning_figure("a", "b", [panel(curve())]), tmp_path / name)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


@pytest.mark.parametrize("name", ["success.jpg", "success", "nowhere/success.png"])
def test_pictures_that_cannot_be_written(tmp_path, name):
    with pytest.raises(UserError, match="cannot write"):
        figures.save_figure(Figure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_numbers_as_csv(tmp_path):
    one = learning_curve('a, "b"', [[1000, 1_234_567]] * 2, [[-0.0, 1 / 3], [-1e-9, 2 / 3]])
    figures.write_curves(tmp_path / "x.csv", [panel(one, levels=(figures.Level("teacher", 0.57),))])
    data = (tmp_path / "x.csv").read_bytes()
    assert b"\r" not in data
    rows = list(csv.reader(data.decode().splitlines()))
    assert rows == [
        ["panel", "curve", "seeds", "band", "env_steps", "centre", "low", "high"],
        ["success rate", 'a, "b"', "2", "iqr", "1000", "0.000000", "0.000000", "0.000000"],
        ["success rate", 'a, "b"', "2", "iqr", "1234567", "0.500000", "0.416667", "0.583333"],
        ["success rate", "teacher", "", "level", "", "0.570000", "", ""],
    ]


def test_numbers_along_something_else_than_steps(tmp_path):
    shares = dataclasses.replace(curve("noise", points=3), env_steps=np.array([0.0, 0.1, 0.25]))
    along = dataclasses.replace(panel(shares), along="share of wrong instructions")
    figures.write_curves(tmp_path / "x.csv", [along, along])
    rows = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    assert [row["share_of_wrong_instructions"] for row in rows] == ["0", "0.1", "0.25"] * 2
