"""Curves for TensorBoard, in RUN/tensorboard: `tensorboard --logdir runs` shows all runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def check() -> None:
    """Nothing can be wrong ahead."""


class Tensorboard:
    """Event files in a folder; a run that continues adds another.

    Args:
        folder: theirs.
        config: shown as text.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder))
        self._writer.add_text("config", f"```\n{json.dumps(config, indent=2)}\n```")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """See `Tracker.log`."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def end(self, summary: Mapping[str, float]) -> None:
        """See `Tracker.end`."""
        for name, value in summary.items():
            self._writer.add_scalar(f"summary/{name}", value, 0)
        self._writer.close()


def open_run(folder: Path, config: Mapping[str, Any]) -> Tensorboard:
    """See `tracking.open_tracker`."""
    return Tensorboard(folder / "tensorboard", config)
