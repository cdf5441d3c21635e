"""How results are drawn: success while learning, and rows of dots with intervals; readable in grey."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from common import Options
from reporting import Result, csv_text, note_redrawn, write_results

from jaxteach.analysis import (
    Curve,
    Level,
    Panel,
    bootstrap_interval,
    iqm,
    learning_figure,
    sample_efficiency,
    save_figure,
    write_curves,
)
from jaxteach.analysis.figures import GREY, INK, dress, own_style, sheet
from jaxteach.tasks.registry import task_class

RATE = "success rate, stretched above 0.9"
BAND = (
    "Line: interquartile mean over seeds; band: its 95 % bootstrap interval. A curve starts and ends where "
    "the episodes looked back on have finished in every seed."
)


@dataclass(frozen=True)
class Dot:
    """A row of a panel of dots: a number with its interval; NaN or infinite where it was never reached.

    Attributes:
        label: what it is of.
        centre: the number.
        low: lower end of its interval.
        high: upper end of its interval.
        mark: a number to compare with, drawn as a short upright line; None for none.
        strong: whether the row stands out.
    """

    label: str
    centre: float
    low: float
    high: float
    mark: float | None = None
    strong: bool = False


@dataclass(frozen=True)
class DotPanel:
    """Dots of one quantity, one row above the other.

    Attributes:
        name: the panel's title.
        along: what the horizontal axis shows.
        dots: the rows, from above.
        right: where the axis, which begins at 0, ends.
        missing: what stands in a row without a number.
    """

    name: str
    along: str
    dots: tuple[Dot, ...]
    right: float = 1.0
    missing: str = "not confirmed"


def title_of(task: str) -> str:
    """A task as figures call it: SimpleDoorKey, or SimpleDoorKey, small rooms; a level by its id."""
    base, _, variant = task.partition(":")
    return getattr(task_class(base), "__name__", base) + (f", {variant.replace('_', ' ')}" if variant else "")


def seeds_note(results: Sequence[Result]) -> str:
    """How many seeds are behind each result, for the title."""
    counts = sorted({len(result.success) for result in results})
    return f"n = {counts[0]} seeds" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]} seeds"


def success_panel(name: str, results: Sequence[Result], window: int, levels: tuple[Level, ...] = ()) -> Panel:
    """Success while learning of some results, as a panel.

    Args:
        name: the panel's title.
        results: a curve each.
        window: episodes to look back on.
        levels: horizontal lines.
    """
    curves = tuple(result.curve(window) for result in results)
    lowest = min((float(curve.low.min()) for curve in curves if curve.low.size), default=0.0)
    # Where nothing lies below, the upper part alone shows what differs.
    return Panel(name, curves, levels, bottom=0.85 if lowest >= 0.85 else 0.0)


def teacher_level(results: Sequence[Result], label: str = "teacher alone") -> tuple[Level, ...]:
    """The teacher's own success as a horizontal line, if the results have one in common."""
    rates = {result.teacher_success for result in results} - {None}
    return tuple(Level(label, rate) for rate in rates if rate is not None) if len(rates) == 1 else ()


def success_dot(result: Result, label: str | None = None, mark: bool = True, strong: bool = False) -> Dot:
    """Final success: the interquartile mean with its interval, and the teacher's own success as a mark."""
    low, high = bootstrap_interval(result.success)
    return Dot(
        label or result.label,
        iqm(result.success),
        low,
        high,
        result.teacher_success if mark else None,
        strong,
    )


def steps_dot(
    result: Result, threshold: float, window: int, label: str | None = None, strong: bool = False
) -> Dot:
    """Confirmed environment steps to a success rate: the median over seeds with its interval."""
    found = sample_efficiency(result.steps_to(threshold, window))
    ends = [math.inf if end is None else end for end in (found["median"], *found["ci95"])]
    return Dot(label or result.label, *ends, strong=strong)


def success_dots(name: str, results: Sequence[Result], **settings: Any) -> DotPanel:
    """Final success of some results, a row each; see `success_dot` for the settings."""
    dots = tuple(success_dot(result, **{k: f(result) for k, f in settings.items()}) for result in results)
    return DotPanel(f"{name}: success in the end", RATE, dots)


def steps_dots(name: str, results: Sequence[Result], window: int, **settings: Any) -> DotPanel:
    """Environment steps of some results to 0.8, a row each, up to the longest run's."""
    dots = tuple(
        steps_dot(result, 0.8, window, **{k: f(result) for k, f in settings.items()}) for result in results
    )
    right = max(result.budget for result in results)
    confirmed = all(result.confirmed for result in results)
    title, missing = ("confirmed steps", "not confirmed") if confirmed else ("steps", "not reached")
    return DotPanel(f"{name}: {title} to 0.8", "environment steps of each seed", dots, right, missing)


@own_style()
def dots_figure(title: str, note: str, panels: Sequence[DotPanel], columns: int | None = None) -> Any:
    """Draw panels of dots with intervals, each row named at its left.

    Args:
        title: what is shown, and for how many seeds.
        note: what dots, lines and marks are.
        panels: at least one.
        columns: panels in a row; by default all.
    """
    across = min(columns or len(panels), len(panels))
    down = -(-len(panels) // across)
    letters = max(len(dot.label) for panel in panels for dot in panel.dots)
    rows = max(len(panel.dots) for panel in panels)
    size = ((3.2 + 0.072 * letters) * across, 1.0 + (0.9 + 0.26 * rows) * down)
    figure, places = sheet(title, note, size, len(panels), across)
    for axes, panel in zip(places, panels, strict=True):
        draw_dots(axes, panel)
    return figure


def draw_dots(axes: Any, panel: DotPanel) -> None:
    """Draw one panel of dots.

    Args:
        axes: matplotlib axes, still empty.
        panel: what to draw.
    """
    right = panel.right
    for row, dot in enumerate(panel.dots):
        if not math.isfinite(dot.centre):
            axes.text(right, row, f"{panel.missing} ", ha="right", va="center", fontsize=8.5, color=GREY)
            continue
        if dot.mark is not None:
            axes.plot([dot.mark] * 2, [row - 0.4, row + 0.4], color=GREY, linewidth=2.0, clip_on=False)
        ends = [dot.low, min(dot.high, right)]
        axes.plot(ends, [row, row], color=INK, linewidth=1.6, solid_capstyle="butt", clip_on=False)
        # Ends higher than the marker, for an interval that is narrower than it to be seen as well.
        axes.plot(ends, [row, row], "|", color=INK, markersize=9, markeredgewidth=1.0, clip_on=False)
        shape, size = ("o", 6.0) if dot.strong else ("s", 3.8)
        axes.plot(dot.centre, row, shape, color=INK, markersize=size, clip_on=False)
        if not math.isfinite(dot.high):
            axes.plot(right, row, ">", color=INK, markersize=5, clip_on=False)
    axes.set_yticks(range(len(panel.dots)), [dot.label for dot in panel.dots])
    axes.set_ylim(len(panel.dots) - 0.4, -0.6)
    if right == 1.0:
        axes.set_xscale("function", functions=(stretched, shrunk))
        axes.set_xlim(-0.02, 1.004)
        axes.set_xticks([0, 0.5, 0.9, 0.95, 1], ["0", "0.5", "0.9", "0.95", "1"])
    else:
        from matplotlib.ticker import MaxNLocator

        axes.set_xlim(-0.015 * right, 1.015 * right)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value else "0")
    dress(axes, panel.name, panel.along, "x")


def stretched(rate: np.ndarray) -> np.ndarray:
    """Where success rates are drawn: those above 0.9 take half of the axis, for they are what differs."""
    return np.interp(rate, [-1.0, 0.0, 0.9, 1.0, 2.0], [-0.55, 0.0, 0.5, 1.0, 6.0])


def shrunk(place: np.ndarray) -> np.ndarray:
    """The success rate that is drawn at a place, see `stretched`."""
    return np.interp(place, [-0.55, 0.0, 0.5, 1.0, 6.0], [-1.0, 0.0, 0.9, 1.0, 2.0])


def save(
    options: Options,
    results: Sequence[Result],
    figures: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    panels: Sequence[Panel] = (),
    more: Mapping[str, bytes] | None = None,
) -> None:
    """Write a figure's pictures (PNG and PDF), its numbers (CSV) and where they come from (JSON).

    Of committed results that are drawn again the pictures alone.

    Args:
        options: the command line's.
        results: every run shown.
        figures: matplotlib figures by file name, without a suffix.
        rows: summary.csv.
        panels: what was drawn as curves, for curves.csv.
        more: contents of further files, by name.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, figure in figures.items():
        for kind in ("png", "pdf"):
            save_figure(figure, options.out / f"{name}.{kind}")
            drawn.append(f"{name}.{kind}")
    if options.redraw:
        return note_redrawn(options.out, drawn)
    if panels:
        write_curves(options.out / "curves.csv", panels)
        drawn.append("curves.csv")
    write_results(options, results, {"summary.csv": csv_text(rows).encode(), **(more or {})}, drawn)


__all__ = [
    "BAND",
    "RATE",
    "Curve",
    "Dot",
    "DotPanel",
    "Level",
    "Panel",
    "dots_figure",
    "learning_figure",
    "save",
    "seeds_note",
    "steps_dots",
    "success_dots",
    "success_panel",
    "teacher_level",
    "title_of",
]
