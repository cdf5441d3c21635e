"""The benchmark's figure: rates with their extremes, seconds a seed by width and number, memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.levels import N_ENVS, Row
from benchmarks.runs import Run
from benchmarks.timing import Timing, in_words
from jaxteach.analysis.figures import GREY, INK, dress, own_style, sheet

DEFAULT_STEPS = 49_152
"""Environment steps a seed by default: what seconds a seed by width are of."""


@own_style()
def picture(groups: Mapping[str, Mapping[str, Timing]], runs: Mapping[str, Sequence[Run]], cpu: str) -> Any:
    """Draw all results.

    Args:
        groups: timings by group and name.
        runs: whole runs by kind.
        cpu: what they were measured on.

    Returns:
        A matplotlib figure.
    """
    note = "Dots: medians; lines: fastest and slowest repeat. All axes of rates and of seeds are logarithmic."
    figure, places = sheet(f"Throughput, {cpu}", note, (13, 10.5), 6, 2, height_ratios=(1.6, 1, 1))
    rates(places[0], "Environments alone", "environment steps a second", groups["environments"])
    rates(places[1], "Training and its stages", "environment steps a second", groups["learning"])
    rates(
        places[2], "Updates and the matmul peak", "floating point operations a second", groups["operations"]
    )
    by_width(places[3], groups["widths"])
    by_seeds(places[4], "Seconds a seed", [("default", "default"), ("short", "short runs")], runs, seconds)
    by_seeds(
        places[5], "Peak resident memory, MB", [("default", "default"), ("short", "short runs")], runs, memory
    )
    return figure


def seconds(run: Run) -> float | None:
    """Seconds of training a seed."""
    return run.seconds_a_seed


def memory(run: Run) -> float | None:
    """Peak memory in MB."""
    return None if run.peak_bytes is None else run.peak_bytes / 1e6


def rates(axes: Any, title: str, along: str, timings: Mapping[str, Timing]) -> None:
    """A row for each variant."""
    from matplotlib.ticker import LogLocator, NullLocator

    for row, timing in enumerate(timings.values()):
        ends = [timing.units / max(timing.seconds), timing.units / min(timing.seconds)]
        axes.plot(ends, [row, row], color=INK, linewidth=1.6, solid_capstyle="butt")
        axes.plot(timing.rate, row, "o", color=INK, markersize=4.5)
        axes.annotate(
            in_words(timing.rate),
            (timing.rate, row),
            (7, 3),
            textcoords="offset points",
            fontsize=7.5,
            color=GREY,
        )
    axes.set_xscale("log")
    spread = max(t.rate for t in timings.values()) / min(t.rate for t in timings.values())
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if spread < 30 else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: in_words(value))
    axes.margins(x=0.12)
    axes.set_yticks(range(len(timings)), [name.replace(" 1 devices", " 1 device") for name in timings])
    axes.set_ylim(len(timings) - 0.4, -0.8)
    dress(axes, title, along, "x")


def by_width(axes: Any, timings: Mapping[str, Timing]) -> None:
    """Seconds a seed by how many seeds run together, side by side or in groups."""
    curves: dict[str, list[tuple[int, Timing]]] = {}
    for name, timing in timings.items():
        how, _, width = name.partition(": ")
        curves.setdefault(how, []).append((int(width.split()[0]), timing))
    for (how, points), mark in zip(curves.items(), ("o-", "s:", "^:", "v:"), strict=False):
        widths = [width for width, _ in points]
        medians = [DEFAULT_STEPS / timing.rate for _, timing in points]
        axes.plot(widths, medians, mark, color=INK, markersize=4.5, linewidth=1.2, label=how)
        for width, timing in points:
            ends = [DEFAULT_STEPS * s / timing.units for s in (min(timing.seconds), max(timing.seconds))]
            axes.plot([width, width], ends, color=GREY, linewidth=1.6)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False)
    dress(axes, f"Seconds a seed ({DEFAULT_STEPS:,} environment steps) by width", "seeds in a chunk", "x")


def by_seeds(
    axes: Any, title: str, kinds: Sequence[tuple[str, str]], runs: Mapping[str, Sequence[Run]], read: Any
) -> None:
    """A quantity of whole runs by their number of seeds."""
    for (kind, label), mark in zip(kinds, ("o", "s"), strict=True):
        points = [(run.seeds, read(run)) for run in runs[kind] if read(run) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), mark, color=INK, markersize=4.5, label=label, clip_on=False)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8, frameon=False)
    dress(axes, title, "seeds in a run", "x")


@own_style()
def level_picture(rows: Sequence[Row], cpu: str) -> Any:
    """What a step of each level costs, by the size of its grid and by what lies on it.

    Args:
        rows: the levels.
        cpu: what they were measured on.

    Returns:
        A matplotlib figure.
    """
    title = f"MiniGrid's levels, {N_ENVS} environments, {cpu}"
    figure, places = sheet(title, "", (11, 4.6), 2, 2, sharey=True)
    for axes, along, read, ticks in zip(
        places,
        ("cells of the grid", "doors and objects on it"),
        (lambda row: row.cells, lambda row: max(0.5, row.objects)),
        ((25, 50, 100, 200, 400), (1, 2, 5, 10, 20, 40)),
        strict=True,
    ):
        for who, mark, colour in (("ours", "o", INK), ("navix", "x", GREY), ("xminigrid", "^", GREY)):
            points = [(read(row), 1e9 / row.timings[who].rate) for row in rows if who in row.timings]
            if points:
                axes.plot(*zip(*points, strict=True), mark, color=colour, markersize=4.5, label=who)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.legend(fontsize=8, frameon=False)
        dress(axes, "ns of one environment step", along, "x")
    return figure
