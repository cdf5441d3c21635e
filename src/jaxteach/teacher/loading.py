"""Loading the teacher of a task by name or path."""

from jaxteach.tasks import language
from jaxteach.teacher.table import PlanTable, load_table


def load_teacher(teacher: str, task: str) -> PlanTable | None:
    """The table a configuration names, checked against its task.

    Args:
        teacher: a name in teacher_cache/<task>/, a path to a .json file, or `none`.
        task: the task's name, or `task:variant`.

    Returns:
        The table; None for `none`.

    Raises:
        UserError: if there is no such table, or it does not fit the task.
    """
    if teacher == "none":
        return None
    return load_table(teacher, task.partition(":")[0], language(task))
