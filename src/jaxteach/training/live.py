"""What is told of a run after each segment: one point, which the bar, metrics.jsonl and trackers show."""

import math
from typing import TYPE_CHECKING

import numpy as np

from jaxteach.analysis import iqm
from jaxteach.training.metrics import LOSSES, UNLISTED, FloatArray

if TYPE_CHECKING:
    from jaxteach.training.train import Progress

LivePoint = dict[str, float]
"""Finite numbers by name; what is not known yet is left out."""
QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}


def live_point(progress: "Progress") -> LivePoint:
    """What a segment has shown.

    Args:
        progress: after the segment.

    Returns:
        Of the run, all chunks together: `env_steps` of all seeds, `seconds` of training and
        `env_steps_per_second`. Of the running chunk: its number `chunk`, its `trials` side by side, its
        `update` and `env_steps_per_seed`; `success` and `return` over the last 100 episodes that each seed
        started, as means over seeds, IQM and quartiles (`success_iqm`, `success_q25`, ...), which are those
        at `known_at` environment steps a seed, for later episodes have not all ended. Of the segment: the
        losses, means over its updates and seeds, and `unlisted`, environment steps in states that the table
        does not list, if any.
    """
    log = progress.log
    recent, latest = log.recent(), log.latest()
    point: LivePoint = {
        "chunk": progress.chunk,
        "trials": len(progress.trials),
        "update": log.n_updates,
        "env_steps": progress.env_steps,
        "env_steps_per_seed": progress.chunk_env_steps / len(progress.trials),
        "seconds": progress.seconds,
        "env_steps_per_second": progress.env_steps / max(progress.seconds, 1e-9),
    }
    if recent is not None:
        point["known_at"] = float(recent.env_steps.mean())
        point |= _over_seeds("success", recent.success) | _over_seeds("return", recent.returns)
    point |= {name: float(np.nanmean(latest[name])) for name in LOSSES if not np.isnan(latest[name]).all()}
    if unlisted := int(np.rint(latest.get(UNLISTED, np.zeros(1)).sum())):
        point[UNLISTED] = unlisted
    return {name: x for name, x in point.items() if math.isfinite(x)}


def _over_seeds(name: str, values: FloatArray) -> LivePoint:
    quartiles = {f"{name}_{which}": float(np.quantile(values, q)) for which, q in QUARTILES.items()}
    return {name: float(values.mean()), f"{name}_iqm": iqm(values), **quartiles}
