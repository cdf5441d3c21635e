"""Finding and loading tables: a name means one that ships with the package, a path means itself."""

import os
from pathlib import Path

from jaxteach.tasks import language as language_of
from jaxteach.tasks.language import Language
from jaxteach.teacher.table import PlanTable, read_table
from jaxteach.utils.errors import UserError, nearest


def load_teacher(teacher: str, task: str) -> PlanTable | None:
    """The table a configuration names, checked against its task.

    Args:
        teacher: a name in teacher_cache/TASK/, a path to a .json file, or `none`.
        task: the task's name, or `task:variant`.

    Returns:
        The table; None for `none`.

    Raises:
        UserError: if there is no such table, or it does not fit the task.
    """
    if teacher == "none":
        return None
    language = language_of(task)
    return load_table(teacher, language.family or task.partition(":")[0], language)


def load_table(name_or_path: str | os.PathLike[str], task_name: str, language: Language) -> PlanTable:
    """Read a table and refuse it unless every detail is in order.

    Args:
        name_or_path: the name of a table shipped for the task, or the path of a JSON file.
        task_name: the task it has to be for.
        language: what can be said about the task; every state must be there, once, in any order.

    Returns:
        The table, states in the language's order. Probabilities that miss 1 by up to 1e-3 are renormalised.

    Raises:
        UserError: no such table, or anything wrong in it: one line with the file, the state and the field.
    """
    return read_table(find_table(name_or_path, task_name), task_name, language)


def cache_folder() -> Path:
    """Where the shipped tables are, `<task>/<name>.json`: in an installed package, or a checkout's root."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "teacher_cache"
    return installed if installed.is_dir() else package.parents[1] / "teacher_cache"


def table_names(task_name: str) -> tuple[str, ...]:
    """Names of the tables shipped for a task, sorted."""
    return tuple(sorted(path.stem for path in (cache_folder() / task_name).glob("*.json")))


def find_table(name_or_path: str | os.PathLike[str], task_name: str) -> Path:
    """Find a table's file.

    Args:
        name_or_path: a shipped table's name; or a path: anything with a folder in it or the suffix ".json".
        task_name: the task the table is for.

    Returns:
        The path of the file; a path that was given is returned as it is, whether it exists or not.

    Raises:
        UserError: no shipped table has this name, with the nearest ones.
    """
    given = os.fspath(name_or_path)
    if not isinstance(name_or_path, str) or Path(given).name != given or given.endswith(".json"):
        return Path(given)
    names = table_names(task_name)
    if given in names:
        return cache_folder() / task_name / f"{given}.json"
    choice = nearest(given, names) if names else "(none ships for this task)"
    raise UserError(
        f"no teacher table {given!r} for task {task_name}: {choice}; or give the path of a .json file, or "
        "--teacher none"
    )
