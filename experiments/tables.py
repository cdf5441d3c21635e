"""The tables of the pages: rows of summary.csv in words, beside how they compare."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from comparisons import HEADS, Cells, Row, compared, errors_compared, interval, steps_column


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes:
        heads: of the columns.
        lines: cells by column, a row each.
    """

    heads: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    @property
    def markdown(self) -> str:
        """As the page has it; nothing without rows."""
        lines = [self.heads, ("---",) * len(self.heads), *self.lines] if self.lines else []
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def cell(self, task: str, run: str, head: str) -> str:
        """A cell of the first row of a task and a run (of a transfer: "run on variant").

        Args:
            task: the row's.
            run: the row's.
            head: how the column's head begins.

        Raises:
            KeyError: there is no such row or column.
        """
        columns = [i for i, name in enumerate(self.heads) if name.startswith(head)]
        for line in self.lines:
            row = dict(zip(self.heads, line, strict=True))
            names = {row["run"], f"{row['run']} on {row.get('evaluated on')}"}
            if columns and row["task"] == task and run in names:
                return line[columns[0]]
        raise KeyError(f"no {head!r} of {task}, {run}")


def read_table(
    folder: Path, reference: str | None = None, task: str | None = None, run: str | None = None
) -> Table:
    """The table of a figure; empty where there are no results.

    Args:
        folder: the figure's results.
        reference: the run that all others are compared with; None for no comparison.
        task: the one task to show; None for all.
        run: the one run of each task to show; None for all.
    """
    file = folder / "summary.csv"
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines())) if file.exists() else []
    rows = [row for row in rows if task in (None, row["task"]) and run in (None, row["run"])]
    if not rows:
        return Table((), ())
    names = [(row["task"], row["run"]) for row in rows]
    more: Cells = compared(names, reference, folder) if reference else {}
    if "tables" in rows[0]:
        more = errors_compared(names, folder)
    if len(more) == 1:
        more = {}  # of nothing but the reference there is nothing to compare
    lines = [words(row, more) for row in rows]
    return Table(tuple(lines[0]), tuple(tuple(line.values()) for line in lines))


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


def words(row: Row, more: Cells) -> dict[str, str]:
    """A row, by the heads of its columns.

    Args:
        row: of summary.csv.
        more: further cells.
    """
    columns = transfer_cells if "evaluated_on" in row else error_cells if "tables" in row else cells
    named = {"task": row["task"], "run": row["run"], "seeds": row["seeds"], **columns(row)}
    if more:
        heads = more[HEADS]
        named |= dict(zip(heads, more.get((row["task"], row["run"]), ["-"] * len(heads)), strict=True))
    return named


def cells(row: Row) -> dict[str, str]:
    """What most figures show: success in the end, and steps to 0.8, see `steps_column`."""
    found = {
        "success, IQM [95 %]": rates(row, "success_iqm", "success_low", "success_high"),
        "teacher alone": share(row["teacher_success"]),
    }
    if "env_steps" in row:
        found["environment steps a seed"] = f"{int(row['env_steps']):,}"
    steps = interval(*(steps_text(row[f"{steps_column(row)}{end}"]) for end in ("", "_low", "_high")))
    if "confirmed_0.8" in row:
        found["confirmed steps to 0.8, median [95 %]"] = steps
        found["seeds confirmed at 0.8"] = percent(row["confirmed_0.8"])
    else:
        found["steps to 0.8, median [95 %]"] = steps
        found["seeds that reach 0.8"] = percent(row["reached_0.8"])
    if "confirmed_env_steps_to_0.95" in row:
        found["to 0.95, median"] = steps_text(row["confirmed_env_steps_to_0.95"])
    if "unlisted" in row:
        found["unlisted"] = row["unlisted"]
    return found


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


def rates(row: Row, *names: str) -> str:
    """A success rate with its interval."""
    return interval(*(share(row[name]) for name in names))


def share(text: str) -> str:
    """A success rate as the pages show it."""
    return f"{float(text):.3f}" if text else "-"


def percent(text: str) -> str:
    """A share of seeds or tables as the pages show it."""
    return f"{float(text):.0%}"


def steps_text(text: str) -> str:
    """A number of steps, in thousands; "never" for infinity."""
    return f"{float(text) / 1000:,.1f}k" if text else "never"
