"""The students of a run, its task and its teacher, as the audit and the player need them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxteach.config import Config
from jaxteach.reporting.runs import Reported
from jaxteach.runs import unflatten
from jaxteach.student.deployed import read_params
from jaxteach.student.networks import Student, shapes_of
from jaxteach.tasks.protocol import Teachable
from jaxteach.teacher.loading import load_teacher
from jaxteach.teacher.table import PlanTable
from jaxteach.training.state import make_plan
from jaxteach.utils.errors import UserError


class Unplayable(UserError):
    """The students of a run cannot be played here."""


MOST_STUDENTS = 4
"""Students of a run that the audit plays, spread over its seeds."""


@dataclass(frozen=True)
class Students:
    """What a run leaves to be played.

    Attributes:
        config: the run's.
        task: its task.
        student: its network.
        table: the true teacher table; None without a teacher.
        params: parameters by seed id.
        notes: what a reader should know of them.
    """

    config: Config
    task: Teachable
    student: Student
    table: PlanTable | None
    params: dict[int, Any]
    notes: tuple[str, ...] = ()


def load_students(one: Reported) -> Students:
    """Read the students of a run.

    Args:
        one: the run.

    Raises:
        Unplayable: the task, the network or the table is not there.
        UserError: there are no parameters, or they are damaged or of another network.
    """
    try:
        plan = make_plan(one.config, taught=False)
        table = load_teacher(one.config.teacher, one.config.task)
    except UserError as error:
        raise Unplayable(str(error)) from error
    params, known = _params(one.run.path, plan.student), one.record.teacher_table
    notes = []
    if table is not None and known is not None and table.sha256 != known.sha256:
        notes.append(f"the table {table.name} has changed since: the audit is of the new one")
    return Students(one.config, plan.task, plan.student, table, params, tuple(notes))


def _params(folder: Path, student: Student) -> dict[int, Any]:
    """Parameters of some of a run's students, by seed id."""
    files = sorted((folder / "params").glob("*.npz"))
    if not files:
        raise UserError(f"{folder} holds no parameters: it was interrupted too early, or run without them")
    wanted = {path: x.shape for path, x in flatten_shapes(student).items()}
    rows: dict[int, tuple[dict[str, Any], int]] = {}
    for file in files:
        arrays = read_params(file)
        ids = arrays.pop("seed_ids")
        if {path: x.shape for path, x in arrays.items()} != {
            path: (len(ids), *shape) for path, shape in wanted.items()
        }:
            raise UserError(f"{file} holds parameters of another network than config.json names")
        rows |= {int(seed): (arrays, row) for row, seed in enumerate(ids)}
    seeds = [seed for seed, (arrays, row) in sorted(rows.items()) if _finite(arrays, row)]
    if not seeds:
        raise UserError(f"{folder}/params: every student's parameters hold NaN or infinity")
    chosen = np.unique(np.linspace(0, len(seeds) - 1, MOST_STUDENTS).round().astype(int))
    return {
        seeds[i]: unflatten({path: x[rows[seeds[i]][1]] for path, x in rows[seeds[i]][0].items()})
        for i in chosen
    }


def _finite(arrays: dict[str, Any], row: int) -> bool:
    """Whether a student can be played."""
    return all(np.isfinite(x[row]).all() for x in arrays.values())


def flatten_shapes(student: Student) -> dict[str, Any]:
    """Shapes of a network's parameters, by path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(shapes_of(student))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
