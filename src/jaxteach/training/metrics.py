"""Metrics on the host: segments put together to [seed, update] arrays, episodes credited to their start."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxteach.analysis.curves import WINDOW, return_while_learning, success_while_learning

FloatArray = npt.NDArray[np.float64]

LOSSES = ("lambda", "distill", "entropy", "approx_kl", "policy_loss", "value_loss")
UNLISTED = "unlisted"
"""Environment steps of an update, while lambda was positive, in states that the table does not list."""
ARRAYS = ("env_steps", "started", "finished", "succeeded", "return", "length", *LOSSES, UNLISTED)


@dataclass(frozen=True)
class Recent:
    """How students have been doing lately, each over the last episodes that it started.

    Attributes:
        env_steps: float64[seed], environment steps up to the update of which the rest is known.
        success: float64[seed], 0 to 1.
        returns: float64[seed], mean return.
    """

    env_steps: FloatArray
    success: FloatArray
    returns: FloatArray


class MetricsLog:
    """The metrics of one chunk as they come in, segment by segment.

    Args:
        n_seeds: seeds of the chunk that count (padding left out).
        so_far: what `raw` gave when the chunk was left.
    """

    def __init__(self, n_seeds: int, so_far: dict[str, npt.NDArray[Any]] | None = None) -> None:
        self._n_seeds = n_seeds
        self._segments: list[dict[str, npt.NDArray[Any]]] = [] if so_far is None else [so_far]

    @property
    def n_updates(self) -> int:
        """Updates logged so far."""
        return sum(len(segment["env_steps"]) for segment in self._segments)

    def add(self, segment: dict[str, Any]) -> None:
        """Append a segment's metrics, [update, seed, ...] each."""
        self._segments.append({name: np.asarray(x)[:, : self._n_seeds] for name, x in segment.items()})

    def latest(self) -> dict[str, npt.NDArray[Any]]:
        """The latest segment's metrics, [update, seed, ...] each."""
        return self._segments[-1]

    def recent(self, window: int = WINDOW) -> Recent | None:
        """Success and return as figures show them, at the latest update at which all seeds' are known.

        Of the last `window` episodes that a seed has started. Those that have ended lately would flatter the
        students, for success ends an episode sooner than failure does.

        Args:
            window: episodes of a seed to look back on.

        Returns:
            What is known; None while nothing is.
        """
        n_lags = self._segments[-1]["outcomes"].shape[2]
        tail = 4 * n_lags
        while True:  # the more updates the longer it takes, and the last few will mostly do
            started, outcomes = self._last("started", tail), self._last("outcomes", tail)
            ended, succeeded, returned = np.moveaxis(credit_to_start(outcomes)[..., :3], -1, 0)
            ended, succeeded = np.rint(ended), np.rint(succeeded)
            rates = success_while_learning(started, ended, succeeded, window)
            known = np.flatnonzero(~np.isnan(rates).any(axis=0))
            if known.size:
                at = known[-1]
                means = returned / np.maximum(ended, 1.0)
                gains = return_while_learning(started, ended, means, window)
                steps = self._last("env_steps", tail)[:, at].astype(np.float64)
                return Recent(steps, rates[:, at], gains[:, at])
            if tail >= self.n_updates:
                return None
            tail *= 2

    def _last(self, name: str, n_updates: int) -> npt.NDArray[Any]:
        """A metric of the last updates, or of all if there are fewer: [seed, update, ...]."""
        taken, arrays = 0, []
        for segment in reversed(self._segments):
            arrays.append(segment[name][-(n_updates - taken) :])
            taken += len(arrays[-1])
            if taken == n_updates:
                break
        return np.concatenate(arrays[::-1]).swapaxes(0, 1)

    def raw(self) -> dict[str, npt.NDArray[Any]]:
        """All metrics so far as they came in, [update, seed, ...] each."""
        return {
            name: np.concatenate([segment[name] for segment in self._segments]) for name in self._segments[0]
        }

    def diverged_at(self) -> npt.NDArray[np.int64]:
        """The update in which each seed diverged, int64[seed]; -1 for those that have not."""
        dead = ~np.concatenate([segment["alive"] for segment in self._segments])  # [update, seed]
        return np.where(dead.any(axis=0), dead.argmax(axis=0), -1).astype(np.int64)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All metrics so far, [seed, update] each.

        Outcomes of episodes are credited to the update in which the episode began; `return` and
        `length` are means over those that have finished, NaN where none has. So is whatever else was
        measured of a seed in an update in which it took no steps, having finished before others did.
        """
        joined = {name: array.swapaxes(0, 1) for name, array in self.raw().items()}
        credited = credit_to_start(joined["outcomes"])  # [seed, update, 4]
        finished = credited[..., 0]
        env_steps = joined["env_steps"].astype(np.int64)
        took_part = np.diff(env_steps, axis=1, prepend=0) > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            means = credited[..., 2:] / finished[..., None]
        return {
            "env_steps": env_steps,
            "started": joined["started"].astype(np.int64),
            "finished": np.rint(finished).astype(np.int64),
            "succeeded": np.rint(credited[..., 1]).astype(np.int64),
            "return": means[..., 0],
            "length": means[..., 1],
            **{name: np.where(took_part, joined[name].astype(np.float64), np.nan) for name in LOSSES},
            # A run begun before this was counted continues without.
            **({UNLISTED: np.rint(joined[UNLISTED]).astype(np.int64)} if UNLISTED in joined else {}),
        }


def credit_to_start(outcomes: npt.NDArray[Any]) -> FloatArray:
    """Move outcomes from the update in which episodes ended to the one in which they began.

    Args:
        outcomes: [seed, update, lag, fact], by how many updates ago the episode began.

    Returns:
        float64 [seed, update, fact].

    >>> ended = np.zeros((1, 3, 2, 1))
    >>> ended[0, 2, 1, 0] = 5  # five episodes ended in update 2 and had begun one update before
    >>> credit_to_start(ended)[0, :, 0].tolist()
    [0.0, 5.0, 0.0]
    """
    n_updates, n_lags = outcomes.shape[1:3]
    credited = np.zeros((outcomes.shape[0], n_updates, outcomes.shape[3]))
    for lag in range(min(n_lags, n_updates)):
        credited[:, : n_updates - lag] += outcomes[:, lag:, lag]
    return credited


def join_chunks(chunks: list[dict[str, npt.NDArray[Any]]]) -> dict[str, npt.NDArray[Any]]:
    """Stack chunks along the seed axis; one that ended sooner continues with nothing happening.

    Args:
        chunks: [seed, update] arrays; updates may differ.

    Returns:
        The arrays with as many updates as the longest chunk has.
    """
    n_updates = max(chunk["env_steps"].shape[1] for chunk in chunks)

    def padded(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        missing = n_updates - array.shape[1]
        if not missing:
            return array
        if name == "env_steps":
            return np.concatenate([array, np.repeat(array[:, -1:], missing, axis=1)], axis=1)
        fill = 0 if array.dtype.kind == "i" else np.nan
        return np.concatenate([array, np.full((len(array), missing), fill, array.dtype)], axis=1)

    return {name: np.concatenate([padded(name, chunk[name]) for chunk in chunks]) for name in chunks[0]}
