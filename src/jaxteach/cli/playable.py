"""Whether the students of a run can play another task."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxteach.utils.errors import UserError

if TYPE_CHECKING:
    from jaxteach.config import Config
    from jaxteach.tasks.protocol import Teachable


def read_config(run: Path) -> "Config":
    """The configuration of a run folder, which need not be finished.

    Raises:
        UserError: it is no run folder, or its config.json is damaged.
    """
    from jaxteach.config import from_json
    from jaxteach.utils.json_file import read_object

    try:
        values = read_object(run / "config.json")
    except FileNotFoundError as error:
        if not run.is_dir():
            raise UserError(f"no such run folder: {run}") from error
        raise UserError(f"{run} is not a run folder: it holds no config.json") from error
    return from_json(values, str(run / "config.json"))


def check_reads(run: Path, own: Any, name: str, task: Any) -> None:
    """Refuse a task whose observations the students of a run cannot read, or whose actions are not theirs.

    Args:
        run: the run folder.
        own: facts of the run's task.
        name: the other task's.
        task: facts of the other task.

    Raises:
        UserError: saying what each shows.
    """
    shown, wanted = getattr(task, "shows", None), getattr(own, "shows", None)
    if None not in (shown, wanted) and shown != wanted:  # of others `check_plays` will know
        raise UserError(f"the students of {run} read {wanted}; {name} has {shown}")


def check_plays(run: Path, config: "Config", task: "Teachable", name: str) -> None:
    """Refuse a task that the students of a run cannot play; `check_reads` with all that the task itself says.

    Args:
        run: the run folder.
        config: the run's.
        task: the other task.
        name: its name.

    Raises:
        UserError: saying what each shows.
    """
    from jaxteach.student.registry import STUDENTS
    from jaxteach.tasks import make_task

    own = make_task(config.task, **dataclasses.asdict(config.variant))
    network = STUDENTS.get(config.student.name)
    read, shown = network.reader(own), network.reader(task)
    if read != shown:
        known, found = str(list(read.observed)), str(list(shown.observed))
        if known == found:  # arrays of one shape that are read in two ways
            known, found = str(read.described()), str(shown.described())
        raise UserError(f"the students of {run} read observations {known}; {name} has {found}")
    if own.action_names != task.action_names:
        known, found = (", ".join(t.action_names) for t in (own, task))
        raise UserError(f"the students of {run} have the actions {known}; {name} has {found}")
