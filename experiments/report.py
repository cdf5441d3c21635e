"""Writes the tables of docs/results.md from the committed results; what stands between them stays."""

import csv
import gzip
import json
import re
import sys
from pathlib import Path

import numpy as np
from common import ROOT

from jaxteach.analysis import probability_of_improvement, steps_ratio
from jaxteach.utils.errors import UserError, cli
from jaxteach.utils.files import write_atomic

PAGE = ROOT / "docs" / "results.md"
RESULTS = ROOT / "experiments" / "results"
SECTION = re.compile(r"(<!-- table ([\w/]+)(?: against ([^\n]+?))? -->\n)(.*?)(<!-- end -->)", re.DOTALL)

Row = dict[str, str]


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
        text: the page; a table stands between `<!-- table fig_x -->`, or `<!-- table fig_x against RUN -->`
            for what all runs are compared with, or `<!-- table tune/TASK -->` for what was tuned, and
            `<!-- end -->`.
        results: a folder for each figure, with its summary.csv; a table without one is left empty.
    """

    def table(match: re.Match[str]) -> str:
        head, name, reference, _, end = match.groups()
        if name.startswith("tune/"):
            return f"{head}{tuned(results / name)}{end}"
        file = results / name / "summary.csv"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        rows = list(csv.DictReader(text.splitlines()))
        against = compared(rows, reference, results / name) if rows and reference else {}
        return f"{head}{markdown(rows, against)}{end}"

    return SECTION.sub(table, text)


def tuned(stem: Path) -> str:
    """What `tune.py` chose on a task, a row a method; nothing if the task was not tuned on.

    Args:
        stem: of the two files that it wrote, without a suffix.
    """
    if not stem.with_suffix(".json").exists():
        return ""
    choice = json.loads(stem.with_suffix(".json").read_text())
    rows = list(csv.DictReader(stem.with_suffix(".csv").read_text().splitlines()))
    lines = [["method", "env steps a seed", "chosen", "score", "of the defaults", "steps to 0.8, each seed"]]
    lines.append(["---"] * len(lines[0]))
    for method, one in choice["chosen"].items():
        own = [row for row in rows if (row["run"], row["point"]) == (method, one["point"])]
        steps = [steps_text(row["confirmed_env_steps_to_0.8"]) for row in own]
        scores = f"{one['score']:.3f}", f"{one['default_score']:.3f}"
        values = ", ".join(f"{field} {value:g}" for field, value in one["values"].items())
        lines.append([method, f"{choice['env_steps'][method]:,}", values, *scores, ", ".join(steps)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown(rows: list[Row], against: dict[tuple[str, str], list[str]] | None = None) -> str:
    """Rows of a summary.csv as a table, a row each; nothing if there are none.

    Args:
        rows: of summary.csv.
        against: more cells, by task and run; those of ("", "") are their heads.
    """
    if not rows:
        return ""
    columns = transfer_cells if "evaluated_on" in rows[0] else error_cells if "tables" in rows[0] else cells
    lines = []
    for row in rows:
        named = {"task": row["task"], "run": row["run"], "seeds": row["seeds"], **columns(row)}
        if against:
            heads = against["", ""]
            named |= dict(zip(heads, against.get((row["task"], row["run"]), ["-"] * len(heads)), strict=True))
        if not lines:
            lines = [list(named), ["---"] * len(named)]
        lines.append(list(named.values()))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cells(row: Row) -> dict[str, str]:
    """What most figures show: success in the end, and steps to 0.8, see `steps_column`."""
    steps = interval(*(steps_text(row[f"{steps_column(row)}{end}"]) for end in ("", "_low", "_high")))
    if "confirmed_0.8" in row:
        crossing = {
            "confirmed steps to 0.8, median [95 %]": steps,
            "seeds confirmed at 0.8": percent(row["confirmed_0.8"]),
        }
    else:
        crossing = {
            "steps to 0.8, median [95 %]": steps,
            "seeds that reach 0.8": percent(row["reached_0.8"]),
        }
    return {
        "success, IQM [95 %]": rates(row, "success_iqm", "success_low", "success_high"),
        "teacher alone": share(row["teacher_success"]),
        **crossing,
    }


def steps_column(row: Row) -> str:
    """Where a row tells of steps to 0.8: confirmed; in older results, to the first window at 0.8."""
    confirmed = "confirmed_env_steps_to_0.8"
    return confirmed if confirmed in row else "env_steps_to_0.8"


def transfer_cells(row: Row) -> dict[str, str]:
    """Success where a run was evaluated."""
    return {
        "evaluated on": row["evaluated_on"],
        "success, IQM [95 %]": rates(row, "transfer_iqm", "transfer_low", "transfer_high"),
        "teacher alone": share(row["teacher_there"]),
    }


def error_cells(row: Row) -> dict[str, str]:
    """Success of students and of their teachers, whose tables err."""
    wrong = share(row["share"])
    if row.get("n_wrong"):
        wrong = f"{row['n_wrong']} of {row['n_states']} states"
    return {
        "tables": row["tables"],
        "wrong": wrong,
        "students, mean [95 %]": rates(row, "success_mean", "success_low", "success_high"),
        "teachers alone, mean [95 %]": rates(row, "teacher_success", "teacher_low", "teacher_high"),
        "tables with students above": percent(row["above_teacher"]),
        "tables with students above 0.8": percent(row["above_0.8"]),
    }


def compared(rows: list[Row], reference: str, folder: Path) -> dict[tuple[str, str], list[str]]:
    """How each run compares with one of the same task, from the committed metrics of every seed.

    A run that never got to 0.8 needs at least its whole budget: what it needs is then a lower bound.

    Args:
        rows: of summary.csv.
        reference: the name of the run that all others are compared with.
        folder: the figure's results.

    Returns:
        Two cells by task and run, and their heads at ("", "").
    """
    seeds = per_seed(folder / "per_seed.csv.gz")
    budgets = {
        (run["task"], run["label"]): float(re.search(r"--env-steps (\d+)", run["command"])[1])
        for run in json.loads((folder / "provenance.json").read_text())["runs"]
    }
    found = {("", ""): [f"steps, as a multiple of {reference}'s", "P(ends above it)"]}
    for row in rows:
        name, base = (row["task"], row["run"]), (row["task"], reference)
        if name == base or base not in seeds:
            continue
        success, steps = seeds[name]
        base_success, base_steps = seeds[base]
        better, (low, high) = probability_of_improvement(success, base_success)
        ratio = "-"
        if np.isfinite(np.median(base_steps)):
            centre, ends = steps_ratio(steps, base_steps)
            least = budgets[name] / float(np.median(base_steps))
            ratio = interval(*(times(number) for number in (centre, *ends)))
            ratio = ratio if np.isfinite(centre) else f"more than {least:.1f}"
        found[name] = [ratio, interval(*(f"{number:.2f}" for number in (better, low, high)))]
    return found


def per_seed(file: Path) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """Success rates and steps to 0.8, infinite where never reached, [seed] each, by task and run."""
    rows = csv.DictReader(gzip.decompress(file.read_bytes()).decode().splitlines())
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        pair = float(row["success_rate"]), float(row[steps_column(row)] or "inf")
        found.setdefault((row["task"], row["run"]), []).append(pair)
    return {
        name: (pairs[:, 0], pairs[:, 1]) for name, values in found.items() for pairs in [np.array(values)]
    }


def rates(row: Row, *names: str) -> str:
    """A success rate with its interval."""
    return interval(*(share(row[name]) for name in names))


def share(text: str) -> str:
    """A success rate as the page shows it."""
    return f"{float(text):.3f}" if text else "-"


def percent(text: str) -> str:
    """A share of seeds or tables as the page shows it."""
    return f"{float(text):.0%}"


def times(number: float) -> str:
    """A ratio of steps as the page shows it."""
    return f"{number:.2f}" if np.isfinite(number) else "never"


def steps_text(text: str) -> str:
    """A number of steps, in thousands; "never" for infinity."""
    return f"{float(text) / 1000:,.1f}k" if text else "never"


def interval(centre: str, low: str, high: str) -> str:
    """A number with its interval; alone if nothing was reached."""
    return f"{centre} [{low}, {high}]" if centre != "never" or low != "never" else "never"


if __name__ == "__main__":
    cli(main)
