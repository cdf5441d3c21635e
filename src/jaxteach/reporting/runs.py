"""What a report says of each run in words and figures: its results, its settings, how to repeat it."""

import dataclasses
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxteach.analysis import Run, load_run, run_labels, standing
from jaxteach.analysis.curves import WINDOW, Band
from jaxteach.cli.flags import flags
from jaxteach.config import CHUNK, Config, from_json, preset, to_json
from jaxteach.runs.folders import Record
from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import own_fields, typed

POINTS = "points"
"""The folder in which a run with a sweep keeps a run folder for each of its points."""


@dataclass(frozen=True)
class Interval:
    """A statistic over seeds, as summary.json holds it."""

    mean: float
    iqm: float
    ci95: tuple[float, ...]
    n: int


@dataclass(frozen=True)
class Results:
    """What a report reads in summary.json, but for the three statistics."""

    env_steps: tuple[int, ...]
    eval_episodes: int
    env_steps_to_success: dict[str, float | None]
    wall_seconds: dict[str, float]


@dataclass(frozen=True)
class Reported:
    """A run, read and checked.

    Attributes:
        run: its files.
        label: what tells it from the others.
        config: its configuration.
        record: what config.json holds besides.
    """

    run: Run
    label: str
    config: Config
    record: Record


def read_runs(folders: Sequence[Path]) -> list[Reported]:
    """Read run folders; of a run with a sweep, its points.

    Args:
        folders: at least one.

    Raises:
        UserError: one is no run folder, or a file in it (named) is damaged or half-written.
    """
    given = {folder.resolve(): folder for folder in folders}  # one that is named twice is one
    runs = [load_run(folder) for each in given.values() for folder in _points(each)]
    read = []
    for run, label in zip(runs, run_labels(runs), strict=True):
        file = str(run.path / "config.json")
        record = typed(Record, own_fields(Record, run.config), file)
        read.append(Reported(run, label, from_json(run.config, file), record))
    return read


def _points(folder: Path) -> list[Path]:
    """The folder itself, or the folders of its sweep's points."""
    points = sorted(path for path in (folder / POINTS).glob("*") if path.is_dir())
    return points if points and not (folder / "metrics.npz").exists() else [folder]


def describe_runs(
    reported: Sequence[Reported], window: int = WINDOW, band: Band = "iqr"
) -> list[dict[str, Any]]:
    """What the page says of each run, as JSON values.

    Args:
        reported: the runs.
        window: episodes that success looks back on.
        band: what is drawn of the seeds.

    Raises:
        UserError: a summary.json holds what no run writes.
    """
    return [
        {
            "label": one.label,
            "summary": _summary(one),
            "notes": ([] if _ended(one.run) else [_standing(one.run, window, band)])
            + [f"seed {seed} diverged and was frozen, but is counted" for seed in _diverged(one.run)],
            "repeat": how_to_repeat(one),
            "settings": _settings(one),
            "config": json.dumps(dict(one.run.config), indent=2) + "\n",
        }
        for one in reported
    ]


def how_to_repeat(one: Reported) -> list[str]:
    """Commands that train the same run again: from its config.json, or by flags that differ from its preset.

    Args:
        one: the run.
    """
    config = one.config
    plain = preset(config.preset, config.task)
    # Whichever preset and task they are, the line has to name them, unless they are the command's own.
    base = dataclasses.replace(
        plain, preset=Config().preset, task=Config().task, seeds=config.seeds, out=config.out
    )
    base = dataclasses.replace(
        base, seeds_per_chunk=CHUNK[config.preset], eval_episodes=base.eval_episodes_resolved
    )
    default = flags({**to_json(base), "seeds": plain.seeds})
    words = ["jaxteach", "run"]
    for flag, value in flags(to_json(config)).items():
        if value == default[flag] or value is None:
            continue
        for each in value if isinstance(value, list) else [value]:
            words += [flag, str(each)]
    words += ["--deterministic"] if one.record.deterministic else []
    return [
        f"jaxteach run --config {shlex.quote(str(one.run.path / 'config.json'))}",
        "# the same by its flags:",
        shlex.join(words),
    ]


def _ended(run: Run) -> bool:
    """Whether there are results; those of a shard are the whole run's, once its shards are joined."""
    return run.summary is not None and "shard" not in run.summary


def _standing(run: Run, window: int, band: Band) -> str:
    """Why there are no results."""
    told = standing(run, window, band) if run.summary is None else f"{run.path} is a shard, to be joined"
    return f"it has not ended, there are no results yet: {told}"


def _diverged(run: Run) -> list[int]:
    """Ids of the seeds that diverged."""
    found = (run.summary or {}).get("diverged", [])
    if not isinstance(found, list) or not all(isinstance(seed, dict) and "seed" in seed for seed in found):
        raise UserError(f"{run.path / 'summary.json'}: diverged must be a list of seeds")
    return [seed["seed"] for seed in found]


def _summary(one: Reported) -> dict[str, Any]:
    """A row of the table of results; what is not known yet is null."""
    run, file = one.run, str(one.run.path / "summary.json")
    row: dict[str, Any] = {
        "label": one.label,
        "seeds": run.seeds,
        "env_steps": run.env_steps,
        "teacher_success": run.teacher_success_rate,
        "train_seconds": None,
        "steps_to_95": None,
        **dict.fromkeys(("success", "return", "length")),
    }
    if not _ended(run):
        return row
    assert run.summary is not None
    results = typed(Results, own_fields(Results, run.summary), file)
    for name in ("success_rate", "return", "length"):
        values = own_fields(Interval, run.summary.get(name))
        found = typed(Interval, values, f"{file}: {name}")
        if len(found.ci95) != 2:
            raise UserError(f"{file}: {name}.ci95 must be two numbers")
        low, high = found.ci95
        row[name.removesuffix("_rate")] = {"iqm": found.iqm, "low": low, "high": high}
    row["steps_to_95"] = results.env_steps_to_success.get("0.95")
    row["train_seconds"] = results.wall_seconds.get("train")
    return row


def _settings(one: Reported) -> list[tuple[str, str]]:
    """Flags, versions and device of a run, as pairs of texts."""
    record = one.record
    pairs = [("folder", str(one.run.path))]
    pairs += [(flag, _told(value)) for flag, value in flags(to_json(one.config)).items()]
    table = record.teacher_table
    pairs += [("teacher table", "none" if table is None else f"{table.name}, sha256 {table.sha256}")]
    pairs += [("device", f"{record.device.count} x {record.device.kind} ({record.device.platform})")]
    pairs += [(f"version of {name}", version) for name, version in record.versions.items()]
    pairs += [(f"set: {name}", value) for name, value in record.numerics.items()]
    return [*pairs, ("fingerprint", record.fingerprint)]


def _told(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return "as by default" if value is None else str(value)
