"""Curves for trackio, in its database on this machine ($TRACKIO_DIR): `trackio show --project jaxteach`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def check() -> None:
    """Nothing can be wrong ahead."""


class Trackio:
    """A run of trackio's.

    Args:
        folder: the run's, whose name it has; one that continues is continued.
        config: its configuration.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        import trackio

        self._run = trackio.init(
            project="jaxteach",
            name=folder.name,
            config={name: value for name, value in config.items() if not name.startswith("_")},
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """See `Tracker.log`."""
        self._run.log(dict(values), step=step)

    def end(self, summary: Mapping[str, float]) -> None:
        """See `Tracker.end`."""
        if summary:
            self._run.log({f"summary/{name}": value for name, value in summary.items()})
        self._run.finish()


def open_run(folder: Path, config: Mapping[str, Any]) -> Trackio:
    """See `tracking.open_tracker`."""
    return Trackio(folder, config)
