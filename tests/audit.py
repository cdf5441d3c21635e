"""A second computation of the numbers that the pages take from committed data: python -m tests.audit [ROOT].

It shares no code with the package or experiments/: NumPy, SciPy and the files alone. The bootstrap is that
which docs/results.md describes: 5000 resamples of the ascending scores, drawn by NumPy's default generator
from seed 0, ends rounded outwards to values drawn. What no committed file carries is named, not passed over.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.audit_statistics import (
    Rows,
    above,
    boot,
    column,
    holm,
    in_tables,
    iqm,
    middle,
    p_value,
    ratio,
    rows_of,
    seeds_of,
)
from tests.audit_tuning import tuning

PAGES = ("README.md", "docs/results.md", "docs/teachers.md")
SETTINGS = re.compile(
    r"\b(0\.8|0\.95|0\.050|lambda of 0\.\d|\d+(\.\d+){2,}|Python >= 3\.\d+|Apache-2.0)\b|arXiv[ \d.]+"
)
"""Decimals that are no results."""
SOURCE = re.compile(r"(jaxteach[ .]|experiments/|\.py\b| --)[^`]*|, issue \d|pull request|github\.com/Z")
ROUNDED = 0.5e-6 + 1.5e-7  # six decimals of means of rates that were float32
TABLE = re.compile(
    r"<!-- table (\w+)(?: of (\w+))?(?: run ([^\n]+?))?(?: against ([^\n]+?))? -->\n(.*?)<!-- end -->",
    re.DOTALL,
)
PLACE = re.compile(r"\{([^{}]+)\}")
SHORT = {
    "success": ("success,",),
    "teacher": ("teacher alone",),
    "budget": ("environment steps",),
    "steps": ("confirmed steps", "steps to 0.8"),
    "steps95": ("to 0.95",),
    "reached": ("seeds confirmed", "seeds that"),
    "ratio": ("steps, as",),
    "above": ("P(",),
    "p": ("p,", "p against"),
    "students": ("students,",),
    "teachers": ("teachers alone",),
    "wrong": ("wrong",),
    "solving": ("tables with students above 0.8",),
    "unlisted": ("unlisted",),
}


def audit(root: Path) -> tuple[list[str], list[str]]:
    """What does not hold, and what cannot be recomputed."""
    wrong: list[str] = []
    gaps: list[str] = []
    results = root / "experiments" / "results"
    for folder in sorted(path.parent for path in results.glob("*/summary.csv")):
        wrong += [f"{folder.name}/{line}" for line in (*hashes(folder), *summary(folder))]
        gaps += [f"{folder.name}: {line}" for line in unknown(folder)]
    wrong += teachers(results)
    sentences = (root / "experiments" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    for page in PAGES:
        text = (root / page).read_text(encoding="utf-8")
        own = [line.partition(": ")[2] for line in sentences if line.startswith(f"{page}: ")]
        wrong += [f"{page}: {line}" for line in (*tables(text, results), *tuning(text, results))]
        if page != "docs/teachers.md":  # its prose is of tables of plans, not of results
            wrong += [f"{page}: {line}" for line in prose(text, own, results)]
    return wrong, gaps


def hashes(folder: Path) -> Iterator[str]:
    """Files that are not those that provenance.json names."""
    for name, digest in json.loads((folder / "provenance.json").read_text())["files"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            yield f"{name}: not the file that provenance.json names"


def summary(folder: Path) -> Iterator[str]:
    """Numbers of summary.csv that the seeds do not give."""
    for row in rows_of(folder / "summary.csv"):
        seeds = seeds_of(folder, row["task"], row["run"])
        for name, number in expected(row, seeds, folder).items():
            text = row.get(name)
            if text is None:
                continue
            given = float(text) if text else np.inf
            if not (given == number or abs(given - number) <= ROUNDED):
                where = f"{row['task']}, {row['run']}: {name}"
                yield f"summary.csv: {where} is {text}, the seeds give {number:.6f}"


def expected(row: dict[str, str], seeds: Rows, folder: Path) -> dict[str, float]:
    """What the seeds give, by the name of the column."""
    success = column(seeds, "success_rate")
    found = {"seeds": len(seeds), "success_iqm": float(iqm(success)), "success_mean": success.mean()}
    whole = in_tables(seeds)
    ends = boot(whole, np.mean) if "tables" in row else boot(success, middle)
    found |= {"success_low": ends[0], "success_high": ends[1]}
    for prefix, share in (("", "reached_0.8"), ("confirmed_", "confirmed_0.8")):
        name = f"{prefix}env_steps_to_0.8"
        if name in seeds[0]:
            steps = column(seeds, name)
            low, high = boot(steps, np.median)
            found |= {name: np.median(steps), f"{name}_low": low, f"{name}_high": high}
            found[share] = np.isfinite(steps).mean()
    if "confirmed_env_steps_to_0.95" in seeds[0]:
        found["confirmed_env_steps_to_0.95"] = np.median(column(seeds, "confirmed_env_steps_to_0.95"))
    if "tables" in row:
        names = {seed["run"] for seed in seeds}
        means = whole if len(names) > 1 else np.array([success.mean()])
        found |= {"tables": len(names), "above_0.8": (means > 0.8).mean()}
    if "tables" in row and "teacher_success" in seeds[0]:
        by_table = {seed["run"]: seed for seed in seeds}
        alone = column(list(by_table.values()), "teacher_success")
        ends = boot(alone, np.mean)
        found |= {"teacher_success": alone.mean(), "teacher_low": ends[0], "teacher_high": ends[1]}
    if "evaluated_on" in row and (file := folder / "transfer.csv.gz").exists():
        key = ("task", "run", "evaluated_on")
        there = column([s for s in rows_of(file) if all(s[k] == row[k] for k in key)], "success_rate")
        ends = boot(there, middle)
        found |= {"transfer_iqm": float(iqm(there)), "transfer_low": ends[0], "transfer_high": ends[1]}
    return found


def unknown(folder: Path) -> Iterator[str]:
    """What pages show of a figure and its committed files do not give."""
    row = rows_of(folder / "summary.csv")[0]
    if "tables" in row and "teacher_success" not in rows_of(folder / "per_seed.csv.gz")[0]:
        yield "teachers alone, table by table, and how many states were wrong on average"
    if "evaluated_on" in row and not (folder / "transfer.csv.gz").exists():
        yield "success of every seed on the other variants"
    runs = json.loads((folder / "provenance.json").read_text())["runs"]
    if (codes := len({run["source_sha256"] for run in runs})) > 1:
        yield f"one digest of code: its runs are of {codes}"
    if "confirmed_0.8" not in row:
        yield "confirmed crossings: the runs were made before, and steps are those to the first window"


def teachers(results: Path) -> Iterator[str]:
    """Teachers whose success alone is not the same in all figures, or not that shipped with the table."""
    shipped = json.loads((results.parents[1] / "teacher_cache" / "success.json").read_text())
    known: dict[tuple[str, str], set[str]] = {}
    for folder in sorted(path.parent for path in results.glob("*/summary.csv")):
        runs = json.loads((folder / "provenance.json").read_text())["runs"]
        by_name = {(run["task"], run["label"]): run for run in runs}
        for row in rows_of(folder / "summary.csv"):
            run = by_name.get((row["task"], row["run"]))
            plain = run and run["teacher"] and not run["corrupt"] and "distill" not in run["command"]
            if plain and row["teacher_success"]:
                key = row["task"], run["teacher"]["sha256"]
                known.setdefault(key, set()).add(row["teacher_success"])
                if ":" not in row["task"] and run["teacher"]["sha256"] in shipped:
                    known[key].add(f"{shipped[run['teacher']['sha256']]['success_rate']:.6f}")
    for (task, digest), rates in known.items():
        if len(rates) > 1:
            yield f"teacher alone, {task}, table {digest[:8]}: {sorted(rates)}"


def tables(page: str, results: Path) -> Iterator[str]:
    """Cells of a page's tables that the results do not give."""
    for figure, task, run, reference, text in TABLE.findall(page):
        folder = results / figure
        if not (folder / "summary.csv").exists():
            continue
        shown = parsed(text)
        rows = [row for row in rows_of(folder / "summary.csv") if task in ("", row["task"])]
        rows = [row for row in rows if run in ("", row["run"])]
        if len(shown) != len(rows):
            yield f"{figure}: {len(shown)} rows, the results have {len(rows)}"
        wanted = [in_words(row) for row in rows]
        for more, words in zip(comparisons(rows, reference, folder), wanted, strict=True):
            words.update(more)
        for cells, words in zip(shown, wanted, strict=False):
            for head, cell in cells.items():
                want = words.get(head)
                if cell != want:
                    yield f"{figure}: {cells['task']}, {cells['run']}: {head}: {cell}, the data give {want}"


def parsed(text: str) -> Rows:
    """A table of a page, a row each, by the heads of the columns."""
    lines = [[c.strip() for c in line.strip("| ").split(" | ")] for line in text.strip().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]] if lines else []


def in_words(row: dict[str, str]) -> dict[str, str]:
    """A row of summary.csv as pages have it, by the beginnings of the heads."""
    kilo = {k: f"{float(v) / 1000:,.1f}k" if v else "never" for k, v in row.items() if "env_steps_to" in k}
    rate = {k: f"{float(v):.3f}" if re.fullmatch(r"[\d.]+", v) else "-" for k, v in row.items()}
    part = {k: f"{float(v):.0%}" for k, v in row.items() if k[:6] in ("reache", "confir", "above_") and v}

    def of(cells: dict[str, str], *names: str) -> str:
        centre, low, high = (cells[name] for name in names)
        return "never" if centre == low == "never" else f"{centre} [{low}, {high}]"

    first = {"task": row["task"], "run": row["run"], "seeds": row["seeds"]}
    if "tables" in row:
        states = f"{row['n_wrong']} of {row['n_states']} states" if row.get("n_wrong") else rate["share"]
        students = of(rate, "success_mean", "success_low", "success_high")
        alone = of(rate, "teacher_success", "teacher_low", "teacher_high")
        return first | {
            "tables with students above 0.8": part["above_0.8"],
            "tables with students above": part["above_teacher"],
            "tables": row["tables"],
            "wrong": states,
            "students, mean [95 %]": students,
            "teachers alone, mean [95 %]": alone,
        }
    if "evaluated_on" in row:
        there = of(rate, "transfer_iqm", "transfer_low", "transfer_high")
        alone = rate["teacher_there"]
        return first | {
            "evaluated on": row["evaluated_on"],
            "success, IQM [95 %]": there,
            "teacher alone": alone,
        }
    kind = "confirmed_env_steps_to_0.8" if "confirmed_0.8" in row else "env_steps_to_0.8"
    steps, reached = of(kilo, kind, f"{kind}_low", f"{kind}_high"), part.get("confirmed_0.8")
    return first | {
        "success, IQM [95 %]": of(rate, "success_iqm", "success_low", "success_high"),
        "teacher alone": rate["teacher_success"],
        "environment steps a seed": f"{int(row.get('env_steps') or 0):,}",
        "confirmed steps to 0.8, median [95 %]": steps,
        "steps to 0.8, median [95 %]": steps,
        "seeds confirmed at 0.8": reached or "",
        "seeds that reach 0.8": part.get("reached_0.8", ""),
        "to 0.95, median": kilo.get("confirmed_env_steps_to_0.95", ""),
        "unlisted": row.get("unlisted", ""),
    }


def comparisons(rows: Rows, reference: str, folder: Path) -> list[dict[str, str]]:
    """Cells that compare the rows of a table, by the beginnings of their heads."""
    found: list[dict[str, str]] = [{} for _ in rows]
    tests: list[tuple[int, float]] = []
    for i, row in enumerate(rows):
        seeds = seeds_of(folder, row["task"], row["run"])
        if "tables" in row:
            found[i] = {"p against no errors, Holm": "-"}
            true = [s for s in seeds_of(folder, row["task"], "noise 0") if s not in seeds]
            if true:
                by_seed = {
                    seed["seed"]: rate for seed, rate in zip(true, column(true, "success_rate"), strict=True)
                }
                groups: dict[str, list[float]] = {}
                for seed in seeds:
                    group = seed["run"] if "/" in seed["run"] else seed["seed"]
                    groups.setdefault(group, []).append(by_seed[seed["seed"]])
                tests.append((i, p_value(in_tables(seeds), np.array([np.mean(g) for g in groups.values()]))))
        elif reference:
            found[i] = dict.fromkeys(
                (f"steps, as a multiple of {reference}'s", "P(ends above it)", "p, Holm: steps; success"), "-"
            )
            base = seeds_of(folder, row["task"], reference)
            if base and row["run"] != reference:
                cells, both = against(row, seeds, base, folder)
                found[i].update(zip(found[i], cells, strict=False))
                tests += [(i, p) for p in both]
    by_row: dict[int, list[str]] = {}
    for (i, _), p in zip(tests, holm([p for _, p in tests]), strict=True):
        by_row.setdefault(i, []).append("<0.001" if p < 0.001 else f"{p:.3f}")
    for i, texts in by_row.items():
        head = "p against no errors, Holm" if "tables" in rows[i] else "p, Holm: steps; success"
        found[i][head] = "; ".join(texts)
    return found


def against(row: dict[str, str], seeds: Rows, base: Rows, folder: Path) -> tuple[list[str], list[float]]:
    """How a run compares with the one of its task that others are compared with: two cells, two p-values."""
    name = max((n for n in seeds[0] if n.endswith("env_steps_to_0.8")), key=len)
    success, base_success = column(seeds, "success_rate"), column(base, "success_rate")
    steps, base_steps = column(seeds, name), column(base, name)
    better, (low, high) = above(success, base_success)
    factor = "-"
    if np.isfinite(np.median(base_steps)):
        centre, ends = ratio(steps, base_steps)
        texts = [f"{n:.2f}" if np.isfinite(n) else "never" for n in (centre, *ends)]
        factor = f"{texts[0]} [{texts[1]}, {texts[2]}]"
        if not np.isfinite(centre):
            runs = json.loads((folder / "provenance.json").read_text())["runs"]
            (command,) = (r["command"] for r in runs if (r["task"], r["label"]) == (row["task"], row["run"]))
            budget = int(command.partition("--env-steps ")[2].split()[0])
            factor = f"more than {budget / np.median(base_steps):.1f}"
    tests = [p_value(steps, base_steps), p_value(success, base_success)]
    return [factor, f"{better:.2f} [{low:.2f}, {high:.2f}]"], tests


def prose(page: str, sentences: list[str], results: Path) -> Iterator[str]:
    """Sentences whose numbers the tables do not give, and numbers that nothing gives.

    A decimal that no results give must stand in a paragraph that names its command, file of code or source;
    tables and blocks of code belong to the paragraph above.
    """
    shown = {found[0]: parsed(found[-1]) for found in TABLE.findall(page) if not found[1] and not found[2]}
    filled = []
    for sentence in sentences:
        parts = PLACE.split(sentence)
        parts[1::2] = [place(address, shown, results) for address in parts[1::2]]
        filled.append(" ".join("".join(parts).split()))
        if (count := " ".join(page.split()).count(filled[-1])) != 1:
            yield f"{count} times, not once: {filled[-1]}"
    rest = re.sub(r"(<!-- table [^\n]*).*?<!-- end -->", r"\1", page, flags=re.DOTALL)
    for paragraph in re.split(r"\n\s*\n(?![|`]|    )", rest):
        flat = " ".join(paragraph.split())
        for text in filled:
            flat = flat.replace(text, "")
        if re.search(r"\d\.\d", SETTINGS.sub("", flat)) and not SOURCE.search(flat):
            yield f"a number without a home: {flat[:90]} ..."


def place(address: str, shown: dict[str, Rows], results: Path) -> str:
    """What a place of a sentence should hold: a cell of a table, or a part of one."""
    figure, task, run, what = address.split("|")
    what, _, which = what.partition(":")
    rows = shown.get(f"fig_{figure}") or [in_words(r) for r in rows_of(results / f"fig_{figure}/summary.csv")]
    for row in rows:
        if row["task"] != task or run not in (row["run"], f"{row['run']} on {row.get('evaluated on')}"):
            continue
        cell = next(v for head in SHORT[what] for k, v in row.items() if k.startswith(head) and v)
        if which in ("steps", "success"):
            return dict(zip(("steps", "success"), cell.split("; "), strict=True))[which]
        if which:
            cell = re.sub(r"^more than | \[.*", "", cell)
        if which == "%":
            return cell.replace("%", " %") if "%" in cell else f"{100 * float(cell):.1f} %"
        return cell
    raise KeyError(address)


def main() -> int:
    """Print what is wrong and what cannot be recomputed."""
    root = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1]
    wrong, gaps = audit(root)
    for line in gaps:
        print(f"no committed file carries: {line}")
    for line in wrong:
        print(f"wrong: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
