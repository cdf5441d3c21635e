"""JSON files from untrusted sources: an object, its values checked against annotations. No JAX here."""

import dataclasses
import json
import math
import types
import typing
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxteach.utils.errors import UserError

MAX_DEPTH = 32
_WANTED = {str: "a text", bool: "true or false", int: "a whole number", float: "a finite number"}
_SHOWN = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys were written twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated: str | None = None
        if len(self) < len(pairs):
            (self.repeated, _), *_ = Counter(key for key, _ in pairs).most_common(1)


def read_value(path: Path, most: int = -1) -> tuple[bytes, Any]:
    """Read a JSON file from an untrusted source.

    Args:
        path: the file.
        most: bytes it may have; -1 for any number.

    Returns:
        The file's bytes and its value: finite numbers, no key twice, nested at most `MAX_DEPTH` deep, so that
        nothing that walks through it runs out of stack.

    Raises:
        FileNotFoundError: there is no such file, which only the caller can explain.
        UserError: too large, not UTF-8, not JSON, or not as said above.
    """
    data = _bytes_of(path, most)
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_Object)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is damaged: not UTF-8 text (byte {error.start})") from error
    except RecursionError as error:
        raise UserError(f"{path} is damaged: nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:  # no JSON, or an integer of thousands of digits
        at = f"line {error.lineno}, column {error.colno}: " if isinstance(error, json.JSONDecodeError) else ""
        why = getattr(error, "msg", error)
        raise UserError(f"{path} is damaged or cut short: not JSON: {at}{why}") from error
    _check_tree(value, str(path))
    return data, value


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object; see `read_value`.

    Raises:
        FileNotFoundError: there is no such file, which only the caller can explain.
        UserError: it cannot be read, or holds something else.
    """
    _, value = read_value(path)
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object, not {_shown(value)}")
    return value


def _bytes_of(path: Path, most: int) -> bytes:
    """The content of a regular file of reasonable size."""
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: not a file")
        with open(path, "rb") as file:
            data = file.read(most + 1 if most >= 0 else -1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(str(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if 0 <= most < len(data):
        raise UserError(f"{path}: larger than {most >> 20} MB")
    return data


def _check_tree(value: Any, file: str, place: str = "", depth: int = 1) -> None:
    """Refuse, anywhere in a JSON value, what no field may hold."""
    at = f"{file}: {place or 'top level'}"
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{at}: {value} is not a finite number")
    if isinstance(value, str):
        _check_text(value, at)
    if isinstance(value, dict | list) and depth > MAX_DEPTH:
        raise UserError(f"{file} is damaged: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, list):
        for i, item in enumerate(value):
            _check_tree(item, file, f"{place}[{i}]", depth + 1)
    if isinstance(value, _Object):
        if value.repeated is not None:
            raise UserError(f"{at}: the key {ascii(value.repeated)[:80]} stands there twice")
        for key, item in value.items():
            _check_text(key, at)
            shown = key if key.isascii() and key.isidentifier() and len(key) < 80 else ascii(key)[:80]
            _check_tree(item, file, f"{place}.{shown}" if place else shown, depth + 1)


def _check_text(text: str, at: str) -> None:
    """Refuse text that cannot be written out again."""
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise UserError(f"{at}: the text holds half of a surrogate pair, which is no character")


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
    told = next((words for kind, words in _SHOWN.items() if isinstance(value, kind)), None)
    return told or (repr(value[:40]) if isinstance(value, str) else str(value)[:40])
