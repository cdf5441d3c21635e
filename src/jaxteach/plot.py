"""`python -m jaxteach.plot RUN [RUN ...]`: success and return against environment steps, as a picture."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxteach.cli import parse
from jaxteach.utils.errors import UserError, cli


@dataclass(frozen=True)
class Options:
    """Draw success and return while learning against environment steps, of finished and interrupted runs.

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


def plot(options: Options) -> Path:
    """Draw runs together.

    Args:
        options: as on the command line.

    Returns:
        The picture's path.

    Raises:
        UserError: if a folder is no run, a run is too short, or the picture cannot be written.
    """
    from jaxteach.analysis import figures, learning, load_run

    if not options.runs:
        raise UserError("no run folder given; try: python -m jaxteach.plot runs/NAME")
    if options.window < 1:
        raise UserError(f"--window must be at least 1, not {options.window}")
    out = options.out or options.runs[0] / "success.png"
    runs = [load_run(folder) for folder in options.runs]
    panels = learning.learning_panels(runs, window=options.window, band=options.band)
    note = learning.run_note(options.window, options.band)
    figures.save_figure(figures.learning_figure(learning.run_title(runs), note, panels), out)
    figures.write_curves(out.with_suffix(".csv"), panels)
    return out


def main() -> None:
    """Read the command line and plot."""
    print(os.fspath(plot(parse(Options, "plot"))))


if __name__ == "__main__":
    cli(main)
