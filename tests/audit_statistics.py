"""Statistics of the audit, written apart from the package's: NumPy and SciPy alone."""

import csv
import functools
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import norm, rankdata

DRAWS, LOW, HIGH = 5000, 124, 4875  # 2.5 % and 97.5 % of 0..4999, rounded outwards
HELD = 2**18  # numbers in a batch of draws, which decides their order where two samples are drawn in turn

Rows = list[dict[str, str]]
Pair = tuple[float, float]


def rows_of(file: Path) -> Rows:
    """The rows of a CSV, packed or not."""
    return _parsed(file.read_bytes(), file.suffix == ".gz")


@functools.cache
def _parsed(data: bytes, packed: bool) -> Rows:
    return list(csv.DictReader((gzip.decompress(data) if packed else data).decode().splitlines()))


def column(rows: Rows, name: str) -> np.ndarray:
    """Numbers of a column; infinite where empty."""
    return np.array([float(row[name] or "inf") for row in rows])


def seeds_of(folder: Path, task: str, run: str) -> Rows:
    """The seeds of a run; of a number of errors those of all its tables."""
    runs = {run, "none 0", "none"} if run in ("systematic 0", "noise 0", "states 0") else {run}
    return [
        row
        for row in rows_of(folder / "per_seed.csv.gz")
        if row["task"] == task and (row["run"] in runs or row["run"].startswith(f"{run}/"))
    ]


def in_tables(rows: Rows) -> np.ndarray:
    """Success in the end of what was drawn at random: means of wrong tables, or seeds."""
    names = list(dict.fromkeys(row["run"] for row in rows))
    if len(names) == 1:
        return column(rows, "success_rate")
    return np.array([column([r for r in rows if r["run"] == n], "success_rate").mean() for n in names])


def iqm(x: np.ndarray) -> np.ndarray:
    """The mean of the middle half, along the last axis."""
    n = x.shape[-1]
    kept = np.clip(np.minimum(np.arange(1, n + 1), 0.75 * n) - np.maximum(np.arange(n), 0.25 * n), 0, None)
    return np.sort(x, axis=-1) @ kept / kept.sum()


def interval(draws: np.ndarray) -> Pair:
    """The middle 95 % of draws."""
    ordered = np.sort(draws)
    return float(ordered[LOW]), float(ordered[HIGH])


def drawn(rng: np.random.Generator, x: np.ndarray, count: int = DRAWS) -> np.ndarray:
    """Resamples of ascending scores."""
    return np.sort(x)[rng.integers(x.size, size=(count, x.size))]


def remembered[T](function: Callable[..., T]) -> Callable[..., T]:
    """Keep the results of a function of arrays: the same runs stand in several figures."""
    known: dict[tuple[bytes | Callable[..., np.ndarray], ...], T] = {}

    @functools.wraps(function)
    def once(*given: np.ndarray | Callable[..., np.ndarray]) -> T:
        key = tuple(part.tobytes() if isinstance(part, np.ndarray) else part for part in given)
        if key not in known:
            known[key] = function(*given)
        return known[key]

    return once


@remembered
def boot(x: np.ndarray, estimate: Callable[..., np.ndarray]) -> Pair:
    """The bootstrap interval of an estimate."""
    return interval(estimate(drawn(np.random.default_rng(0), x), axis=-1))


def middle(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """`iqm`, as NumPy's estimates are called."""
    return iqm(x)


@remembered
def above(x: np.ndarray, y: np.ndarray) -> tuple[float, Pair]:
    """P(a seed of x ends above one of y), with its interval; ties count one half."""

    def share(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        one, other = one[:, :, None], other[:, None, :]
        return (np.mean(one > other, axis=(1, 2)) + np.mean(one >= other, axis=(1, 2))) / 2

    rng, found, step = np.random.default_rng(0), [], HELD // (x.size + y.size)
    for start in range(0, DRAWS, step):
        count = min(step, DRAWS - start)
        found.append(share(drawn(rng, x, count), drawn(rng, y, count)))
    return float(share(x[None], y[None])[0]), interval(np.concatenate(found))


@remembered
def ratio(x: np.ndarray, y: np.ndarray) -> tuple[float, Pair]:
    """The ratio of the medians of x and y, with its interval; 1 where neither gets there."""
    rng = np.random.default_rng(0)
    with np.errstate(invalid="ignore"):
        one, other = (np.median(drawn(rng, steps), axis=-1) for steps in (x, y))
        draws = np.where(np.isinf(one) & np.isinf(other), 1.0, one / other)
    return float(np.median(x) / np.median(y)), interval(draws)


@remembered
def p_value(x: np.ndarray, y: np.ndarray) -> float:
    """Mann and Whitney's test, two-sided, by the normal approximation with ties and continuity."""
    ranks, n = rankdata(np.concatenate([x, y])), x.size + y.size
    _, ties = np.unique(ranks, return_counts=True)
    spread = np.sqrt(x.size * y.size / 12 * (n + 1 - np.sum(ties**3.0 - ties) / (n * (n - 1))))
    if spread == 0:
        return 1.0
    excess = abs(ranks[: x.size].sum() - x.size * (n + 1) / 2)
    return float(min(1.0, 2 * norm.sf((excess - 0.5) / spread)))


def holm(p_values: list[float]) -> list[float]:
    """Holm's adjustment: each p-value times how many are at least as large, made monotone."""
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()
