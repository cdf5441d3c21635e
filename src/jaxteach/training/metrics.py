"""Metrics on the host: segments put together to [seed, update] arrays, episodes credited to their start."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

LOSSES = ("lambda", "distill", "entropy", "approx_kl", "policy_loss", "value_loss")
ARRAYS = ("env_steps", "started", "finished", "succeeded", "return", "length", *LOSSES)


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

    def recent_success(self) -> float:
        """Success among the episodes that ended in the last segment, over all seeds; NaN if none did."""
        outcomes = self._segments[-1]["outcomes"].sum(axis=(0, 1, 2))
        return float(outcomes[1] / outcomes[0]) if outcomes[0] else float("nan")

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
    """Stack chunks along the seed axis; one that ended sooner goes on with nothing happening.

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
