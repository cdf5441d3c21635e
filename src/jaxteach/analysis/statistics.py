"""Statistics over seeds: interquartile means and bootstrap intervals, in NumPy, the same at every call.

Scores are one number a seed. They may be given for one task (a 1-D sequence) or for several (a 2-D
[task, seed] array, a list with one sequence a task, or a dict from task to sequence; tasks may have
different numbers of seeds). Every task weighs the same, and every seed of a task weighs the same.
Bootstraps are stratified: seeds are drawn anew within each task, never across tasks.

Source: Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS 2021.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

from jaxteach.analysis.resampling import (
    ESTIMATORS,
    FloatArray,
    IntArray,
    Scores,
    batches,
    histogram,
    lay_out,
    percentiles,
    point,
    resampled,
    strata,
    weighted_iqm,
    weighted_mean,
    weighted_median,
)

EstimatorName = Literal["iqm", "mean", "median"]

RESAMPLES = 5000


class Statistic(TypedDict):
    """What every run reports of a number that each seed has: `ci95` is the 95 % interval of the IQM."""

    mean: float
    iqm: float
    ci95: list[float]
    n: int


class SampleEfficiency(TypedDict):
    """Environment steps to a goal over seeds; None stands for "infinite": not reached within the run."""

    median: float | None
    ci95: list[float | None]
    reached: float
    n: int


@dataclass(frozen=True)
class Profile:
    """The share of seeds whose score lies above each threshold, with a pointwise bootstrap interval.

    Attributes:
        taus: [threshold] the thresholds, as given.
        share: [threshold] share of seeds above, 0 to 1.
        low: [threshold] lower end of the interval.
        high: [threshold] upper end of the interval.
    """

    taus: FloatArray
    share: FloatArray
    low: FloatArray
    high: FloatArray


def iqm(scores: Scores) -> float:
    """Interquartile mean: the mean of the middle half of the weight.

    Exactly a quarter of the weight is cut at each end, so a seed on the border counts in part: of 5 seeds,
    1.25 are cut at each end and (0.75 b + c + 0.75 d) / 2.5 remains. With a multiple of 4 seeds this equals
    rliable's IQM, which is `scipy.stats.trim_mean(x, 0.25)`. At other numbers those round down what they cut
    (of 5 seeds, 1 at each end; of 3, none, a plain mean); this one follows the definition at every number of
    seeds and under unequal weights.

    Args:
        scores: see the module's docstring; infinite scores are allowed.

    Returns:
        The interquartile mean over all tasks together.

    Raises:
        ValueError: if there are no scores or one is NaN.

    >>> iqm([1, 2, 4, 100]), iqm([0, 2, 3, 4, 100])
    (3.0, 3.0)
    """
    return point(lay_out(scores), weighted_iqm)


def mean(scores: Scores) -> float:
    """Mean over tasks of the mean over a task's seeds.

    Args:
        scores: see the module's docstring.

    Returns:
        The mean.

    Raises:
        ValueError: if there are no scores or one is NaN.
    """
    return point(lay_out(scores), weighted_mean)


def bootstrap_interval(
    scores: Scores,
    estimator: EstimatorName = "iqm",
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Stratified percentile bootstrap interval of an estimator.

    The ends are resampled values, rounded outwards, never interpolated: so infinite scores are allowed.
    The order in which a task's seeds are listed does not matter, and equal arguments give equal results.

    Args:
        scores: see the module's docstring.
        estimator: `iqm`, `mean` or `median`.
        level: the interval's coverage.
        resamples: how many times the seeds are drawn anew.
        seed: of the random draws.

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: if there are no scores or one is NaN.
    """
    sample, function = lay_out(scores), ESTIMATORS[estimator]
    rng = np.random.default_rng(seed)
    draws = [function(sample.values, weights) for weights in resampled(rng, sample.sizes, resamples)]
    low, high = percentiles(np.concatenate(draws), level)
    return float(low), float(high)


def statistic(per_seed: Scores, *, resamples: int = RESAMPLES, seed: int = 0) -> Statistic:
    """Summarise a number that every seed has, as all result files do.

    Args:
        per_seed: finite scores, see the module's docstring; one seed is enough (its interval is a point).
        resamples: how many bootstrap resamples.
        seed: of the bootstrap.

    Returns:
        Mean, IQM, the 95 % bootstrap interval of the IQM, and the number of seeds (over all tasks).

    Raises:
        ValueError: if there are no scores or one is NaN or infinite.
    """
    sample = lay_out(per_seed)
    if not np.isfinite(sample.values).all():
        raise ValueError("scores must be finite; summarise steps to a goal with sample_efficiency")
    low, high = bootstrap_interval(per_seed, "iqm", resamples=resamples, seed=seed)
    return {
        "mean": point(sample, weighted_mean),
        "iqm": point(sample, weighted_iqm),
        "ci95": [low, high],
        "n": sample.values.size,
    }


def probability_of_improvement(
    x: Scores, y: Scores, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """How likely a random seed of x scores above a random seed of y on the same task; a tie counts one half.

    Args:
        x: scores where higher is better (swap x and y for steps to a goal), see the module's docstring.
        y: scores to compare with, for the same tasks in the same order (dicts: the same names).
        level: coverage of the interval.
        resamples: how many bootstrap resamples; x and y are drawn independently, within tasks.
        seed: of the bootstrap.

    Returns:
        The probability, averaged over tasks, and its bootstrap interval (lower, upper).

    Raises:
        ValueError: if the tasks differ, there are no scores or one is NaN.
    """
    if isinstance(x, Mapping) and isinstance(y, Mapping):
        if x.keys() != y.keys():
            raise ValueError(f"x and y hold different tasks: {sorted(x)} and {sorted(y)}")
        y = {task: y[task] for task in x}
    tasks_x, tasks_y = strata(x), strata(y)
    if len(tasks_x) != len(tasks_y):
        raise ValueError(f"x holds {len(tasks_x)} tasks and y {len(tasks_y)}")
    rng = np.random.default_rng(seed)
    share, draws = 0.0, np.zeros(resamples)
    for one, other in zip(tasks_x, tasks_y, strict=True):
        # Scores become ranks among the distinct values, so a resample is a histogram over them.
        distinct, ranks = np.unique(np.concatenate([one, other]), return_inverse=True)
        ranks_one, ranks_other = ranks[: one.size], ranks[one.size :]
        share += float(_superiority(ranks_one[None], ranks_other[None], distinct.size)[0])
        for rows in batches(resamples, one.size + other.size):
            count = rows.stop - rows.start
            drawn = ranks_one[rng.integers(one.size, size=(count, one.size))]
            against = ranks_other[rng.integers(other.size, size=(count, other.size))]
            draws[rows] += _superiority(drawn, against, distinct.size)
    low, high = percentiles(draws / len(tasks_x), level)
    return share / len(tasks_x), (float(low), float(high))


def sample_efficiency(steps: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> SampleEfficiency:
    """Summarise the environment steps every seed of a task needed to reach a goal.

    Args:
        steps: [seed] environment steps; infinity where the goal was never reached.
        resamples: how many bootstrap resamples.
        seed: of the bootstrap.

    Returns:
        The median over seeds and its 95 % bootstrap interval (None where infinite; halfway between a number
        and never is never), the share of seeds that reached the goal, and the number of seeds.

    Raises:
        ValueError: if there are no seeds or one is NaN.

    >>> sample_efficiency([100, 300, float("inf")])["median"]
    300.0
    """
    (per_seed,) = strata(np.asarray(steps, dtype=np.float64).reshape(1, -1))
    low, high = bootstrap_interval(per_seed, "median", resamples=resamples, seed=seed)
    return {
        "median": finite_or_none(np.median(per_seed)),
        "ci95": [finite_or_none(low), finite_or_none(high)],
        "reached": float(np.isfinite(per_seed).mean()),
        "n": per_seed.size,
    }


def steps_ratio(
    x: npt.ArrayLike, y: npt.ArrayLike, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """How many times as many environment steps to a goal x takes as y: the ratio of the medians over seeds.

    Args:
        x: [seed] environment steps; infinity where the goal was never reached.
        y: the same of what is compared with; its median must be finite.
        level: coverage of the interval.
        resamples: how many bootstrap resamples; x and y are drawn independently.
        seed: of the bootstrap.

    Returns:
        The ratio, infinite if x never gets there, and its bootstrap interval (lower, upper).

    Raises:
        ValueError: if there are no seeds, one is NaN, or half of y never gets there.

    >>> steps_ratio([300, 300, 300], [100, 100, 100])
    (3.0, (3.0, 3.0))
    """
    (one,), (other,) = (strata(np.asarray(steps, np.float64).reshape(1, -1)) for steps in (x, y))
    if not np.isfinite(np.median(other)):
        raise ValueError("y never reaches the goal: nothing can be compared with it")
    rng = np.random.default_rng(seed)
    medians = [
        np.concatenate([weighted_median(steps, w) for w in resampled(rng, (steps.size,), resamples)])
        for steps in (one, other)
    ]
    # Where neither gets there, neither is the faster.
    with np.errstate(invalid="ignore"):
        draws = np.where(np.isinf(medians[0]) & np.isinf(medians[1]), 1.0, medians[0] / medians[1])
    low, high = percentiles(draws, level)
    return float(np.median(one) / np.median(other)), (float(low), float(high))


def performance_profile(
    scores: Scores, taus: npt.ArrayLike, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Profile:
    """Share of seeds that score above (not at) each threshold, averaged over tasks.

    Args:
        scores: see the module's docstring.
        taus: [threshold] thresholds.
        level: coverage of the pointwise interval.
        resamples: how many bootstrap resamples.
        seed: of the bootstrap.

    Returns:
        The profile.

    Raises:
        ValueError: if there are no scores or one is NaN.
    """
    sample, thresholds = lay_out(scores), np.atleast_1d(np.asarray(taus, dtype=np.float64))
    above = (sample.values[:, None] > thresholds[None, :]).astype(np.float64)  # [seed, threshold]
    rng = np.random.default_rng(seed)
    draws = np.concatenate([weights @ above for weights in resampled(rng, sample.sizes, resamples)])
    low, high = percentiles(draws, level)
    return Profile(thresholds, sample.weights @ above, low, high)


def finite_or_none(value: float) -> float | None:
    """Write a number as JSON can hold it.

    Args:
        value: any number of steps.

    Returns:
        The number, or None for infinity.
    """
    return float(value) if np.isfinite(value) else None


def _superiority(x: IntArray, y: IntArray, size: int) -> FloatArray:
    """P(x > y) + P(x = y) / 2 in each row: ranks in 0..size-1, [resample, seed] each, to [resample]."""
    drawn, against = histogram(x, size), histogram(y, size)
    below = np.cumsum(against, axis=-1) - against
    wins = np.sum(drawn * (2 * below + against), axis=-1)  # in halves, so that it stays an integer
    share: FloatArray = wins / (2.0 * x.shape[-1] * y.shape[-1])
    return share
