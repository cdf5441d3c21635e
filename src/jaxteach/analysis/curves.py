"""Learning curves: success and return while learning, steps to a success rate, and bands over seeds.

An episode's outcome is credited to the update in which it started: short successes finish before long
failures do, so that counting what has finished would flatter the student.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from jaxteach.analysis.resampling import FloatArray, IntArray
from jaxteach.analysis.statistics import bootstrap_interval, finite_or_none, iqm

Band = Literal["iqr", "ci95"]

WINDOW = 100
THRESHOLDS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Curve:
    """What is drawn of one method: a centre line and a band over seeds, against environment steps.

    Attributes:
        label: name of the method.
        seeds: how many seeds are behind every point.
        band: `iqr` (median, quartiles) or `ci95` (IQM, its 95 % bootstrap interval).
        env_steps: [point] environment steps a seed, ascending.
        centre: [point] the line.
        low: [point] lower edge of the band.
        high: [point] upper edge of the band.
    """

    label: str
    seeds: int
    band: Band
    env_steps: FloatArray
    centre: FloatArray
    low: FloatArray
    high: FloatArray


def success_while_learning(
    started: npt.ArrayLike, finished: npt.ArrayLike, succeeded: npt.ArrayLike, window: int = WINDOW
) -> FloatArray:
    """Success over the last (at least) `window` episodes started up to and including each update.

    The episodes are those of the fewest whole updates, walking back from the update, that started `window` of
    them. Where there are not yet so many, or one of them has not finished, success is not known: NaN.

    Args:
        started: int [seed, update] episodes started in the update.
        finished: int [seed, update] how many of those have finished since.
        succeeded: int [seed, update] how many of those succeeded.
        window: episodes to look back on, at least 1.

    Returns:
        float64 [seed, update] share of successes, 0 to 1, or NaN.

    Raises:
        ValueError: if the shapes differ or are not [seed, update], or the window is not positive.
    """
    begun, ended, won = counts_of(started, finished, succeeded)
    return _windowed_mean(begun, ended, won.astype(np.float64), window)


def return_while_learning(
    started: npt.ArrayLike, finished: npt.ArrayLike, returns: npt.ArrayLike, window: int = WINDOW
) -> FloatArray:
    """Mean return over the same episodes as `success_while_learning`.

    Args:
        started: int [seed, update] episodes started in the update.
        finished: int [seed, update] how many of those have finished since.
        returns: float [seed, update] mean return of those; ignored (it may be NaN) where none finished.
        window: episodes to look back on, at least 1.

    Returns:
        float64 [seed, update] mean return, or NaN where success is NaN.

    Raises:
        ValueError: if the shapes differ or are not [seed, update], or the window is not positive.
    """
    begun, ended = counts_of(started, finished)
    means = np.asarray(returns, dtype=np.float64)
    if means.shape != begun.shape:
        raise ValueError(f"returns must be {begun.shape}, [seed, update], not {means.shape}")
    totals: FloatArray = np.where(ended > 0, means, 0.0) * ended
    return _windowed_mean(begun, ended, totals, window)


def env_steps_to_success(
    env_steps: npt.ArrayLike,
    started: npt.ArrayLike,
    finished: npt.ArrayLike,
    succeeded: npt.ArrayLike,
    thresholds: Sequence[float] = THRESHOLDS,
    window: int = WINDOW,
) -> dict[str, FloatArray]:
    """Environment steps of each seed at the first update where success while learning reaches a threshold.

    Noise can cross a window's threshold: what is claimed of learning rests on `confirmed_crossings`.

    Args:
        env_steps: [seed, update] environment steps of the seed up to and including the update.
        started: int [seed, update] episodes started in the update.
        finished: int [seed, update] how many of those have finished since.
        succeeded: int [seed, update] how many of those succeeded.
        thresholds: success rates, 0 to 1.
        window: episodes to look back on, at least 1.

    Returns:
        For each threshold, by its shortest name ("0.5"), float64 [seed] steps; infinity where never reached.

    Raises:
        ValueError: if the shapes differ or are not [seed, update], or the window is not positive.
    """
    success = success_while_learning(started, finished, succeeded, window)
    steps = np.asarray(env_steps, dtype=np.float64)
    if steps.shape != success.shape:
        raise ValueError(f"env_steps must be {success.shape}, [seed, update], not {steps.shape}")
    seeds = success.shape[0]
    steps = np.concatenate([steps, np.full((seeds, 1), np.inf)], axis=1)  # a last column for "never"
    found = {}
    for threshold in thresholds:
        reached = np.concatenate([success >= threshold, np.ones((seeds, 1), dtype=bool)], axis=1)
        found[f"{threshold:g}"] = steps[np.arange(seeds), np.argmax(reached, axis=1)]
    return found


def median_env_steps(per_seed: Mapping[str, npt.ArrayLike]) -> dict[str, float | None]:
    """Reduce `env_steps_to_success` to what summary.json holds.

    Args:
        per_seed: for each threshold, [seed] steps; infinity where never reached.

    Returns:
        For each threshold the median over seeds (of an even number, halfway between the middle two), where
        "never" counts as infinity; None if that median is infinite.

    >>> median_env_steps({"0.5": [100, 300], "0.9": [200, float("inf")]})
    {'0.5': 200.0, '0.9': None}
    """
    return {name: finite_or_none(float(np.median(np.asarray(steps)))) for name, steps in per_seed.items()}


def learning_curve(
    label: str, env_steps: npt.ArrayLike, values: npt.ArrayLike, band: Band = "iqr", max_points: int = 250
) -> Curve:
    """Reduce curves of single seeds to one line and a band over seeds.

    Points where the value of any seed is unknown are left out, so that the same seeds are behind all points.
    Seeds whose steps differ are brought to common steps, over the range that all have covered, each by its
    latest value.

    Args:
        label: name of the method.
        env_steps: [seed, update] environment steps of the seed up to and including the update.
        values: float [seed, update], NaN where unknown.
        band: `iqr` for the median and the quartiles, `ci95` for the IQM and its 95 % bootstrap interval.
        max_points: thin the curve, evenly, to at most so many points, the last one kept.

    Returns:
        The curve; without points if no value is known for all seeds.

    Raises:
        ValueError: if the shapes differ, are not [seed, update], or there are no seeds.
    """
    steps, known = np.asarray(env_steps, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if steps.ndim != 2 or steps.shape != known.shape or steps.shape[0] == 0:
        raise ValueError(f"env_steps {steps.shape} and values {known.shape} must be alike, [seed, update]")
    grid, known = _on_common_steps(steps, known)
    complete = np.flatnonzero(~np.isnan(known).any(axis=0))
    if complete.size > max_points:
        complete = complete[np.unique(np.linspace(0, complete.size - 1, max_points).round().astype(int))]
    grid, known = grid[complete], known[:, complete]
    if band == "iqr":
        low, centre, high = np.quantile(known, [0.25, 0.5, 0.75], axis=0)
    else:
        centre = np.array([iqm(point) for point in known.T])
        ends = np.array([bootstrap_interval(point) for point in known.T]).reshape(-1, 2)
        low, high = ends[:, 0], ends[:, 1]
    return Curve(label, known.shape[0], band, grid, centre, low, high)


def counts_of(*arrays: npt.ArrayLike) -> list[IntArray]:
    """Convert counts to int64 and check that all are [seed, update]."""
    counts = [np.asarray(array).astype(np.int64) for array in arrays]
    if counts[0].ndim != 2 or any(array.shape != counts[0].shape for array in counts):
        shapes = ", ".join(str(array.shape) for array in counts)
        raise ValueError(f"counts of episodes must all be [seed, update], of one shape, not {shapes}")
    return counts


def _windowed_mean(started: IntArray, finished: IntArray, totals: FloatArray, window: int) -> FloatArray:
    """Totals an episode over each update's window, NaN where one is short or unfinished: [seed, update]."""
    first = _window_starts(started, window)
    n_started, n_finished = _since(first, started), _since(first, finished)
    means = np.full(started.shape, np.nan)
    np.divide(_since(first, totals), n_started, out=means, where=(first >= 0) & (n_finished == n_started))
    return means


def _window_starts(started: IntArray, window: int) -> IntArray:
    """The latest update to walk back to, so that `window` episodes started since: [seed, update], -1 if none.

    With S[k] the episodes started before update k, that is the largest k with S[k] <= S[u + 1] - window. All
    seeds are searched at once: each raised above the one before it, their rows form one ascending sequence.
    """
    if window < 1:
        raise ValueError(f"the window must be at least one episode, not {window}")
    before = cumulative(started)
    row = np.arange(started.shape[0])[:, None]
    rise = row * (before.max(initial=0) + window + 1)
    wanted = before[:, 1:] - window + rise
    not_above = np.searchsorted((before + rise).ravel(), wanted.ravel(), side="right")
    latest: IntArray = not_above.reshape(wanted.shape) - row * before.shape[1] - 1
    return latest


def cumulative[Number: (np.float64, np.int64)](counts: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Sums over all updates before each, and at the end over all: [seed, update] to [seed, update + 1]."""
    zero = np.zeros((counts.shape[0], 1), dtype=counts.dtype)
    return np.concatenate([zero, np.cumsum(counts, axis=1)], axis=1)


def _since[Number: (np.float64, np.int64)](
    first: IntArray, counts: npt.NDArray[Number]
) -> npt.NDArray[Number]:
    """Sums over the updates from `first` to each update, both included: [seed, update]."""
    before = cumulative(counts)
    return before[:, 1:] - np.take_along_axis(before, np.maximum(first, 0), axis=1)


def _on_common_steps(steps: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bring curves of all seeds to the same environment steps: [point] and [seed, point]."""
    if np.all(steps == steps[0]):
        return steps[0], values
    start, stop = steps[:, 0].max(), steps[:, -1].min()
    grid = np.round(np.linspace(start, stop, steps.shape[1] if start <= stop else 0))
    latest = [np.searchsorted(own, grid, side="right") - 1 for own in steps]
    return grid, np.take_along_axis(values, np.array(latest), axis=1)
