"""Confirmed crossings: when a student's success reaches a rate, by evidence that noise does not give.

A single window of episodes at a rate (`curves.env_steps_to_success`) is weak evidence: a student of constant
success 0.70 has, within 8,000 episodes, a window of 100 at 0.8 with probability 0.99. Here the successes in
excess of the rate are summed over the episodes (Page's cumulative sum test). The sum falls while success is
below the rate and rises while it is above. Once it has risen from its lowest value so far by a bound, a
crossing is confirmed: the first window at the rate, from where the sum was lowest. So it looks ahead: a
crossing is known only later, and one so near to the end of a run that the sum cannot rise by the bound is not
confirmed. Confirmed means reached, not kept: a later fall does not undo it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxteach.analysis.curves import THRESHOLDS, WINDOW, counts_of, cumulative, success_while_learning
from jaxteach.analysis.resampling import FloatArray, IntArray
from jaxteach.analysis.statistics import finite_or_none

MARGIN = 0.05
"""Success that is never above the rate less this margin should not cross the rate."""
FALSE_SHARE = 0.01
"""Largest share of runs of `EPISODES` episodes in which it does."""
EPISODES = 8000
"""Episodes of a run, for `FALSE_SHARE`."""


@dataclass(frozen=True)
class Crossing:
    """When seeds crossed a success rate.

    Attributes:
        env_steps: float64 [seed] environment steps up to and including the update of the crossing; infinity
            where none is confirmed.
        known_after: float64 [seed] environment steps up to and including the update in which the last of the
            episodes that confirm it started; infinity where none do.
    """

    env_steps: FloatArray
    known_after: FloatArray


def confirmed_crossings(
    env_steps: npt.ArrayLike,
    started: npt.ArrayLike,
    finished: npt.ArrayLike,
    succeeded: npt.ArrayLike,
    thresholds: Sequence[float] = THRESHOLDS,
    window: int = WINDOW,
) -> dict[str, Crossing]:
    """Find when the success of each seed while learning crosses a threshold, confirmed by later episodes.

    Episodes of one update are taken together. In the sum of the evidence an episode that has not finished
    counts as failed: at the end of a run the long ones, mostly failures, are still running.

    Args:
        env_steps: [seed, update] environment steps of the seed up to and including the update.
        started: int [seed, update] episodes started in the update.
        finished: int [seed, update] how many of those have finished since.
        succeeded: int [seed, update] how many of those succeeded.
        thresholds: success rates, above `MARGIN` and below 1.
        window: episodes to look back on, see `success_while_learning`; the evidence does not depend on it.

    Returns:
        The crossing of each threshold, by its shortest name ("0.5").

    Raises:
        ValueError: if the shapes differ or are not [seed, update], or a threshold or the window is out of
            range.

    >>> counts = [[100, 100, 100]]
    >>> crossing = confirmed_crossings([[10, 20, 30]], counts, counts, [[40, 90, 95]])["0.8"]
    >>> crossing.env_steps.tolist(), crossing.known_after.tolist()
    ([20.0], [30.0])
    """
    success = success_while_learning(started, finished, succeeded, window)
    begun, won = (cumulative(counts) for counts in counts_of(started, succeeded))
    steps = np.asarray(env_steps, dtype=np.float64)
    if steps.shape != success.shape:
        raise ValueError(f"env_steps must be {success.shape}, [seed, update], not {steps.shape}")
    n_seeds, n_updates = steps.shape
    steps = np.concatenate([steps, np.full((n_seeds, 1), np.inf)], axis=1)  # a last column for "never"
    found = {}
    for threshold in thresholds:
        begins, risen = _rise(won - threshold * begun, evidence(threshold))
        later = np.arange(n_updates) >= begins[:, None]
        crossed = _first(later & (success >= threshold))
        seed = np.arange(n_seeds)
        found[f"{threshold:g}"] = Crossing(steps[seed, crossed], steps[seed, np.maximum(crossed, risen)])
    return found


def evidence(threshold: float) -> float:
    """By how many successes more than the threshold demands a crossing is confirmed.

    Where success is p = threshold - `MARGIN`, the expectation of exp(t * (outcome - threshold)) is 1 for one
    t above 0. By Ville's inequality the sum that begins at a given episode then ever rises by b with
    probability at most exp(-t * b), and one of the sums that begin at `EPISODES` episodes with at most that
    many times this probability.

    Args:
        threshold: a success rate, above `MARGIN` and below 1.

    Returns:
        b such that this is `FALSE_SHARE`; at p = threshold + 0.1 it takes about b / 0.1 episodes.

    Raises:
        ValueError: if the threshold is out of range.

    >>> round(evidence(0.8), 1), round(evidence(0.95), 1)
    (22.9, 8.0)
    """
    if not MARGIN < threshold < 1.0:
        raise ValueError(f"a confirmed threshold must be above {MARGIN:g} and below 1, not {threshold:g}")
    p = threshold - MARGIN

    def growth(t: float) -> float:
        """The logarithm of that expectation: convex, 0 at t = 0, where it falls."""
        return float(np.logaddexp(math.log(p) + t, math.log1p(-p))) - t * threshold

    low, high = 0.0, 1.0
    while growth(high) < 0.0:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if growth(middle) < 0.0 else (low, middle)
    return math.log(EPISODES / FALSE_SHARE) / high


def describe_crossings(crossings: Mapping[str, Crossing]) -> dict[str, dict[str, Any]]:
    """Reduce crossings to what summary.json holds.

    Args:
        crossings: by threshold.

    Returns:
        For each threshold the medians over seeds of `env_steps` and `known_after`, where "not confirmed"
        counts as infinity (None if the median is infinite), and `seeds`, how many seeds are confirmed.
    """
    return {
        name: {
            "env_steps": finite_or_none(float(np.median(crossing.env_steps))),
            "known_after": finite_or_none(float(np.median(crossing.known_after))),
            "seeds": int(np.isfinite(crossing.env_steps).sum()),
        }
        for name, crossing in crossings.items()
    }


def _rise(excess: FloatArray, bound: float) -> tuple[IntArray, IntArray]:
    """Find where each seed's excess first rises by a bound above its lowest value so far.

    Args:
        excess: [seed, update + 1] successes in excess before each update, and at the end.
        bound: see `evidence`.

    Returns:
        The first update after the lowest value, and the update after which the excess has risen; [seed] each,
        the number of updates where it never does.
    """
    n_updates = excess.shape[1] - 1
    lowest = np.minimum.accumulate(excess, axis=1)
    # The latest of equally low places, so that updates without an episode are passed over.
    place = np.maximum.accumulate(np.where(excess == lowest, np.arange(n_updates + 1), 0), axis=1)
    risen = _first((excess - lowest >= bound)[:, 1:])
    begins = place[np.arange(len(excess)), np.minimum(risen + 1, n_updates)]
    return np.where(risen < n_updates, begins, n_updates), risen


def _first(holds: npt.NDArray[np.bool_]) -> IntArray:
    """The first update at which something holds, [seed, update] to [seed]; the number of updates if none."""
    n_seeds = holds.shape[0]
    first: IntArray = np.argmax(np.concatenate([holds, np.ones((n_seeds, 1), dtype=bool)], axis=1), axis=1)
    return first
