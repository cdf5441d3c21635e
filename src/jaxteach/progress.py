"""The progress bar of a training run, and its line-by-line log."""

import math
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from jaxteach.training import Progress as Standing
    from jaxteach.training import RunFolder

PLAIN_EVERY = 10.0
"""Seconds between lines where the output is no terminal."""


class Bar:
    """Shows updates, environment steps a second, success so far and the time left.

    Args:
        title: what is trained, such as "8 seeds".
        folder: metrics.jsonl is written into it.
    """

    def __init__(self, title: str, folder: "RunFolder") -> None:
        self._folder = folder
        self._console = Console()
        self._last_line = 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._bar = self._progress.add_task(title, total=1.0, note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def segment(self, standing: "Standing") -> None:
        """Show and log where training stands."""
        success = standing.log.recent_success()
        rate = standing.env_steps / max(standing.seconds, 1e-9)
        shown = "-" if math.isnan(success) else f"{success:.3f}"
        note = f"update {standing.log.n_updates}  {rate:,.0f} env steps/s  success {shown}"
        self._progress.update(self._bar, completed=standing.share, note=note)
        if not self._console.is_terminal and standing.seconds - self._last_line >= PLAIN_EVERY:
            self._last_line = standing.seconds
            left = standing.seconds * (1.0 / max(standing.share, 1e-9) - 1.0)
            print(f"{standing.share:4.0%}  {note}  {left:.0f} s left", flush=True)
        self._folder.append_line(
            {
                "chunk": standing.chunk,
                "update": standing.log.n_updates,
                "env_steps": standing.env_steps,
                "success": None if math.isnan(success) else success,
                "seconds": standing.seconds,
            }
        )
