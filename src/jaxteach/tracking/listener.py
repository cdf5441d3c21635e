"""What a tracker gets: a point after each segment, the result in the end; and that it can never end a run."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxteach.tracking import Name, Tracker, open_tracker
from jaxteach.utils.errors import one_line

if TYPE_CHECKING:
    from jaxteach.training import Progress


class Listener:
    """Sends a run's curves to a tracker until that fails once.

    Args:
        name: the tracker's.
        config: the run's configuration, nested.
        notice: gets the line that says so.
    """

    def __init__(self, name: Name, config: Mapping[str, Any], notice: Callable[[str], None]) -> None:
        self._name, self._config, self._notice = name, config, notice
        self._tracker: Tracker | None = None

    def begin(self, folder: Path) -> None:
        """Open the tracker, once the run has its folder."""
        with self._guarded():
            self._tracker = open_tracker(self._name, folder, self._config)

    def segment(self, progress: "Progress") -> None:
        """Send a point."""
        with self._guarded():
            if self._tracker is not None:
                self._tracker.log(progress.updates, progress.point)

    def end(self, summary: Mapping[str, Any]) -> None:
        """Send the result and close; a summary that is empty is that of a run that was stopped."""
        with self._guarded():
            if self._tracker is not None:
                self._tracker.end(headlines(summary))

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a tracker can fail in any way, and none may cost a run
            self._tracker = None
            self._notice(f"--track {self._name} has failed and is left out from now on: {one_line(error)}")


def headlines(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of summary.json that one would compare runs by.

    >>> headlines({"success_rate": {"mean": 0.9, "iqm": 1.0, "per_seed": [0.8, 1.0]}, "schema": 2})
    {'success_rate': 1.0}
    """
    measured = {name: value for name, value in summary.items() if isinstance(value, dict) and "iqm" in value}
    found = {name: value["iqm"] for name, value in measured.items()}
    rate = summary.get("teacher_success_rate")
    return found if rate is None else {**found, "teacher_success_rate": rate}
