"""Run folders, read back: configuration, summary and metrics, checked before they are used."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxteach.analysis.live import Live, read_live
from jaxteach.utils.arrays import read_arrays
from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import read_object
from jaxteach.utils.lock import in_use

COUNTS = ("started", "finished", "succeeded")
PER_UPDATE = ("env_steps", *COUNTS, "return")


@dataclass(frozen=True)
class Run:
    """A training run, as its folder tells it.

    Attributes:
        path: the folder.
        config: config.json.
        summary: summary.json; None if the run was interrupted before it was written.
        metrics: the arrays of metrics.npz: `seed_ids` [seed] and the others [seed, update]; none of a run
            that is told by its log.
        live: metrics.jsonl, where that tells more than metrics.npz: the run is running, or was killed.
    """

    path: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any] | None
    metrics: Mapping[str, npt.NDArray[Any]]
    live: Live | None = None

    @property
    def seeds(self) -> int:
        """How many seeds the metrics hold."""
        return len(self.metrics["seed_ids"]) if self.live is None else self.live.trials

    @property
    def env_steps(self) -> float:
        """Environment steps taken so far, mean over these seeds."""
        if self.live is not None:
            return self.live.env_steps / max(self.seeds, 1)
        steps = self.metrics["env_steps"]
        return float(steps[:, -1].mean()) if steps.size else 0.0

    @property
    def standing(self) -> str:
        """How far a run is that has not ended, and when that was read; empty for one that has."""
        if self.summary is not None:
            return ""
        state = "is still running" if in_use(self.path) else "has not ended, and is not running"
        asked, seeds = self.config.get("env_steps"), self.config.get("seeds")
        of = f" of {asked:,}" if isinstance(asked, int) else ""
        begun = (
            f" of {self.seeds} seeds out of {seeds}" if isinstance(seeds, int) and self.seeds < seeds else ""
        )
        read = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.live.read_at if self.live else None))
        return f"{self.path} {state}: {self.env_steps:,.0f}{of} environment steps a seed{begun}, read {read}"

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
    """Read a run folder, finished, interrupted or still being written.

    Args:
        folder: where a run was saved: it holds config.json; metrics.npz, metrics.jsonl or both; and, if
            finished, summary.json.

    Returns:
        The run.

    Raises:
        UserError: if there is no such folder, it holds no run, or a file in it (named) is damaged.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UserError(f"no such run folder: {path}")
    if not (path / "config.json").is_file():
        raise UserError(f"{path} is not a run folder: it holds no config.json")
    config, file = read_object(path / "config.json"), path / "metrics.npz"
    if (path / "summary.json").exists():
        if not file.is_file():
            raise UserError(f"{path} is not a run folder: it holds no metrics.npz")
        return Run(path, config, read_object(path / "summary.json"), _read_metrics(file))
    metrics = _read_metrics(file) if file.is_file() else {}
    log = path / "metrics.jsonl"
    live = read_live(log, _trials_of(config, path)) if log.is_file() else None
    if not metrics and (live is None or not live.lines):
        raise UserError(
            f"{path} has nothing to show yet: it holds no metrics.npz, and no line in metrics.jsonl"
        )
    # A run that was stopped leaves both; once it goes on, its log is ahead.
    known = metrics["env_steps"][:, -1:].sum() if metrics else -1
    if live is not None and live.lines and live.env_steps > known:
        return Run(path, config, None, {}, live)
    return Run(path, config, None, metrics)


def _trials_of(config: Mapping[str, Any], path: Path) -> Callable[[int], int]:
    """How many trials a chunk of a run has, by its number."""

    def trials(chunk: int) -> int:
        from jaxteach.config import from_json
        from jaxteach.config.sweep import grid

        asked = from_json(dict(config), str(path / "config.json"))
        n = len(grid(asked)) * asked.seeds
        width = asked.seeds_per_chunk or n
        return min(width, n - chunk * width)

    return trials


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
