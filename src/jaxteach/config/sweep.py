"""Sweeps: a grid of traced hyperparameters, all of whose points train in one program. No JAX here."""

import contextlib
import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxteach.config import Config, check, share_of_run
from jaxteach.config.fields import leaves
from jaxteach.utils.errors import UserError, nearest

TRACED = tuple(leaf.name for leaf in leaves(Config).values() if leaf.about.use == "traced")
"""Fields that can be swept: those the compiled program is given for each trial."""
LONGEST = 255
"""Bytes of a label at most: it names a folder."""


@dataclass(frozen=True)
class Point:
    """One point of a sweep's grid.

    Attributes:
        label: what tells it from the others, such as `decay.floor=0.1,ppo.lr=0.001`; empty without a sweep.
        values: the swept fields and their values here.
        config: the configuration of a run at this point alone.
    """

    label: str
    values: dict[str, Any]
    config: Config


def grid(config: Config) -> tuple[Point, ...]:
    """The points of a configuration's sweep: every combination, the last field varying fastest.

    Args:
        config: its `sweep` has a text `FIELD=VALUE,VALUE,...` for each field.

    Returns:
        The points; a single one without a label if nothing is swept.

    Raises:
        UserError: naming the text at fault.

    >>> [point.label for point in grid(Config(sweep=("decay.floor=0,0.1", "ppo.lr=1e-3")))]
    ['decay.floor=0,ppo.lr=0.001', 'decay.floor=0.1,ppo.lr=0.001']
    """
    axes = [parse_axis(text) for text in config.sweep]
    fields = [field for field, _ in axes]
    for field in fields:
        if fields.count(field) > 1:
            raise UserError(f"--sweep {field}: swept twice; give all of its values at once")
    single = dataclasses.replace(config, sweep=())
    points = []
    for combination in itertools.product(*(values for _, values in axes)):
        values = dict(zip(fields, combination, strict=True))
        label = ",".join(f"{field}={_short(field, value)}" for field, value in values.items())
        if len(label) > LONGEST:
            raise UserError(
                f"--sweep: a point is called after its values, at most {LONGEST} characters, and {label} has "
                f"{len(label)}: sweep fewer fields, or values with fewer digits"
            )
        point = Point(label, values, changed(single, values))
        check(point.config)
        points.append(point)
    return tuple(points)


def parse_axis(text: str) -> tuple[str, Sequence[Any]]:
    """Read one `FIELD=VALUE,VALUE,...`.

    Raises:
        UserError: for a field that cannot be swept, or a value that is no number or comes twice.
    """
    field, equals, listed = text.partition("=")
    field = field.strip().lstrip("-").replace("-", "_")
    words = [word.strip() for word in listed.split(",")]
    if not equals or not all(words):
        raise UserError(f"--sweep {text}: must be FIELD=VALUE,VALUE,... such as decay.floor=0,0.01,0.1")
    if field not in TRACED:
        if field in leaves(Config):
            raise UserError(
                f"--sweep {field}: cannot be swept, for all points have it in common; run its values one "
                f"after another, or sweep any of {', '.join(TRACED)}"
            )
        raise UserError(f"--sweep: unknown field '{field}': {nearest(field, TRACED)}")
    values = words if leaves(Config)[field].about.choices else [_number(field, word) for word in words]
    if len({(value, _share(field, value)) for value in values}) < len(values):
        raise UserError(f"--sweep {text}: a value comes twice")
    return field, values


def changed(config: Config, values: dict[str, Any]) -> Config:
    """A configuration with some of its traced fields changed.

    >>> changed(Config(), {"decay": "linear", "ppo.lr": 0.5}).ppo.lr
    0.5
    """
    for field, value in values.items():
        config = leaves(Config)[field].changed(config, value)
    return config


def _number(field: str, word: str) -> float:
    """A value as the flag would take it: of a point of a schedule, an integer stays one."""
    for kind in (int, float) if _is_moment(field) else (float,):
        with contextlib.suppress(ValueError):
            return kind(word)
    raise UserError(f"--sweep {field}: '{word}' is not a number")


def _is_moment(field: str) -> bool:
    return leaves(Config)[field].about.moment


def _share(field: str, value: Any) -> float | None:
    """What a point of a schedule is as a fraction of the run, None if it is none, nor such a point."""
    return share_of_run(value) if _is_moment(field) else None


def _short(field: str, value: Any) -> str:
    """A value in few characters, another for every value: points are told apart by it."""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    whole = short.isdigit() and _share(field, value) is not None  # 1 would be update 1
    return short if float(short) == value and not whole else repr(value)


def n_chunks(config: Config) -> int:
    """How many chunks the run of a configuration has, its `seeds_per_chunk` being set."""
    assert config.seeds_per_chunk is not None
    return -(-len(grid(config)) * config.seeds // config.seeds_per_chunk)
