"""How runs of a figure compare with one of them: multiples of steps, who ends above, tests under Holm."""

import csv
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import mannwhitneyu

from jaxteach.analysis import probability_of_improvement, steps_ratio

Row = dict[str, str]
Name = tuple[str, str]
"""A task and a run of it."""
Cells = dict[Name, list[str]]
"""Further cells of a table's rows; their heads are at ("", "")."""
HEADS: Name = ("", "")


def compared(rows: Sequence[Name], reference: str, folder: Path) -> Cells:
    """How each run compares with one of the same task, from the committed metrics of every seed.

    A run that never got to 0.8 needs at least its whole budget: what it needs is then a lower bound. The
    table makes two tests a row, of steps and of success in the end; all of them are one family.

    Args:
        rows: task and run of each row.
        reference: the name of the run that all others are compared with.
        folder: the figure's results.

    Returns:
        Three cells a row.
    """
    seeds, budgets = per_seed(folder / "per_seed.csv.gz"), budgets_of(folder / "provenance.json")
    found: Cells = {
        HEADS: [f"steps, as a multiple of {reference}'s", "P(ends above it)", "p, Holm: steps; success"]
    }
    tests: dict[tuple[Name, str], float] = {}
    for name in rows:
        base = (name[0], reference)
        if name == base or base not in seeds:
            continue
        (success, steps), (base_success, base_steps) = seeds[name], seeds[base]
        better, (low, high) = probability_of_improvement(success, base_success)
        ratio = "-"
        if np.isfinite(np.median(base_steps)):
            centre, ends = steps_ratio(steps, base_steps)
            least = budgets[name] / float(np.median(base_steps))
            ratio = interval(*(times(number) for number in (centre, *ends)))
            ratio = ratio if np.isfinite(centre) else f"more than {least:.1f}"
        found[name] = [ratio, interval(*(f"{number:.2f}" for number in (better, low, high)))]
        tests[name, "steps"] = rank_test(steps, base_steps)
        tests[name, "success"] = rank_test(success, base_success)
    adjusted = holm(tests)
    for name in {name for name, _ in tests}:
        found[name].append("; ".join(p_text(adjusted[name, what]) for what in ("steps", "success")))
    return found


def errors_compared(rows: Sequence[Name], folder: Path) -> Cells:
    """Whether students of teachers who err end otherwise than those of the true teacher.

    What is drawn at random counts: a wrong table, by the mean of its seeds, against the mean that the same
    seeds have without errors; or a seed, where there is one table. All rows with errors are one family.

    Args:
        rows: task and run ("states 3", "noise 0.5") of each row.
        folder: the figure's results.

    Returns:
        A cell a row.
    """
    success = {name: rates for name, (rates, _) in per_seed(folder / "per_seed.csv.gz").items()}
    tests: dict[Name, float] = {}
    for task, run in rows:
        true = next(rates for (of, label), rates in success.items() if of == task and label[:4] == "none")
        tables = [
            rates
            for (of, label), rates in success.items()
            if of == task and label.partition("/")[0] == run and label[:4] != "none"
        ]
        if tables:
            size = tables[0].size if len(tables) > 1 else 1
            own = np.concatenate(tables).reshape(-1, size).mean(axis=1)
            tests[task, run] = rank_test(own, true.reshape(-1, size).mean(axis=1))
    return {
        HEADS: ["p against no errors, Holm"],
        **{name: [p_text(p)] for name, p in holm(tests).items()},
    }


def rank_test(x: np.ndarray, y: np.ndarray) -> float:
    """The two-sided p-value of Mann and Whitney's test; infinite steps are the largest, and all alike."""
    if np.unique(np.concatenate([x, y])).size == 1:
        return 1.0
    ranked = np.unique(np.concatenate([x, y]), return_inverse=True)[1]
    return float(mannwhitneyu(ranked[: x.size], ranked[x.size :], method="asymptotic").pvalue)


def holm[K](p_values: Mapping[K, float]) -> dict[K, float]:
    """Adjust the p-values of a family of tests by Holm's method.

    Args:
        p_values: by name.

    Returns:
        The adjusted ones: at most 0.05 where the test survives at a family-wise error of 5 %.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    adjusted, largest = {}, 0.0
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - i)))
        adjusted[name] = largest
    return adjusted


def budgets_of(file: Path) -> dict[Name, float]:
    """Environment steps of a seed, by task and run, as the recorded commands say."""
    return {
        (run["task"], run["label"]): float(re.search(r"--env-steps (\d+)", run["command"])[1])
        for run in json.loads(file.read_text())["runs"]
    }


def per_seed(file: Path) -> dict[Name, tuple[np.ndarray, np.ndarray]]:
    """Success rates and steps to 0.8, infinite where never reached, [seed] each, by task and run."""
    found: dict[Name, list[tuple[float, float]]] = {}
    for row in read_seeds(file):
        pair = float(row["success_rate"]), float(row[steps_column(row)] or "inf")
        found.setdefault((row["task"], row["run"]), []).append(pair)
    return {
        name: (pairs[:, 0], pairs[:, 1]) for name, values in found.items() for pairs in [np.array(values)]
    }


def read_seeds(file: Path) -> list[Row]:
    """The rows of a per_seed.csv.gz, a seed each."""
    return list(csv.DictReader(gzip.decompress(file.read_bytes()).decode().splitlines()))


def steps_column(row: Mapping[str, str]) -> str:
    """Where a row tells of steps to 0.8: confirmed; in older results, to the first window at 0.8."""
    confirmed = "confirmed_env_steps_to_0.8"
    return confirmed if confirmed in row else "env_steps_to_0.8"


def p_text(p: float) -> str:
    """A p-value as the pages show it."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def times(number: float) -> str:
    """A ratio of steps as the pages show it."""
    return f"{number:.2f}" if np.isfinite(number) else "never"


def interval(centre: str, low: str, high: str) -> str:
    """A number with its interval; alone if nothing was reached."""
    return f"{centre} [{low}, {high}]" if centre != "never" or low != "never" else "never"
