"""Trials: the rows of a chunk. A trial is a seed at one point of a sweep's grid, both in one integer."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def trials_of(n_points: int, seed_ids: Sequence[int] | IntArray) -> IntArray:
    """The trials of a run, point by point; without a sweep a trial is its seed's id.

    Args:
        n_points: points of the grid; 1 without a sweep.
        seed_ids: ids of the seeds, the same at every point.

    Returns:
        int64[point * seed].

    >>> trials_of(2, [0, 7]).tolist()
    [0, 7, 4294967296, 4294967303]
    """
    seeds = np.asarray(seed_ids, np.int64)
    points = np.arange(n_points, dtype=np.int64)
    return (points[:, None] * 2**32 + seeds[None, :]).reshape(-1)  # [point, seed] -> [point * seed]


def seeds_of(trials: IntArray) -> npt.NDArray[np.uint32]:
    """The seed of each trial, u32[trial].

    >>> seeds_of(trials_of(2, [0, 7])).tolist()
    [0, 7, 0, 7]
    """
    return (trials % 2**32).astype(np.uint32)


def points_of(trials: IntArray) -> IntArray:
    """The number of each trial's point, int64[trial].

    >>> points_of(trials_of(2, [0, 7])).tolist()
    [0, 0, 1, 1]
    """
    return trials // 2**32


def pad(trials: IntArray, width: int) -> IntArray:
    """Fill a chunk's trials up to the width by repeating the last one.

    >>> pad(trials_of(1, [3, 4]), 4).tolist()
    [3, 4, 4, 4]
    """
    return np.concatenate([trials, np.repeat(trials[-1:], width - len(trials))])
