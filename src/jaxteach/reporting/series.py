"""Learning curves as the page draws them: success, return, and what else a run measured at every update."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxteach.analysis import Curve, Panel, Run, learning_curve, learning_panels, run_labels, teacher_levels
from jaxteach.analysis.curves import WINDOW, Band
from jaxteach.utils.errors import UserError

FURTHER = {
    "lambda": "weight of the teacher (lambda)",
    "distill": "distillation loss",
    "entropy": "entropy of the student",
    "length": "episode length",
}
"""Metrics drawn besides success and return, by their names in metrics.npz."""

ARRAYS = ("env_steps", "centre", "low", "high")
"""Of a curve."""


def learning_series(
    runs: Sequence[Run], window: int = WINDOW, band: Band = "iqr"
) -> tuple[list[Panel], dict[str, str]]:
    """Reduce runs to panels of curves.

    Args:
        runs: at least one.
        window: episodes that success and return look back on.
        band: what is drawn of the seeds.

    Returns:
        The panels, those without a curve left out; and for each run, by label, that its success cannot be
        drawn, if so.
    """
    labels, short, runs = run_labels(runs), {}, [_finite(run) for run in runs]
    learnt: dict[str, list[Curve]] = {"success rate": [], "return": []}
    for run, label in zip(runs, labels, strict=True):
        try:
            panels = learning_panels([run], window=window, band=band, labels=[label])
        except UserError:  # one run that is too short must not hide the others
            short[label] = (
                f"too short to draw success: at no update had the last {window} episodes of all seeds ended"
            )
            continue
        for panel in panels:
            learnt[panel.name] += panel.curves
    drawn = (
        Panel("success rate", tuple(learnt["success rate"]), teacher_levels(runs)),
        Panel("return", tuple(learnt["return"])),
        *(_further(runs, labels, metric, name, band) for metric, name in FURTHER.items()),
    )
    return [panel for panel in drawn if panel.curves], short


def _finite(run: Run) -> Run:
    """The run with what a diverged seed has made infinite left unknown: no axis can show it."""
    known = {
        name: np.where(np.isfinite(x), x, np.nan) if x.dtype.kind == "f" else x
        for name, x in run.metrics.items()
    }
    return dataclasses.replace(run, metrics=known)


def _further(runs: Sequence[Run], labels: Sequence[str], metric: str, name: str, band: Band) -> Panel:
    """A metric of every update, of the runs that have it and know it for all seeds at once."""
    curves = [_curve(run, label, metric, band) for run, label in zip(runs, labels, strict=True)]
    return Panel(
        name, tuple(curve for curve in curves if curve and curve.env_steps.size and curve.centre.any())
    )


def _curve(run: Run, label: str, metric: str, band: Band) -> Curve | None:
    """One of them; None where the run has no such metric."""
    if run.live is not None:
        return run.live.curve(label, metric, band)
    steps, values = run.metrics["env_steps"], run.metrics.get(metric)
    if values is None or values.shape != steps.shape:
        return None
    return learning_curve(label, steps, values, band)


def panel_as_json(panel: Panel) -> dict[str, Any]:
    """A panel as JSON values, numbers to five digits: more cannot be seen, and would double the file."""

    def curve(one: Curve) -> dict[str, Any]:
        arrays = {name: getattr(one, name) for name in ARRAYS}
        return {"label": one.label, **{name: [short(x) for x in array] for name, array in arrays.items()}}

    return {
        "name": panel.name,
        "along": panel.along,
        "curves": [curve(one) for one in panel.curves],
        "levels": [dataclasses.asdict(level) for level in panel.levels],
    }


def short(x: float | np.floating[Any]) -> float | int:
    """A number to five digits, whole ones whole.

    >>> short(0.123456789), short(491520.0)
    (0.12346, 491520)
    """
    value = float(x)
    return int(value) if value.is_integer() and abs(value) < 2**53 else float(f"{value:.5g}")
