"""docs/tasks.md says of every task what the code says, and its code block runs."""

import re
from pathlib import Path

import navix
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.tasks.registry import task_class

PAGE = (Path(__file__).parents[1] / "docs" / "tasks.md").read_text(encoding="utf-8")
TASKS = re.findall(r"^\| `(\w+)` \| `Navix-", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_as_described(name):
    cls, task = task_class(name), make_task(name)
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    _, _, navix_id, grid, room, states, *_ = (part.strip() for part in line.split("|"))
    assert navix_id == f"`Navix-{cls.__name__}-v0`"
    assert grid == f"{task.height}x{task.width}"
    assert states.split()[0] == str(len(task.language.states))
    sides = (
        f"sides {task.room_min}..{task.room_max}"
        if task.room_min < task.room_max
        else f"sides {task.room_min}"
    )
    assert sides in room or "the same" in room or "blue" in room


def test_the_page_names_all_variants_and_no_others():
    assert len(TASKS) == 4
    rows = re.findall(r"^\| (`.*?) \|", PAGE.split("## Variants")[1].split("\n## ")[0], re.MULTILINE)
    listed = {name for row in rows for name in row.split(", ")}
    assert listed == {f"`{variant}`" for name in TASKS for variant in task_class(name).variants}


def test_the_code_block_runs():
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict = {"navix": navix}
    exec(block, names)
    assert names["image"].shape == (80, 80, 3) and np.ptp(names["image"]) > 0
