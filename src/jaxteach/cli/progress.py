"""What a person sees of a run: a bar on a terminal, else a line from time to time."""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxteach.cli.results import say

if TYPE_CHECKING:
    from jaxteach.runs import Hooks
    from jaxteach.tracking.listener import Listener
    from jaxteach.training import Progress as Standing
    from jaxteach.utils.signals import Stopping

PLAIN_EVERY = 10.0
"""Seconds between lines where there is no bar."""
DUMB = ("dumb", "unknown")
"""Terminals that cannot move their cursor, as TERM names them."""


def lively(stream: Any) -> bool:
    """Whether a bar can be drawn on a stream: a terminal that moves its cursor, whatever FORCE_COLOR says."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in DUMB


class Bar:
    """Shows what a run is at: what has begun, updates, environment steps a second, success, the time left.

    Args:
        title: what is trained, such as "8 seeds".
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._lively = lively(sys.stdout)
        self._console = Console(force_terminal=self._lively, force_interactive=self._lively)
        self._told = -math.inf  # when the last line was printed
        self._kinds: set[str] = set()  # of lines printed so far
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._lively,
        )
        self._bar = self._progress.add_task(title, total=None, note="")

    def __enter__(self) -> Self:
        if self._lively:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bar as it is; what is printed from now on follows it."""
        if self._lively:
            self._progress.stop()

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        self._told = time.monotonic()
        print(line, flush=True)

    def begin(self, what: str, only_bar: bool = False) -> None:
        """Tell that something begins which takes its time.

        Args:
            what: such as "compiling".
            only_bar: leave it out where there is no bar.
        """
        self._progress.update(self._bar, description=what, total=None, note="", refresh=True)
        if not self._lively and not only_bar:
            self.say(f"{what} ...")

    def evaluation(self, chunk: int, n_chunks: int, n_students: int) -> None:
        """Tell that a chunk is evaluated; in lines at the first, and where there was none for a while."""
        what = f"evaluating chunk {chunk + 1}/{n_chunks}, {n_students} students"
        self._progress.update(self._bar, description=what, note="", refresh=True)
        if self._due("evaluation", PLAIN_EVERY / 2):
            self.say(f"{what} ...")

    def segment(self, standing: "Standing") -> None:
        """Show where training stands."""
        success, rate = standing.point.get("success"), standing.point["env_steps_per_second"]
        chunk = f"chunk {standing.chunk + 1}/{standing.n_chunks}"
        updates = f"update {standing.updates}" + (f"/{standing.all_updates}" if standing.all_updates else "")
        shown = "-" if success is None else f"{success:.3f}"
        note = f"{updates}  {rate:,.0f} env steps/s  success {shown}"
        what = self._title if standing.n_chunks == 1 else chunk  # both would not fit into 80 columns
        self._progress.update(self._bar, description=what, total=1.0, completed=standing.share, note=note)
        if self._due("segment", PLAIN_EVERY):
            left = standing.seconds * (1.0 / max(standing.share, 1e-9) - 1.0)
            self.say(f"{standing.share:4.0%}  {chunk}  {note}  {left:.0f} s left")

    def _due(self, kind: str, seconds: float) -> bool:
        """Whether to print a line: the first of its kind, or there was none for so long; never with a bar."""
        first = kind not in self._kinds
        self._kinds.add(kind)
        return not self._lively and (first or time.monotonic() - self._told >= seconds)


@contextlib.contextmanager
def answer_bar() -> Iterator[Callable[[int, int], None]]:
    """A context in which answers are counted, done and in all, on stderr: a bar, else a line a tenth part."""
    if lively(sys.stderr):
        console = Console(stderr=True, force_terminal=True, force_interactive=True)
        columns = BarColumn(30), TextColumn("{task.description}"), TimeRemainingColumn()
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("")
            yield lambda done, total: progress.update(
                bar, description=f"{done}/{total} answers", completed=done, total=total
            )
        return
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        if (tenth := 10 * done // total) > told:
            print(f"{done}/{total} answers", file=sys.stderr, flush=True)
            told = tenth

    yield tell


def hooks_of(
    bar: Bar, stopping: "Stopping", on_begun: Callable[[Path], None], listener: "Listener | None" = None
) -> "Hooks":
    """What the command does while a run is on its way: it shows progress, and hears signals.

    Args:
        bar: where progress is shown.
        stopping: signals; entered once there is something to lose.
        on_begun: called with the run folder once there is one.
        listener: of a tracker, or None.
    """
    from jaxteach.runs.recipe import WRITING, Hooks

    def on_evaluation(chunk: int, chunks: int, n_trials: int) -> None:
        stopping.after = "the evaluation of this chunk"
        bar.evaluation(chunk, chunks, n_trials)

    def begin(what: str) -> None:
        if what == WRITING:
            stopping.after = "the last files are written"
        bar.begin(what, only_bar=what == WRITING)

    def stop() -> bool:
        stopping.after = "this segment"
        return stopping.asked

    def on_segment(standing: "Standing") -> None:
        bar.segment(standing)
        if listener is not None:
            listener.segment(standing)

    def begun(folder: Path) -> None:
        on_begun(folder)
        if listener is not None:
            listener.begin(folder)

    return Hooks(
        on_segment=on_segment,
        on_evaluation=on_evaluation,
        on_begun=begun,
        notice=say,
        say=bar.say,
        begin=begin,
        stop=stop,
        guard=lambda: stopping,
    )
