"""`python -m jaxteach.plot RUN [RUN ...]`: success and return against environment steps, as a picture."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxteach.cli import parse
from jaxteach.utils.errors import UserError, cli

if TYPE_CHECKING:
    from jaxteach.analysis import Panel, Run

FILES = ("metrics.jsonl", "metrics.npz", "summary.json")
"""Of a run folder: what a picture is drawn from."""


@dataclass(frozen=True)
class Options:
    """Draw success and return while learning against environment steps, of runs that have ended or have not.

    Writes a picture and, beside it, the plotted numbers as CSV; prints the path of the picture.
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN [RUN ...]")]
    """Run folders; several are drawn together."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The picture, .png or .pdf; by default success.png in the first run folder. Replaced if it exists."""
    window: int = 100
    """Success and return are means over so many episodes last started."""
    band: Literal["iqr", "ci95"] = "iqr"
    """iqr: median and quartiles over seeds; ci95: interquartile mean and its 95 % bootstrap interval."""
    watch: bool = False
    """Draw again whenever there is more to see, until the runs end; Ctrl-C ends it before."""
    interval: float = 2.0
    """With --watch: seconds between two looks."""


def read(options: Options) -> "tuple[list[Run], Sequence[Panel]]":
    """Read runs, and what is to be drawn of them.

    Raises:
        UserError: a folder is no run, or a run is too short.
    """
    from jaxteach.analysis import learning_panels, load_run

    runs = [load_run(folder) for folder in options.runs]
    return runs, learning_panels(runs, window=options.window, band=options.band)


def draw(options: Options, runs: "list[Run]", panels: "Sequence[Panel]") -> Path:
    """Draw runs together.

    Args:
        options: as on the command line.
        runs: the runs.
        panels: what is drawn of them.

    Returns:
        The picture's path.

    Raises:
        UserError: the picture cannot be written.
    """
    from jaxteach.analysis import learning_figure, run_note, run_title, save_figure, write_curves

    out = options.out or options.runs[0] / "success.png"
    note = run_note(options.window, options.band, runs)
    save_figure(learning_figure(run_title(runs), note, panels), out)
    write_curves(out.with_suffix(".csv"), panels)
    return out


def watch(options: Options) -> None:
    """Draw runs whenever their files have grown, a line each time, until none of them is running.

    A run of which nothing can be drawn yet is waited for while it is running.

    Args:
        options: as on the command line.

    Raises:
        UserError: the picture cannot be written, or nothing can be drawn and nothing is running.
    """
    from jaxteach.utils.lock import in_use

    seen: list[tuple[int, int]] = []
    while True:
        # In this order: what a run writes before it ends is seen in the last round.
        running = any(in_use(folder) for folder in options.runs)
        now = [_stamp(folder / name) for folder in options.runs for name in FILES]
        if now != seen or not running:
            seen = now
            try:
                runs, panels = read(options)
            except UserError as error:
                if not running:
                    raise
                print(f"waiting: {error}", flush=True)
            else:
                told = "; ".join(run.standing or f"{run.path} has ended" for run in runs)
                print(f"{draw(options, runs, panels)}: {told}", flush=True)
        if not running:
            return
        time.sleep(options.interval)


def _stamp(file: Path) -> tuple[int, int]:
    """What changes whenever a file does."""
    try:
        facts = file.stat()
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns


def check(options: Options) -> None:
    """Refuse what cannot be drawn, before anything slow is imported."""
    if not options.runs:
        raise UserError("no run folder given; try: python -m jaxteach.plot runs/NAME")
    if options.window < 1:
        raise UserError(f"--window must be at least 1, not {options.window}")
    if not 0.1 <= options.interval <= 3600:
        raise UserError(f"--interval {options.interval:g}: must be from 0.1 to 3600 seconds")


def main() -> None:
    """Read the command line and plot."""
    options = parse(Options, "plot")
    check(options)
    if options.watch:
        watch(options)
    else:
        print(os.fspath(draw(options, *read(options))))


if __name__ == "__main__":
    cli(main)
