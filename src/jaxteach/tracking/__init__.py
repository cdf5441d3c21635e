"""Trackers that a run's curves can be sent to: optional packages, imported when they are asked for."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from jaxteach.utils.errors import UserError
from jaxteach.utils.registry import own

Name = Literal["tensorboard", "trackio", "wandb"]
PACKAGES: dict[str, str] = {"tensorboard": "tensorboardX", "trackio": "trackio", "wandb": "wandb"}
"""What each needs, as it is imported and installed."""


class Tracker(Protocol):
    """Where curves go."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve.

        Args:
            step: updates so far, all chunks together.
            values: see `training.live.live_point`.
        """

    def end(self, summary: Mapping[str, float]) -> None:
        """Close it.

        Args:
            summary: the run's result; empty if it was stopped, and may go on.
        """


def check_tracker(name: Name) -> None:
    """Refuse a tracker that cannot be used, before anything is computed.

    Raises:
        UserError: it is not installed, or not logged in.
    """
    package = PACKAGES[name]
    if importlib.util.find_spec(package) is None:
        raise UserError(f"--track {name}: {package} is not installed: pip install {package}")
    own(f"jaxteach.tracking.to_{name}:check")()


def open_tracker(name: Name, folder: Path, config: Mapping[str, Any]) -> Tracker:
    """Open a tracker for a run; one that continues adds to what is there, where the tracker can.

    Args:
        name: which.
        folder: the run's.
        config: its configuration, nested.
    """
    tracker: Tracker = own(f"jaxteach.tracking.to_{name}:open_run")(folder, config)
    return tracker
