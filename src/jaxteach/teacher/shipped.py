"""Where tables lie: a name means one that ships with the package, a path means itself."""

import os
from pathlib import Path

from jaxteach.utils.errors import UserError, nearest


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
        f"no teacher table {given!r} for task {task_name}: {choice}; or give the path of a .json file"
    )
