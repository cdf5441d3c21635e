"""`python -m jaxteach.report RUN [RUN ...]`: runs as one HTML page to look at, share and repeat them by."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from jaxteach.cli import parse
from jaxteach.utils.errors import UserError, cli

if TYPE_CHECKING:
    from jaxteach.reporting import Reported

MOST = 2**16
"""Episodes of an audit: kept step by step, more would not fit into memory."""


@dataclass(frozen=True)
class Options:
    """Write one HTML page about runs, finished or stopped: curves, results, audit of the teacher, episodes.

    The page holds all it needs and opens from disk. The audit is written beside it as JSON and CSV.
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN [RUN ...]")]
    """Run folders; several are compared."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The page, .html; by default report.html in the first run folder. Replaced if it exists."""
    window: int = 100
    """Success and return while learning are means over so many episodes last started."""
    band: Literal["iqr", "ci95"] = "iqr"
    """iqr: median and quartiles over seeds; ci95: interquartile mean and its 95 % bootstrap interval."""
    episodes: int = 512
    """Episodes a run in which students are observed for the audit of their teacher; 0: no audit."""
    shown: int = 2
    """Episodes a run to step through; 0: none."""


def main() -> int:
    """Read, play, write; prints the page's path."""
    options = parse(Options, "report")
    out = check(options)
    from jaxteach.analysis import run_note, run_title
    from jaxteach.reporting import describe_runs, learning_series, panel_as_json, read_runs, render_page
    from jaxteach.utils.files import write_atomic
    from jaxteach.utils.jax_setup import versions

    # All that needs no JAX is refused before it is imported.
    reported = read_runs(options.runs)
    runs = [one.run for one in reported]
    panels, short = learning_series(runs, options.window, options.band)
    notes = {one.label: [short[one.label]] if one.label in short else [] for one in reported}
    described = describe_runs(reported, options.window, options.band)
    played, audits = play(reported, options, notes)
    for run in described:
        run["notes"] += notes[run["label"]]
    data = {
        "panels": [panel_as_json(panel) for panel in panels],
        "note": run_note(options.window, options.band),
        "runs": described,
        **played,
    }
    page = render_page(run_title(runs), versions()["jaxteach"], data)
    write_atomic(out, page)
    for audit in audits:
        print(f"{audit['label']}: {in_words(audit)}")
    if audits:
        from jaxteach.reporting.audit import as_csv

        document = json.dumps({"audits": audits}, indent=1, allow_nan=False)
        write_atomic(out.with_suffix(".audit.json"), f"{document}\n".encode())
        write_atomic(out.with_suffix(".audit.csv"), as_csv(audits).encode())
    print(f"{out} ({len(page) / 1000:.0f} kB)")
    return 0


def play(
    reported: "list[Reported]", options: Options, notes: dict[str, list[str]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Audit the teachers and play episodes, as far as the students are there.

    Args:
        reported: the runs.
        options: the command line.
        notes: by run; takes why something could not be played.

    Returns:
        The page's part of it, as JSON values; and the audits, whole.
    """
    if not options.episodes and not options.shown:
        return {"audits": [], "audit_csv": "", "episodes": [], "pictures": []}, []
    from jaxteach.utils.jax_setup import start_jax

    start_jax()
    from jaxteach.reporting.played import play_runs

    def tell(line: str) -> None:
        if sys.stderr.isatty():  # a person waits; in a log the result alone is of use
            print(line, file=sys.stderr, flush=True)

    return play_runs(reported, options.episodes, options.shown, notes, tell)


def in_words(audit: dict[str, Any]) -> str:
    """An audit in one line."""
    wrong = [row["state"] for row in audit["rows"] if row["verdict"] == "wrong"]
    if not wrong:
        return f"no row of {audit['teacher']} was measured to be wrong"
    n = f"{len(wrong)} row{'s' if len(wrong) > 1 else ''}"
    return f"{n} of {audit['teacher']} that students do better without, first {wrong[0]!r}"


def check(options: Options) -> Path:
    """Refuse what cannot be written, before anything slow is imported.

    Returns:
        The page's path.
    """
    if not options.runs:
        raise UserError("no run folder given; try: python -m jaxteach.report runs/NAME")
    if options.window < 1:
        raise UserError(f"--window must be at least 1, not {options.window}")
    for name, value, most in (("episodes", options.episodes, MOST), ("shown", options.shown, 100)):
        if not 0 <= value <= most:
            raise UserError(f"--{name} {value}: must be from 0 to {most}")
    out = options.out or options.runs[0] / "report.html"
    if out.suffix.lower() != ".html":
        raise UserError(f"--out {out}: the page is HTML, name it so (report.html)")
    if options.out is not None and not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}")
    return out


if __name__ == "__main__":
    cli(main)
