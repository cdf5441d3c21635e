"""Students that ship with the package: `pretrained/<task>` stands for a run folder that holds one."""

import os
from pathlib import Path

from jaxteach.utils.errors import UserError, nearest

FOLDER = Path(__file__).resolve().parents[1] / "pretrained"
"""A folder a task: config.json, parameters, how they did, and a card that says where they come from."""


def pretrained_names() -> tuple[str, ...]:
    """The tasks that have one, sorted."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/config.json")))


def find_run(given: str | os.PathLike[str]) -> Path:
    """The run folder that a path or `pretrained/<task>` means; a folder that is there means itself.

    Args:
        given: as a user writes it.

    Raises:
        UserError: no student of that name ships, with the nearest ones.
    """
    path = Path(given)
    if path.parts[:1] != (FOLDER.name,) or path.exists():
        return path
    name, names = "/".join(path.parts[1:]), pretrained_names()
    if name not in names:
        raise UserError(f"no pretrained student '{name}': {nearest(name, names)}")
    return FOLDER / name


def is_pretrained(run: Path) -> bool:
    """Whether a run folder is one that ships, into which nothing is written."""
    return run.parent == FOLDER
