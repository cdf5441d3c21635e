"""`python -m jaxteach.report RUN [RUN ...]`: runs as one HTML page to look at, share and repeat them by."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxteach.cli import parse
from jaxteach.utils.errors import UserError, cli


@dataclass(frozen=True)
class Options:
    """Write one HTML page about runs, finished or stopped: curves, results, audit of the teacher, episodes.

    The page holds all it needs and opens from disk.
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN [RUN ...]")]
    """Run folders; several are compared."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The page, .html; by default report.html in the first run folder. Replaced if it exists."""
    window: int = 100
    """Success and return while learning are means over so many episodes last started."""
    band: Literal["iqr", "ci95"] = "iqr"
    """iqr: median and quartiles over seeds; ci95: interquartile mean and its 95 % bootstrap interval."""


def main() -> int:
    """Read, draw, write; prints the page's path."""
    options = parse(Options, "report")
    out = check(options)
    from jaxteach.analysis import run_note, run_title
    from jaxteach.reporting import describe_runs, learning_series, read_runs, render_page
    from jaxteach.reporting.series import as_json
    from jaxteach.utils.files import write_atomic
    from jaxteach.utils.jax_setup import versions

    reported = read_runs(options.runs)
    runs = [one.run for one in reported]
    panels, short = learning_series(runs, options.window, options.band)
    data = {
        "panels": [as_json(panel) for panel in panels],
        "note": run_note(options.window, options.band),
        "runs": describe_runs(reported, {label: [note] for label, note in short.items()}),
        "audits": [],
        "episodes": [],
        "pictures": [],
    }
    page = render_page(run_title(runs), versions()["jaxteach"], data)
    write_atomic(out, page)
    print(f"{out} ({len(page) / 1000:.0f} kB)")
    return 0


def check(options: Options) -> Path:
    """Refuse what cannot be written, before anything slow is imported.

    Returns:
        The page's path.
    """
    if not options.runs:
        raise UserError("no run folder given; try: python -m jaxteach.report runs/NAME")
    if options.window < 1:
        raise UserError(f"--window must be at least 1, not {options.window}")
    out = options.out or options.runs[0] / "report.html"
    if out.suffix.lower() != ".html":
        raise UserError(f"--out {out}: the page is HTML, name it so (report.html)")
    if options.out is not None and not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}")
    return out


if __name__ == "__main__":
    cli(main)
