"""Chunks that are finished: their results, written as each one ends and read back by a run that continues."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxteach.config.sweep import Point
from jaxteach.runs.checkpoints import GONE
from jaxteach.runs.folders import make_folder
from jaxteach.runs.run_folder import RunFolder
from jaxteach.student.deployed import read_params
from jaxteach.training.train import Chunk
from jaxteach.training.trials import IntArray, points_of, seeds_of
from jaxteach.utils.errors import UserError

TRIALS = "lanes"
"""What the file calls its trials: runs begun by earlier versions hold chunks with this name."""
FINAL = "final_"
"""Before the names of a chunk's final evaluation, for some are those of metrics too."""


def write_params(
    folder: RunFolder, points: tuple[Point, ...], chunk: int, trials: IntArray, params: Any, finished: bool
) -> None:
    """Write the parameters of a chunk, those of each point of a sweep into its own folder.

    Args:
        folder: the run's.
        points: of the sweep.
        chunk: its number.
        trials: its trials.
        params: their parameters, [trial, ...].
        finished: false for a chunk that was stopped.
    """
    for point in np.unique(points_of(trials)):
        rows = points_of(trials) == point
        own = jax.tree.map(lambda x, rows=rows: np.asarray(x)[rows], params)
        folder.at(points[point]).write_params(chunk, seeds_of(trials[rows]), own, finished)


def write_chunk(folder: RunFolder, number: int, chunk: Chunk, run: str) -> None:
    """Write metrics/<chunk>.npz: all of a finished chunk but its parameters, which must be there already.

    This file says that the chunk is finished.

    Args:
        folder: the run's.
        number: its number.
        chunk: its results.
        run: the fingerprint of the run.
    """
    make_folder(folder.path / "metrics")
    arrays = {
        TRIALS: chunk.trials,
        "diverged_at": chunk.diverged_at,
        "seconds": np.asarray(chunk.seconds),
        "evaluate_seconds": np.asarray(chunk.evaluate_seconds),
        "fingerprint": np.asarray(run),
        **{FINAL + name: array for name, array in chunk.final.items()},
        **chunk.metrics,
    }
    folder.write_npz(f"metrics/{number:05d}.npz", arrays)


def read_chunk(
    folder: RunFolder,
    points: tuple[Point, ...],
    chunk: int,
    trials: IntArray,
    run: str,
    keep_params: bool,
    notice: Callable[[str], None],
) -> Chunk | None:
    """A chunk's results, if it is finished.

    Args:
        folder: the run's.
        points: of the sweep.
        chunk: its number.
        trials: the trials it must hold.
        run: the fingerprint of the run.
        keep_params: whether its parameters must be there too.
        notice: told in one line why a chunk that was finished has to be trained again.

    Raises:
        UserError: if it belongs to another configuration or table, or the system does not let it be read.
    """
    file = folder.path / f"metrics/{chunk:05d}.npz"
    if not file.exists():
        return None
    try:
        arrays = read_params(file, TRIALS)
        if (written := str(arrays.pop("fingerprint"))) != run:
            raise _Foreign(f"{file} was written with another configuration or teacher table ({written})")
        if not np.array_equal(arrays[TRIALS], trials):
            raise UserError(f"{file} holds other seeds than those of chunk {chunk}")
        for point in np.unique(points_of(trials)) if keep_params else ():
            params = folder.at(points[point]).path / f"params/{chunk:05d}.npz"
            seeds = seeds_of(trials[points_of(trials) == point])
            if not np.array_equal(read_params(params)["seed_ids"], seeds):
                raise UserError(f"{params} holds other seeds than those of chunk {chunk}")
        final = {name: arrays.pop(name) for name in list(arrays) if name.startswith(FINAL)}
        return Chunk(
            trials=arrays.pop(TRIALS),
            diverged_at=arrays.pop("diverged_at"),
            seconds=float(arrays.pop("seconds")),
            evaluate_seconds=float(arrays.pop("evaluate_seconds")),
            final={name.removeprefix(FINAL): array for name, array in final.items()},
            metrics=arrays,
        )
    except _Foreign:
        raise
    except (UserError, KeyError) as error:
        if isinstance(cause := error.__cause__, OSError) and cause.errno not in (None, *GONE):
            raise  # it may be intact
        notice(f"{error}: chunk {chunk} is trained again")
        return None


class _Foreign(UserError):
    """A file of another run."""
