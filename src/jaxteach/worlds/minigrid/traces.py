"""Recorded episodes of Farama's MiniGrid: the file format, read and checked."""

import dataclasses
import zipfile
from pathlib import Path

import numpy as np

from jaxteach.utils.arrays import read_arrays
from jaxteach.utils.errors import UserError

# Name, number of axes beside the first, and which axis the first is: states, actions or episodes.
ARRAYS = {
    "grid": (3, "states"),
    "inside": (3, "states"),
    "agent_pos": (1, "states"),
    "agent_dir": (0, "states"),
    "carrying": (1, "states"),
    "image": (3, "states"),
    "visible": (2, "states"),
    "action": (0, "actions"),
    "reward": (0, "actions"),
    "terminated": (0, "actions"),
    "truncated": (0, "actions"),
    "steps": (0, "episodes"),
    "max_steps": (0, "episodes"),
    "mission": (0, "episodes"),
}
VERSIONS = ("3.",)


@dataclasses.dataclass(frozen=True)
class Trace:
    """Episodes of one level, one after the other; an episode of n steps has n + 1 states.

    Attributes:
        id: Farama's id.
        arrays: by the names of the file; cells are indexed [x, y].
        first_step: i64[E], row of each episode's first action.
        first_state: i64[E], row of each episode's first state.
    """

    id: str
    arrays: dict[str, np.ndarray]
    first_step: np.ndarray
    first_state: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    @property
    def n_episodes(self) -> int:
        """E."""
        return len(self.first_step)


def is_minigrid_trace(path: Path) -> bool:
    """Whether a file looks like a recording of a MiniGrid level: it names its own id."""
    try:
        with zipfile.ZipFile(path) as file:
            return {"id.npy", "minigrid.npy"} <= set(file.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def read_trace(path: Path) -> Trace:
    """Read a file of episodes.

    Raises:
        UserError: it cannot be read, is of another version, or its arrays do not fit together.
    """
    arrays = read_arrays(path, "recorded episodes")
    missing = [name for name in ("id", "minigrid", *ARRAYS) if name not in arrays]
    if missing:
        raise UserError(f"{path}: no trace of a MiniGrid level: it lacks {', '.join(missing)}")
    version = str(arrays["minigrid"])
    if not version.startswith(VERSIONS):
        raise UserError(f"{path}: recorded with minigrid {version}; only versions 3 are understood")
    steps = arrays["steps"].astype(np.int64).reshape(-1)
    if len(steps) == 0 or (steps < 1).any():
        raise UserError(f"{path}: field 'steps' holds no episode, or one without steps")
    n_steps = int(steps.sum())
    sizes = {"actions": n_steps, "states": n_steps + len(steps), "episodes": len(steps)}
    if "obstacles" in arrays:
        _check(path, arrays, "obstacles", 2, sizes["states"])
    for name, (axes, first) in ARRAYS.items():
        _check(path, arrays, name, axes, sizes[first])
    first_step = np.cumsum(steps) - steps
    return Trace(str(arrays["id"]), arrays, first_step, first_step + np.arange(len(steps)))


def _check(path: Path, arrays: dict[str, np.ndarray], name: str, axes: int, rows: int) -> None:
    """Raise a UserError unless an array has so many axes beside the first, and so many rows."""
    shape = arrays[name].shape
    if len(shape) != axes + 1 or shape[0] != rows:
        due = f"{rows} rows of {axes} axes are due: is it truncated?"
        raise UserError(f"{path}: field '{name}' has shape {shape}, where {due}")
