"""JSON files from untrusted sources: an object, its values checked against annotations. No JAX here."""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxteach.utils.errors import UserError

MAX_DEPTH = 32
_WANTED = {str: "a text", bool: "true or false", int: "a whole number", float: "a finite number"}
_SHOWN = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: the file.

    Returns:
        The object, nested at most `MAX_DEPTH` deep: nothing that walks through it runs out of stack.

    Raises:
        FileNotFoundError: there is no such file, which only the caller can explain.
        UserError: it cannot be read, or holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(str(path)) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged or cut short: not JSON ({error})") from error
    except RecursionError as error:
        raise UserError(f"{path} is damaged: nested deeper than {MAX_DEPTH} levels") from error
    if not isinstance(document, dict):
        raise UserError(f"{path} must hold a JSON object, not {_shown(document)}")
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        lists = [value.values() if isinstance(value, dict) else value for value in level]
        level = [child for values in lists for child in values if isinstance(child, dict | list)]
    if level:
        raise UserError(f"{path} is damaged: nested deeper than {MAX_DEPTH} levels")
    return document


def typed[T](kind: type[T], value: Any, place: str) -> T:
    """Check a JSON value against an annotation, and make of it what the annotation says.

    A dataclass takes an object: fields with a default may be missing (the file may be older than they
    are), others and whole dataclasses may not, and what is no field is refused. Numbers stay as they are.

    Args:
        kind: a dataclass, a plain type, `Path`, `Literal`, a union, `tuple[X, ...]`, `dict[str, X]` or
            `Any`.
        value: what the file says.
        place: where it says so, for the message.

    Returns:
        The value as that type.

    Raises:
        UserError: it is of another type.

    >>> typed(tuple[int | None, ...], [1, None], "config.json: sizes")
    (1, None)
    """
    return typing.cast(T, _typed(kind, value, place))


def _typed(kind: Any, value: Any, place: str) -> Any:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _build(typing.cast(type, kind), value, place)
    if origin in (typing.Union, types.UnionType):
        # An integer is a number too, and stays one.
        inner = [part for part in parts if part is not type(None) and not (part is int and float in parts)]
        assert len(inner) == 1, f"{place}: {kind}"
        return None if value is None and type(None) in parts else _typed(inner[0], value, place)
    if origin is typing.Literal:
        if not isinstance(value, str) or value not in parts:
            raise _refusal(place, f"one of {', '.join(parts)}", value)
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _refusal(place, "a list", value)
        return tuple(_typed(parts[0], item, f"{place}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise _refusal(place, "an object", value)
        return {name: _typed(parts[1], item, f"{place}.{name[:40]}") for name, item in value.items()}
    if kind is Path:
        return Path(_typed(str, value, place))
    allowed = (int, float) if kind is float else kind
    number = kind in (int, float)
    if not isinstance(value, allowed) or (number and (isinstance(value, bool) or not finite(value))):
        raise _refusal(place, _WANTED[kind], value)
    return value


def _is_needed(field: "dataclasses.Field[Any]") -> bool:
    """Whether a file must hold a field: one without a default, or a group, whose every part would be lost."""
    if field.default_factory is dataclasses.MISSING:
        return field.default is dataclasses.MISSING
    return dataclasses.is_dataclass(field.default_factory)


def _build(kind: type, value: Any, place: str) -> Any:
    """A dataclass out of an object."""
    if not isinstance(value, dict):
        raise _refusal(place, "an object", value)
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            raise UserError(f"{place}: '{name[:40]}' is no field of this version")
    for name, field in fields.items():
        if name not in value and _is_needed(field):
            raise UserError(f"{place}: {name} is missing")
    at = f"{place}{'.' if ': ' in place else ': '}"
    return kind(**{name: _typed(hints[name], item, at + name) for name, item in value.items()})


def own_fields(kind: type, values: Any) -> Any:
    """The entries of an object that are fields of a dataclass; what is no object is left to be refused."""
    if not isinstance(values, Mapping):
        return values
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def finite(number: float) -> bool:
    """Whether a number is one as a float: JSON knows Infinity, NaN and integers of thousands of digits."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _refusal(place: str, wanted: str, value: Any) -> UserError:
    return UserError(f"{place} must be {wanted}, not {_shown(value)}")


def _shown(value: Any) -> str:
    return _SHOWN.get(type(value)) or (repr(value[:40]) if isinstance(value, str) else str(value)[:40])
