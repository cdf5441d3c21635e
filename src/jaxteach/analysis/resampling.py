"""Resampling of seeds within tasks: scores laid out with weights, bootstrap draws, and weighted estimators.

A resample is a weight for every seed (how often it was drawn), so that an estimator is one function of values
and weights, for the scores as they are and for every bootstrap draw alike.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Scores = npt.ArrayLike | Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike]

_BATCH_ELEMENTS = 2**18  # weights held at once: 2 MB, which is also faster than more
_TOLERANCE = 1e-9  # in units of total weight; far below one seed's weight, far above rounding errors


@dataclass(frozen=True)
class Sample:
    """All scores in a row, task by task, ascending within a task (so that the order given never matters).

    Attributes:
        values: [seed] the scores.
        weights: [seed] their weights: equal shares for tasks, equal shares within a task, sum 1.
        sizes: how many seeds each task has.
    """

    values: FloatArray
    weights: FloatArray
    sizes: tuple[int, ...]


def strata(scores: Scores) -> list[FloatArray]:
    """Split scores by task.

    Args:
        scores: one number a seed: a sequence, or for several tasks a 2-D array, a list or dict of sequences.

    Returns:
        One ascending array a task.

    Raises:
        ValueError: if a task has no scores, or one is NaN.
    """
    rows: list[Any]
    if isinstance(scores, Mapping):
        rows = list(scores.values())
    elif isinstance(scores, (list, tuple)):
        rows = list(scores) if scores and np.ndim(scores[0]) > 0 else [scores]
    else:
        array = np.asarray(scores, dtype=np.float64)
        rows = list(array) if array.ndim == 2 else [array]
    tasks = [np.sort(np.asarray(row, dtype=np.float64)) for row in rows]
    if not tasks or any(task.ndim != 1 or task.size == 0 for task in tasks):
        raise ValueError("scores must be one number a seed, at least one seed a task")
    if any(np.isnan(task).any() for task in tasks):
        raise ValueError("scores must not be NaN")
    return tasks


def lay_out(scores: Scores) -> Sample:
    """Lay out scores for the estimators.

    Args:
        scores: as for `strata`.

    Returns:
        The scores in a row, with weights.

    Raises:
        ValueError: as `strata` does.
    """
    tasks = strata(scores)
    weights = [np.full(task.size, 1.0 / (len(tasks) * task.size)) for task in tasks]
    return Sample(np.concatenate(tasks), np.concatenate(weights), tuple(task.size for task in tasks))


def point(sample: Sample, function: Callable[[FloatArray, FloatArray], FloatArray]) -> float:
    """Evaluate an estimator on the scores as they are.

    Args:
        sample: the scores.
        function: one of `ESTIMATORS`.

    Returns:
        The estimate.
    """
    return float(function(sample.values, sample.weights[None])[0])


def batches(total: int, width: int) -> Iterator[slice]:
    """Cut resamples into batches that fit in memory.

    Args:
        total: how many resamples.
        width: how many numbers each holds.

    Yields:
        Consecutive slices of range(total).
    """
    step = max(1, _BATCH_ELEMENTS // width)
    for start in range(0, total, step):
        yield slice(start, min(start + step, total))


def histogram(drawn: IntArray, size: int) -> IntArray:
    """Count how often each of 0..size-1 occurs in each row.

    Args:
        drawn: [row, draw] integers in 0..size-1.
        size: how many values there are.

    Returns:
        [row, size] counts.
    """
    rows = np.arange(drawn.shape[0])[:, None]
    flat = np.bincount((drawn + rows * size).ravel(), minlength=drawn.shape[0] * size)
    return flat.reshape(drawn.shape[0], size)


def resampled(rng: np.random.Generator, sizes: tuple[int, ...], resamples: int) -> Iterator[FloatArray]:
    """Draw seeds anew, with replacement, within each task.

    Args:
        rng: source of the draws.
        sizes: how many seeds each task has.
        resamples: how often to draw them all.

    Yields:
        Batches [resample, seed] of weights: how often each seed was drawn, as shares that sum to 1 in a row.
    """
    for rows in batches(resamples, sum(sizes)):
        count = rows.stop - rows.start
        drawn = [histogram(rng.integers(size, size=(count, size)), size) / size for size in sizes]
        yield np.concatenate(drawn, axis=1) / len(sizes)


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean.

    Args:
        values: [seed] scores.
        weights: [resample, seed] weights; each row sums to 1.

    Returns:
        [resample] means.
    """
    # A seed that was not drawn must not turn an infinite score into NaN.
    total = np.sum(weights * np.where(weights > 0, values, 0.0), axis=-1)
    return np.clip(total, values.min(), values.max())  # rounding may step out: 7 seeds at 1.0 average to 1.0


def weighted_iqm(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted interquartile mean: a seed counts by how much of its weight lies between the quartiles.

    Args:
        values: [seed] scores.
        weights: [resample, seed] weights; each row sums to 1.

    Returns:
        [resample] interquartile means.
    """
    order = np.argsort(values, kind="stable")
    ordered = weights[:, order]
    end = np.cumsum(ordered, axis=-1)
    kept = np.minimum(end, 0.75) - np.maximum(end - ordered, 0.25)
    kept = np.where(kept > _TOLERANCE, kept, 0.0)
    return weighted_mean(values[order], kept / kept.sum(axis=-1, keepdims=True))


def weighted_median(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted median: the score at half the weight; halfway between two if the border falls on it.

    Args:
        values: [seed] scores.
        weights: [resample, seed] weights; each row sums to 1.

    Returns:
        [resample] medians.
    """
    order = np.argsort(values, kind="stable")
    end = np.cumsum(weights[:, order], axis=-1)
    lower = np.argmax(end >= 0.5 - _TOLERANCE, axis=-1)
    upper = np.argmax(end > 0.5 + _TOLERANCE, axis=-1)
    return 0.5 * (values[order][lower] + values[order][upper])


ESTIMATORS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "iqm": weighted_iqm,
    "mean": weighted_mean,
    "median": weighted_median,
}


def percentiles(draws: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Ends of the central part of bootstrap draws, rounded outwards to values that were drawn.

    Args:
        draws: [resample, ...] estimates.
        level: the part between the ends, 0 to 1.

    Returns:
        The lower and the upper end, [...] each.
    """
    tail = (1.0 - level) / 2.0
    low = np.quantile(draws, tail, axis=0, method="lower")
    high = np.quantile(draws, 1.0 - tail, axis=0, method="higher")
    return low, high
