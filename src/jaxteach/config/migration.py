"""What a config.json of an earlier version means now. No JAX here."""

import contextlib
from collections.abc import Mapping
from typing import Any

MOMENTS = ("plateau_at", "off_at")
"""Points of a schedule: fields of `config.Decay` whose kind of number says what it counts."""


def as_now(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Restate the contents of a config.json in the newest schema.

    In version 1 the flags 1 and 1.0 of a point of a schedule were one value, and meant update 1.

    Args:
        values: the contents, not yet checked; without a schema_version they are of the newest.

    Returns:
        The contents, changed only where they would now mean something else.
    """
    if values.get("schema_version") != 1:
        return values
    decay, sweep = values.get("decay"), values.get("sweep")
    if isinstance(decay, dict):
        values = {**values, "decay": {k: 1 if k in MOMENTS and v == 1.0 else v for k, v in decay.items()}}
    if isinstance(sweep, list):
        values = {**values, "sweep": [_axis(text) if isinstance(text, str) else text for text in sweep]}
    return values


def _axis(text: str) -> str:
    """An axis of a sweep, the update 1 written as an integer."""
    field, equals, listed = text.partition("=")
    if field.strip().lstrip("-").replace("-", "_").removeprefix("decay.") not in MOMENTS:
        return text
    return field + equals + ",".join("1" if _is_one(word) else word for word in listed.split(","))


def _is_one(word: str) -> bool:
    with contextlib.suppress(ValueError):
        return float(word) == 1.0
    return False
