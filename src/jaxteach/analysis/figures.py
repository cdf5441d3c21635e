"""Figures of learning curves: labelled at the curves, readable in grey, with their numbers as CSV."""

import contextlib
import csv
import io
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from jaxteach.analysis.curves import Curve
from jaxteach.utils.errors import UserError
from jaxteach.utils.files import write_atomic
from jaxteach.utils.jax_setup import import_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_BYTES = 300_000
ENV_STEPS = "environment steps of each seed"
"""What learning curves are drawn along."""

# Neighbours differ in lightness and in dashes, so that grey prints stay readable.
STYLES: tuple[tuple[str, tuple[int, tuple[float, ...] | None]], ...] = (
    ("#0d2747", (0, None)),
    ("#e5861c", (0, (6, 1.5))),
    ("#a3265c", (0, (1.5, 1.2))),
    ("#2f9088", (0, (7, 1.5, 1.5, 1.5))),
    ("#4a2b7a", (0, (4, 1.2, 1.2, 1.2, 1.2, 1.2))),
    ("#8a6a12", (0, (11, 3))),
)
INK, GREY, PALE = "#222222", "#6a6a6a", "#e3e3e3"
_LABEL_SIZE = 9.0
_LETTER_INCHES = 0.072  # the width of a letter of a label, about
_NOTE_LETTER_INCHES = 0.066  # the same of a note below the panels
_RESOLUTIONS = (150, 120, 90, 60)  # dots per inch: the first that stays within the size is taken
_METADATA: dict[str, dict[str, str | None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}}


@dataclass(frozen=True)
class Level:
    """A horizontal line to compare with, such as the teacher's own success.

    Attributes:
        label: what it is.
        value: its height.
    """

    label: str
    value: float


@dataclass(frozen=True)
class Panel:
    """One set of axes: curves and levels of one quantity.

    Attributes:
        name: the quantity, as the panel's title.
        curves: the curves, in the order of their styles.
        levels: horizontal lines.
        along: what the horizontal axis shows.
        bottom: where the vertical axis begins, if it ends at 1.
    """

    name: str
    curves: tuple[Curve, ...]
    levels: tuple[Level, ...] = ()
    along: str = ENV_STEPS
    bottom: float = 0.0


@contextlib.contextmanager
def own_style() -> Iterator[None]:
    """A context, or a decorator, in which matplotlib's own settings hold, not those of a user's matplotlibrc.

    A user's text.usetex would need LaTeX, and other fonts and sizes would draw other pictures.

    Raises:
        UserError: matplotlib cannot read the user's settings at all.
    """
    import_matplotlib()
    from matplotlib import style

    with style.context("default"):
        yield


@own_style()
def learning_figure(title: str, note: str, panels: Sequence[Panel], columns: int | None = None) -> "Figure":
    """Draw panels side by side against environment steps.

    Args:
        title: what is shown, and for how many seeds.
        note: what lines and bands are.
        panels: at least one.
        columns: panels in a row; by default all.

    Returns:
        A matplotlib figure that belongs to no window; save it with `save_figure`.
    """
    names = [curve.label for panel in panels for curve in panel.curves]
    names += [level.label for panel in panels for level in panel.levels]
    # Axes of about 3.6 inches, whatever stands beside them.
    width = 4.2 + _LETTER_INCHES * max(map(len, names), default=0)
    across = min(columns or len(panels), len(panels))
    down = -(-len(panels) // across)
    size = (width * across, 4.2 if down == 1 else 0.7 + 3.5 * down)
    figure, places = sheet(title, note, size, len(panels), across)
    labels = list(dict.fromkeys(curve.label for panel in panels for curve in panel.curves))
    for axes, panel in zip(places, panels, strict=True):
        draw_panel(axes, panel, labels)
    return figure


def sheet(
    title: str, note: str, size: tuple[float, float], n: int, across: int, **shares: Any
) -> "tuple[Figure, list[Axes]]":
    """A figure with its title above, its note below, and axes in rows.

    Args:
        title: in bold.
        note: folded to the width; may be empty.
        size: width and height, in inches.
        n: how many axes.
        across: axes in a row.
        shares: what else matplotlib's `subplots` takes.

    Returns:
        A matplotlib figure that belongs to no window, and its axes, still empty.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold", color=INK)
    if note:
        words = textwrap.fill(note, width=int(size[0] / _NOTE_LETTER_INCHES))
        figure.supxlabel(words, x=0.012, ha="left", fontsize=8.5, color=GREY)
    places = figure.subplots(-(-n // across), across, squeeze=False, **shares).ravel()
    for axes in places[n:]:
        axes.remove()
    return figure, list(places[:n])


def draw_panel(axes: "Axes", panel: Panel, labels: Sequence[str] | None = None) -> None:
    """Draw one panel: a line and a band a curve, a dotted line a level, and every name at its right end.

    The vertical axis goes from the panel's bottom to 1, unless a number lies outside 0 to 1; the horizontal
    one starts at no steps.

    Args:
        axes: matplotlib axes, still empty.
        panel: what to draw; a curve without points is left out.
        labels: of the curves of all panels, so that a name has one style in all; by default the panel's.
    """
    from matplotlib.ticker import MaxNLocator

    names = list(labels or (curve.label for curve in panel.curves))
    drawn = [curve for curve in panel.curves if curve.env_steps.size]
    right = max((curve.env_steps[-1] for curve in drawn), default=1.0)
    ends: list[tuple[float, float, str, str]] = []  # where a line ends (x, y), its name and its colour
    for curve in drawn:
        colour, dashes = STYLES[names.index(curve.label) % len(STYLES)]
        axes.fill_between(curve.env_steps, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(curve.env_steps, curve.centre, color=colour, linestyle=dashes, linewidth=2.0)
        ends.append((curve.env_steps[-1], curve.centre[-1], curve.label, colour))
    for level in panel.levels:
        axes.axhline(level.value, color=GREY, linestyle=(0, (1, 2)), linewidth=1.3, zorder=1)
        ends.append((right, level.value, f"{level.label} {level.value:.2f}", GREY))
    axes.set_xlim(0, right)
    numbers = [edge for curve in drawn for edge in (curve.low, curve.high)] + [
        [lv.value] for lv in panel.levels
    ]
    values = np.concatenate([*numbers, [0.0]])
    if values.min() >= 0 and values.max() <= 1:
        axes.set_ylim(panel.bottom - 0.015 * (1.0 - panel.bottom), 1.0 + 0.015 * (1.0 - panel.bottom))
        ticks = np.linspace(panel.bottom, 1.0, 5 if panel.bottom == 0 else 4)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    dress(axes, panel.name, panel.along, "y")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(_steps)
    _label_ends(axes, ends)


@own_style()
def save_figure(figure: "Figure", path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Write a figure, the same bytes for the same figure, whole or not at all.

    Args:
        figure: the figure.
        path: where to, ending in .png or .pdf; its folder must exist. An older file is replaced.
        max_bytes: a PNG above this is drawn again at a lower resolution.

    Raises:
        UserError: if the path ends in something else or cannot be written.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in _METADATA:
        raise UserError(f"cannot write {path}: a figure's name must end in .png or .pdf")
    for resolution in _RESOLUTIONS:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=resolution, metadata=_METADATA[kind])
        if kind != "png" or buffer.tell() <= max_bytes:
            break
    write_atomic(path, buffer.getvalue())


def write_curves(path: Path, panels: Sequence[Panel]) -> None:
    """Write the numbers of a figure as CSV, one row a point, the same bytes for the same numbers.

    Columns: panel, curve, seeds, band (iqr: centre is the median, low and high the quartiles; ci95: the IQM
    and its 95 % interval; level: a horizontal line), env_steps or what else the panels are drawn along,
    centre, low, high (six decimals).

    Args:
        path: where to; its folder must exist. An older file is replaced.
        panels: what was drawn, all along the same.

    Raises:
        UserError: if the file cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    (along,) = {panel.along for panel in panels}
    column = "env_steps" if along == ENV_STEPS else along.replace(" ", "_")
    table.writerow(["panel", "curve", "seeds", "band", column, "centre", "low", "high"])
    for panel in panels:
        for curve in panel.curves:
            for x, *point in zip(curve.env_steps, curve.centre, curve.low, curve.high, strict=True):
                numbers = [_decimal(number) for number in point]
                table.writerow([panel.name, curve.label, curve.seeds, curve.band, f"{x:.10g}", *numbers])
        for level in panel.levels:
            table.writerow([panel.name, level.label, "", "level", "", _decimal(level.value), "", ""])
    write_atomic(path, text.getvalue().encode())


def _decimal(number: float) -> str:
    """Six decimals, and no minus before a zero."""
    return f"{round(float(number), 6) + 0.0:.6f}"


def _steps(value: float, _position: float = 0) -> str:
    """A number of steps as axes show it: 500, 20k, 1.5M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def dress(axes: "Axes", name: str, along: str, lines: Literal["x", "y"]) -> None:
    """Give axes the title, ticks, lines and frame that all have.

    Args:
        axes: matplotlib axes.
        name: the title.
        along: what the horizontal axis shows.
        lines: the axis whose ticks have lines.
    """
    axes.set_title(name, loc="left", fontsize=10.5, color=INK)
    axes.set_xlabel(along, fontsize=9, color=INK)
    axes.tick_params(labelsize=8.5, colors=INK, length=3, color=GREY)
    axes.grid(axis=lines, color=PALE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)


def _label_ends(axes: "Axes", ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write every name to the right of the axes, level with its line's end, moved apart where too close."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    figure = axes.get_figure(root=True)
    inches = axes.get_position().height * (figure.get_size_inches()[1] if figure else 4.0)
    heights = [(y - bottom) / (top - bottom) for _, y, _, _ in ends]
    places = spread(heights, gap=1.35 * _LABEL_SIZE / 72 / inches)
    for (x, _, name, colour), height, place in zip(ends, heights, places, strict=True):
        along, up = [(x - left) / (right - left), 1.035], [height, place]
        axes.plot(along, up, color=colour, linewidth=0.8, alpha=0.6, transform=axes.transAxes, clip_on=False)
        axes.text(
            1.045, place, name, color=colour, fontsize=_LABEL_SIZE, va="center", transform=axes.transAxes
        )  # fmt: skip


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move labels apart, keeping their order, between 0 and 1 as long as they fit.

    Args:
        heights: where each label belongs; equal ones keep the order given, from above.
        gap: the least distance between two.

    Returns:
        Where each goes, in the order given.

    >>> [round(place, 2) for place in spread([0.98, 0.2, 1.0], gap=0.1)]
    [0.9, 0.2, 1.0]
    """
    order = sorted(range(len(heights)), key=lambda i: (heights[i], -i))
    places = list(heights)
    for lower, upper in itertools.pairwise(order):
        places[upper] = max(places[upper], places[lower] + gap)
    ceiling = 1.0
    for index in reversed(order):
        places[index] = min(places[index], ceiling)
        ceiling = places[index] - gap
    return places
