"""Run folders, read back: configuration, summary and metrics, checked before they are used."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxteach.utils.arrays import read_arrays
from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import read_object

COUNTS = ("started", "finished", "succeeded")
PER_UPDATE = ("env_steps", *COUNTS, "return")


@dataclass(frozen=True)
class Run:
    """A training run, as its folder tells it.

    Attributes:
        path: the folder.
        config: config.json.
        summary: summary.json; None if the run was interrupted before it was written.
        metrics: the arrays of metrics.npz: `seed_ids` [seed] and the others [seed, update].
    """

    path: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    metrics: Mapping[str, npt.NDArray[Any]]

    @property
    def seeds(self) -> int:
        """How many seeds the metrics hold."""
        return len(self.metrics["seed_ids"])

    @property
    def teacher_success_rate(self) -> float | None:
        """The teacher's own success rate, 0 to 1; None if there was no teacher or it was not measured."""
        rate = (self.summary or {}).get("teacher_success_rate")
        if rate is None:
            return None
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise UserError(f"{self.path / 'summary.json'}: teacher_success_rate must be between 0 and 1")
        return float(rate)

    def setting(self, name: str) -> str:
        """Read what was trained, from the summary or else from the configuration.

        Args:
            name: `task`, `student`, `decay`, `teacher` or `preset`.

        Returns:
            Its name; "none" if there is none. A teacher given as a file goes by the file's name.
        """
        source = self.summary if self.summary is not None and name in self.summary else self.config
        value = source.get(name)
        if isinstance(value, Mapping):
            value = value.get("name")
        return "none" if value is None else Path(str(value)).name.removesuffix(".json")


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Read a run folder, finished or interrupted.

    Args:
        folder: where a run was saved: it holds config.json, metrics.npz and, if finished, summary.json.

    Returns:
        The run.

    Raises:
        UserError: if there is no such folder, it holds no run, or a file in it (named) is damaged.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UserError(f"no such run folder: {path}")
    for name in ("config.json", "metrics.npz"):
        if not (path / name).is_file():
            raise UserError(f"{path} is not a run folder: it holds no {name}")
    summary = read_object(path / "summary.json") if (path / "summary.json").exists() else None
    return Run(path, read_object(path / "config.json"), summary, _read_metrics(path / "metrics.npz"))


def _read_metrics(file: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a metrics file, whole, with those that figures need checked."""
    metrics = read_arrays(file, "arrays")
    missing = [name for name in ("seed_ids", *PER_UPDATE) if name not in metrics]
    if missing:
        raise UserError(f"{file} lacks {', '.join(missing)}: it was not written by a training run")
    _check_metrics(file, metrics)
    return metrics


def _check_metrics(file: Path, metrics: Mapping[str, npt.NDArray[Any]]) -> None:
    """Refuse arrays from which no curve follows."""
    shape = metrics["env_steps"].shape
    if len(shape) != 2 or shape[0] == 0 or metrics["seed_ids"].shape != shape[:1]:
        ids = metrics["seed_ids"].shape
        raise UserError(
            f"{file}: env_steps must be [seed, update] for the seeds in seed_ids, not {shape} for {ids}"
        )
    for name in PER_UPDATE:
        array = metrics[name]
        if array.shape != shape or array.dtype.kind not in "iuf":
            raise UserError(f"{file}: {name} must be numbers {shape}, not {array.dtype} {array.shape}")
    for name in ("env_steps", *COUNTS):
        if not np.isfinite(metrics[name]).all():
            raise UserError(f"{file}: {name} holds NaN or infinity")
    if np.any(metrics["env_steps"][:, 1:] < metrics["env_steps"][:, :-1]):
        raise UserError(f"{file}: env_steps must not fall from one update to the next")
    started, finished, succeeded = (metrics[name] for name in COUNTS)
    if np.any((succeeded < 0) | (finished < succeeded) | (started < finished)):
        raise UserError(f"{file}: counts must satisfy 0 <= succeeded <= finished <= started")
