"""Committed results, read back so that a figure can be drawn again where its run folders are not."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from comparisons import Row, read_seeds, steps_column

from jaxteach.analysis import Curve
from jaxteach.config import Config
from jaxteach.utils.errors import UserError


@dataclass(frozen=True)
class Committed:
    """What figures draw of a job, see `reporting.Result`.

    Attributes:
        label: the job's.
        config: resolved.
        seeds: rows of per_seed.csv.gz.
        summary: of summary.csv, the first row.
        points: of curves.csv.
    """

    label: str
    config: Config
    seeds: tuple[Row, ...]
    summary: Row
    points: tuple[Row, ...]

    @property
    def confirmed(self) -> bool:
        """Whether `steps_to` tells of confirmed crossings."""
        return steps_column(self.seeds[0]).startswith("confirmed")

    @property
    def task(self) -> str:
        """The task, with its variant."""
        return self.config.task

    @property
    def teacher_success(self) -> float | None:
        """The success rate of the teacher alone."""
        return float(self.summary["teacher_success"]) if self.summary["teacher_success"] else None

    @property
    def unlisted(self) -> int | None:
        """Environment steps, of all seeds, in states outside the teacher's table; None without a table."""
        found = self.summary["unlisted"]
        return int(found) if found else None

    @property
    def success(self) -> np.ndarray:
        """Success rate of every seed in the final evaluation, [seed]."""
        return np.array([float(row["success_rate"]) for row in self.seeds])

    @property
    def budget(self) -> float:
        """Environment steps of a seed."""
        return float(self.config.env_steps or 0)

    def steps_to(self, threshold: float, window: int) -> np.ndarray:
        """Environment steps of every seed to a threshold, confirmed where that was measured, [seed]."""
        name = steps_column(self.seeds[0]).replace("0.8", f"{threshold:g}")
        return np.array([float(row[name] or "inf") for row in self.seeds])

    def curve(self, window: int) -> Curve:
        """Success while learning."""
        columns = ("env_steps", "centre", "low", "high")
        numbers = [np.array([float(row[name]) for row in self.points]) for name in columns]
        return Curve(self.label, len(self.seeds), "ci95", *numbers)


def committed(jobs: Sequence[Any], folder: Path) -> list[Committed]:
    """The committed results of jobs, as far as there are any.

    Args:
        jobs: of a figure.
        folder: the figure's results.

    Raises:
        UserError: there are none.
    """
    from drawing import title_of

    from jaxteach.config import resolve

    if not (folder / "summary.csv").exists():
        raise UserError(f"{folder} holds no results to draw again: run the script without --redraw")
    by_run: dict[tuple[str, str], list[Row]] = {}
    for row in read_seeds(folder / "per_seed.csv.gz"):
        by_run.setdefault((row["task"], row["run"]), []).append(row)
    summary = {(row["task"], row["run"]): row for row in reversed(read_rows(folder / "summary.csv"))}
    points = read_rows(folder / "curves.csv") if (folder / "curves.csv").exists() else []
    found = []
    for job in jobs:
        name = job.config.task, job.label
        if name in by_run:
            title = title_of(job.config.task)
            own = [p for p in points if p["curve"] == job.label and p["panel"].split(", ")[0] == title]
            seeds = tuple(by_run[name])
            found.append(Committed(job.label, resolve(job.config), seeds, summary[name], tuple(own)))
    if not found:
        raise UserError(f"{folder} holds none of the runs that the figure shows today: train them")
    return found


def read_rows(file: Path) -> list[Row]:
    """The rows of a CSV."""
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
