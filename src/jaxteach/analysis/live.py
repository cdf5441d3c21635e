"""What metrics.jsonl tells of a run that has not ended: how far it is, and its curves so far."""

import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxteach.analysis.curves import Band, Curve
from jaxteach.analysis.resampling import FloatArray
from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import finite

COUNTED = ("chunk", "update", "env_steps")
"""What every line holds as whole numbers, those of earlier versions included."""
EDGES: dict[Band, tuple[str, str, str]] = {
    "iqr": ("_q25", "_median", "_q75"),
    "ci95": ("_iqm", "_iqm", "_iqm"),  # an interval takes the seeds one by one, which are not told
}
"""After a metric's name: what is drawn of it as lower edge, line and upper edge."""

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Live:
    """The lines of a metrics.jsonl: one a segment, chunks one after the other.

    Attributes:
        lines: as `training.live.live_point` made them; each has `trials` and `env_steps_per_seed`, and with
            `success` also `known_at`.
        read_at: when they were read, in seconds since 1970.
    """

    lines: tuple[Line, ...]
    read_at: float

    @property
    def chunks(self) -> list[list[Line]]:
        """The lines of each chunk."""
        return [list(lines) for _, lines in itertools.groupby(self.lines, key=lambda line: line["chunk"])]

    @property
    def trials(self) -> int:
        """How many seeds (at points of a sweep) have begun."""
        return sum(int(lines[0]["trials"]) for lines in self.chunks)

    @property
    def env_steps(self) -> int:
        """Environment steps so far, all seeds together."""
        return int(self.lines[-1]["env_steps"])

    def curve(self, label: str, metric: str, band: Band) -> Curve:
        """A metric against environment steps a seed.

        Where seeds train one chunk after the other, the chunks' numbers are averaged, weighted by their
        trials, as far as each has come. Of a single chunk the points are those of the finished run.

        Args:
            label: the curve's name.
            metric: such as `success` or `lambda`.
            band: what is drawn of the seeds; nothing of losses, nor of lines that tell means alone.

        Returns:
            The curve; without points if nothing is known yet.
        """
        known = [[line for line in lines if line.get(metric) is not None] for lines in self.chunks]
        known = [lines for lines in known if lines]
        names = [metric + edge for edge in EDGES[band]]
        told = all(name in line for lines in known for line in lines for name in names)
        grid, values = _joined(known, names if told else [metric] * 3)
        low, centre, high = values
        return Curve(label, self.trials, band, grid, centre, low, high)


def read_live(file: Path, trials_of: Callable[[int], int]) -> Live:
    """Read a metrics.jsonl, which a run may be writing.

    Args:
        file: the file.
        trials_of: how many trials a chunk has, by its number; asked for lines of earlier versions.

    Returns:
        Its lines; one that is cut short at the end is left out.

    Raises:
        UserError: there is none, it cannot be read, or it holds what no run writes.
    """
    read_at = time.time()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    whole = data[: data.rfind(b"\n") + 1].splitlines()  # the last line may be half-written
    lines = [_line(text, f"{file}, line {number}") for number, text in enumerate(whole, 1)]
    return Live(tuple(_completed(lines, trials_of, str(file))), read_at)


def _line(text: bytes, place: str) -> dict[str, Any]:
    """A line, its numbers checked."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: damaged, not JSON") from error
    if not isinstance(values, dict):
        raise UserError(f"{place}: must hold an object")
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not finite(value):
            raise UserError(f"{place}: {name[:40]} must be a finite number")
    for name in COUNTED:
        if not isinstance(values.get(name), int) or values[name] < 0:
            raise UserError(f"{place}: {name} must be a whole number")
    return values


def _completed(lines: Sequence[dict[str, Any]], trials_of: Callable[[int], int], file: str) -> list[Line]:
    """The lines with what earlier versions left out: trials, and steps of one seed."""
    found: list[Line] = []
    before = 0  # environment steps of the chunks that have ended
    for number, line in enumerate(lines):
        if number and line["chunk"] != lines[number - 1]["chunk"]:
            before = int(lines[number - 1]["env_steps"])
        trials = line["trials"] if "trials" in line else trials_of(line["chunk"])
        if not trials or trials < 0:
            raise UserError(f"{file}, line {number + 1}: trials must be at least 1")
        steps = line.get("env_steps_per_seed", (line["env_steps"] - before) / trials)
        found.append({"known_at": steps, **line, "trials": trials, "env_steps_per_seed": steps})
    return found


def _joined(chunks: Sequence[Sequence[Line]], names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Put chunks together: environment steps a seed [point], and the means of each name [name, point]."""
    if not chunks:
        return np.zeros(0), np.zeros((len(names), 0))
    at = "known_at" if names[0].startswith(("success", "return")) else "env_steps_per_seed"
    steps = [np.array([line[at] for line in lines], np.float64) for lines in chunks]
    grid = np.unique(np.concatenate(steps))
    total, weight = np.zeros((len(names), grid.size)), np.zeros(grid.size)
    for own, lines in zip(steps, chunks, strict=True):
        reached = (grid >= own[0]) & (grid <= own[-1])
        own, last = np.unique(own[::-1], return_index=True)  # of equal steps the latest line
        last = len(lines) - 1 - last
        weight += lines[0]["trials"] * reached
        for row, name in enumerate(names):
            values = np.array([lines[i][name] for i in last], np.float64)
            total[row] += lines[0]["trials"] * reached * np.interp(grid, own, values)
    return grid[weight > 0], total[:, weight > 0] / weight[weight > 0]
