"""Curves for Weights & Biases; WANDB_MODE=offline keeps them in RUN/wandb until `wandb sync`."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxteach.utils.errors import UserError

WITHOUT_ACCOUNT = ("offline", "disabled")


def check() -> None:
    """Refuse to begin where wandb would ask for a key, or fail for want of one.

    Raises:
        UserError: nobody is logged in.
    """
    import wandb

    if os.environ.get("WANDB_MODE") not in WITHOUT_ACCOUNT and not wandb.login(prompt=False, verify=False):
        raise UserError(
            "--track wandb: nobody is logged in: wandb login, or WANDB_MODE=offline to keep the curves in "
            "the run folder"
        )


class Wandb:
    """A run of wandb's.

    Args:
        folder: the run's, by whose path wandb knows it again.
        config: its configuration.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        import wandb

        self._run = wandb.init(
            project="jaxteach",
            name=folder.name,
            id=hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12],
            resume="allow",
            dir=str(folder),
            config=dict(config),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """See `Tracker.log`."""
        self._run.log(dict(values), step=step)

    def end(self, summary: Mapping[str, float]) -> None:
        """See `Tracker.end`."""
        self._run.summary.update(dict(summary))
        self._run.finish()


def open_run(folder: Path, config: Mapping[str, Any]) -> Wandb:
    """See `tracking.open_tracker`."""
    return Wandb(folder, config)
