"""Writes the tables of docs/results.md from the committed results; what stands between them stays."""

import csv
import re
import sys
from pathlib import Path

from common import ROOT

from jaxteach.errors import UserError, cli
from jaxteach.files import write_atomic

PAGE = ROOT / "docs" / "results.md"
RESULTS = ROOT / "experiments" / "results"
SECTION = re.compile(r"(<!-- table (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Rewrite the page; with --check only say whether that would change it."""
    text = PAGE.read_text(encoding="utf-8")
    new = fill(text, RESULTS)
    if "--check" in sys.argv[1:]:
        if new != text:
            raise UserError(f"{PAGE} is not what the results say: run python experiments/report.py")
        return 0
    write_atomic(PAGE, new.encode())
    return 0


def fill(text: str, results: Path) -> str:
    """A page with each of its tables written anew.

    Args:
        text: the page; a table stands between `<!-- table fig_x -->` and `<!-- end -->`.
        results: a folder for each figure, with its summary.csv; a table without one is left empty.
    """

    def table(match: re.Match[str]) -> str:
        file = results / match[2] / "summary.csv"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        rows = list(csv.DictReader(text.splitlines()))
        return f"{match[1]}{markdown(rows)}{match[4]}"

    return SECTION.sub(table, text)


def markdown(rows: list[dict[str, str]]) -> str:
    """Rows of a summary.csv as a table, a row each; nothing if there are none."""
    if not rows:
        return ""
    there = "evaluated_on" in rows[0]
    head = [
        "task",
        "run",
        "seeds",
        *(["evaluated on"] if there else []),
        "success, IQM [95 %]",
        "teacher alone",
    ]
    head += [] if there else ["steps to 0.8, median [95 %]", "seeds that reach 0.8"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        name = "transfer" if there else "success"
        teacher = row["teacher_there" if there else "teacher_success"]
        cells = [row["task"], row["run"], row["seeds"], *([row["evaluated_on"]] if there else [])]
        cells.append(interval(*(share(row[f"{name}_{end}"]) for end in ("iqm", "low", "high"))))
        cells.append(share(teacher) if teacher else "-")
        if not there:
            steps = (steps_text(row[f"env_steps_to_0.8{end}"]) for end in ("", "_low", "_high"))
            cells += [interval(*steps), f"{float(row['reached_0.8']):.0%}"]
        lines.append(cells)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def share(text: str) -> str:
    """A success rate as the page shows it."""
    return f"{float(text):.3f}"


def steps_text(text: str) -> str:
    """A number of steps, in thousands; "never" for infinity."""
    return f"{float(text) / 1000:,.1f}k" if text else "never"


def interval(centre: str, low: str, high: str) -> str:
    """A number with its interval; alone if nothing was reached."""
    return f"{centre} [{low}, {high}]" if centre != "never" or low != "never" else "never"


if __name__ == "__main__":
    cli(main)
