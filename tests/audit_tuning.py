"""The audit of what was tuned: NumPy alone, and no code of the scripts that wrote it."""

import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

TABLE = re.compile(r"<!-- table tune/(\w+) -->\n(.*?)<!-- end -->", re.DOTALL)


def tuning(page: str, results: Path) -> Iterator[str]:
    """Lines of a page's tables of tuned methods that the committed scores do not give."""
    for task, text in TABLE.findall(page):
        choice = json.loads((results / "tune" / f"{task}.json").read_text())
        shown = [line.strip("| ").split(" | ") for line in text.strip().splitlines()[2:]]
        wanted = list(rows(results / "tune" / f"{task}.csv", choice["env_steps"]))
        yield from (f"tune/{task}: {cells}, the data give {want}" for cells, want in pairs(shown, wanted))
        for method, (point, *_) in chosen(results / "tune" / f"{task}.csv").items():
            if (said := choice["chosen"][method]["point"]) != point:
                yield f"tune/{task}: {method} is said to be best at {said}, not {point}"
        for name, digest in choice["files"].items():
            if hashlib.sha256((results / "tune" / name).read_bytes()).hexdigest() != digest:
                yield f"tune/{name}: not the file that was written"


def pairs(shown: list[list[str]], wanted: list[list[str]]) -> Iterator[tuple[list[str], list[str]]]:
    """Rows that differ, beside what they should be."""
    for i in range(max(len(shown), len(wanted))):
        there, want = shown[i : i + 1], wanted[i : i + 1]
        if there != want:
            yield (there or [[]])[0], (want or [[]])[0]


def chosen(file: Path) -> dict[str, tuple[str, float, float, list[str]]]:
    """By method: the best point, its score, that of the grid's first, and the steps of each of its seeds."""
    methods: dict[str, dict[str, list[dict[str, str]]]] = {}
    with open(file, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            methods.setdefault(row["run"], {}).setdefault(row["point"], []).append(row)
    found = {}
    for method, points in methods.items():
        means = [np.mean([float(row["score"]) for row in own]) for own in points.values()]
        best = list(points)[int(np.argmax(means))]
        steps = [row["confirmed_env_steps_to_0.8"] for row in points[best]]
        found[method] = (best, max(means), means[0], steps)
    return found


def rows(file: Path, budgets: dict[str, int]) -> Iterator[list[str]]:
    """The table's rows as they should be."""
    for method, (point, score, default, steps) in chosen(file).items():
        values = ", ".join(part.replace("=", " ") for part in point.split(","))
        kilo = ", ".join(f"{float(one) / 1000:,.1f}k" if one else "never" for one in steps)
        yield [method, f"{budgets[method]:,}", values, f"{score:.3f}", f"{default:.3f}", kilo]
