"""What teachers alone are worth: measured once for the tables that ship, and kept beside them. No JAX."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from jaxteach.config import Config, Variant
from jaxteach.teacher.loading import cache_folder
from jaxteach.utils.errors import UserError
from jaxteach.utils.files import write_atomic
from jaxteach.utils.json_file import read_object


@dataclass(frozen=True)
class Success:
    """How well a teacher does without a student.

    Attributes:
        rate: share of the episodes.
        episodes: how many were played.
    """

    rate: float
    episodes: int


def known_successes(folder: Path | None = None) -> dict[str, Success]:
    """The successes measured so far, by the sha256 of the table, so that a changed table shows none.

    Args:
        folder: where success.json is; by default with the shipped tables.

    Raises:
        UserError: the file is damaged.
    """
    path = (folder or cache_folder()) / "success.json"
    if not path.is_file():
        return {}
    try:
        entries = read_object(path)
        return {sha: Success(float(e["success_rate"]), int(e["episodes"])) for sha, e in entries.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error!r}") from error


def save_successes(successes: dict[str, Success], folder: Path | None = None) -> None:
    """Write down successes for `known_successes` to find.

    Args:
        successes: by the sha256 of the table.
        folder: where success.json goes; by default with the shipped tables.

    Raises:
        UserError: the file cannot be written.
    """
    entries = {
        sha: {"success_rate": known.rate, "episodes": known.episodes}
        for sha, known in sorted(successes.items())
    }
    write_atomic((folder or cache_folder()) / "success.json", (json.dumps(entries, indent=2) + "\n").encode())


_shipped = functools.cache(known_successes)


def shipped_success(sha256: str, config: Config) -> Success | None:
    """What a run's teacher alone is worth, where that ships with its table; else it has to be measured.

    It is that of the table as it is, on its task as it is: no variant, no errors, no plans held. Plans drawn
    anew at every step act as their mixture does.

    Args:
        sha256: of the table.
        config: the run's.
    """
    plain = ":" not in config.task and config.variant == Variant()
    as_it_is = config.distill.teacher in ("soft", "hard") and not config.corrupt.any
    return _shipped().get(sha256) if plain and as_it_is else None
