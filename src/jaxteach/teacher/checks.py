"""The doorkeeper of teacher tables: trusts no JSON, and says in one line what is wrong and where."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxteach.tasks.language import WAIT, AbstractState, Language
from jaxteach.utils.errors import UserError, nearest
from jaxteach.utils.json_file import read_value

SCHEMA_VERSION = 1
TOLERANCE = 1e-3
"""How far from 1 a state's probabilities may sum: published figures have two digits."""

MAX_BYTES = 16 * 2**20
MAX_PLANS = 10_000
MAX_OPTIONS = 100
MAX_COUNT = 2**53

_NAMES = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def read_json(path: Path) -> tuple[bytes, Any]:
    """A table's bytes and its value, see `read_value`.

    Raises:
        UserError: no such file, too large, or no JSON that can be used.
    """
    try:
        return read_value(path, MAX_BYTES)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error


@dataclass(frozen=True)
class Checked:
    """A table's document after its check.

    Attributes:
        by_state: each state's own part of the document.
        missing: the task's states that it lacks.
        others: the texts of states that the task does not have.
    """

    by_state: dict[AbstractState, dict[str, Any]]
    missing: tuple[AbstractState, ...]
    others: tuple[str, ...]


def check_table(document: Any, file: str, task_name: str, language: Language, whole: bool = True) -> Checked:
    """Check a table's JSON in every detail.

    States that the task does not have pass if none of its own is missing: then they are no misspelt ones, but
    of another vocabulary of the task's family.

    Args:
        document: the value of the file, from `read_json`.
        file: what to call it in messages.
        task_name: the task it has to be for.
        language: what can be said about the task.
        whole: refuse a table that lacks states.

    Raises:
        UserError: something is wrong: the file, the state and the field, in one line.
    """
    _fields(document, file, ("schema_version", "task", "name", "provenance", "states"))
    version = document["schema_version"]
    if type(version) is not int or version != SCHEMA_VERSION:
        raise UserError(
            f"{file}: schema_version is {_show(version)}; this program reads version {SCHEMA_VERSION}"
        )
    if document["task"] != task_name:
        raise UserError(
            f"{file}: task is {_show(document['task'])}, but the table is needed for {task_name!r}"
        )
    check_name(_typed(document["name"], str, f"{file}: name"), f"{file}: name")
    _typed(document["provenance"], dict, f"{file}: provenance")
    entries = _typed(document["states"], list, f"{file}: states")
    own = {state.text for state in language.states}
    texts = [entry.get("text") if isinstance(entry, dict) else None for entry in entries]
    complete = own <= {text for text in texts if isinstance(text, str)}
    found: dict[AbstractState, dict[str, Any]] = {}
    others: list[str] = []
    for i, entry in enumerate(entries):
        text = texts[i]
        if complete and isinstance(text, str) and text not in own:
            others.append(text)
            continue
        state = _check_state(entry, f"{file}: state {i}", language)
        if state in found:
            raise UserError(f"{file}: state {i} ({state.text}) stands there twice")
        found[state] = entry
    missing = tuple(state for state in language.states if state not in found)
    if missing and whole:
        more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
        raise UserError(
            f"{file}: states: the state {missing[0].text!r}{more} missing: python -m jaxteach.precompute "
            f"--task TASK --out {file} --extend asks about what is missing alone"
        )
    return Checked(found, missing, tuple(others))


def check_name(name: str, at: str) -> None:
    """Refuse what cannot be a table's name.

    Args:
        name: the name.
        at: what to call it in the message.

    Raises:
        UserError: it is empty, too long or not printable.
    """
    if not (0 < len(name) <= 200 and name.isprintable()):
        raise UserError(f"{at} must be 1 to 200 printable characters")


def _check_state(entry: Any, at: str, language: Language) -> AbstractState:
    """Check one state and its plans, and say which state it is."""
    told = tuple(dict.fromkeys(name for state in language.states for name in state.fields))
    _fields(entry, at, ("text", "plans"), optional=told)
    text = _typed(entry["text"], str, f"{at}: text")
    known = {state.text: state for state in language.states}
    if text not in known:
        raise UserError(
            f"{at}: text is {_show(text)}: no state of this task, {nearest(text[:80], tuple(known))}"
        )
    state = known[text]
    at = f"{at} ({text})"
    _fields(entry, at, (*state.fields, "text", "plans"))
    for name, value in state.fields.items():
        if entry[name] != value or type(entry[name]) is not type(value):
            raise UserError(
                f"{at}: {name} is {_json(entry[name])}, which does not fit the text: "
                f"it must be {_json(value)}"
            )
    plans = list(_items(entry["plans"], f"{at}: plans", least=1, most=MAX_PLANS))
    for i, plan in plans:
        _check_plan(plan, f"{at}: plans[{i}]", language)
    total = math.fsum(plan["probability"] for _, plan in plans)
    if abs(total - 1) > TOLERANCE + 1e-9:  # the slack lets a sum written as 0.999 pass
        raise UserError(f"{at}: plans: probability sums to {total:.6g}, not to 1 within {TOLERANCE}")
    return state


def _check_plan(plan: Any, at: str, language: Language) -> None:
    """Check one plan: its options, probability and count."""
    _fields(plan, at, ("options", "probability", "count"))
    for i, option in _items(plan["options"], f"{at}.options", least=1, most=MAX_OPTIONS):
        _check_option(option, f"{at}.options[{i}]", language)
    probability = plan["probability"]
    if type(probability) not in (int, float) or not 0 <= probability <= 1 + TOLERANCE:
        raise UserError(f"{at}.probability is {_show(probability)}; it must be a number from 0 to 1")
    count = plan["count"]
    if count is not None and (type(count) is not int or not 0 <= count <= MAX_COUNT):
        raise UserError(f"{at}.count is {_show(count)}; it must be a whole number of at least 0, or null")


def _check_option(option: Any, at: str, language: Language) -> None:
    """Check one option: a known kind, with the fields of that kind and no other."""
    _fields(option, at, ("option",), optional=("object", "raw"))
    kind, grammar = option["option"], language.grammar
    if kind not in grammar.kinds:
        hint = nearest(str(kind)[:40], grammar.kinds)
        raise UserError(f"{at}.option: unknown option {_show(kind)}: {hint}")
    if kind in grammar.targeted:
        _fields(option, at, ("option", "object"))
        name = option["object"]
        if name not in language.objects:
            hint = nearest(str(name)[:40], language.objects)
            raise UserError(f"{at}.object: unknown object {_show(name)}: {hint}")
    else:
        _fields(option, at, ("option",), optional=("raw",) if kind == WAIT else ())
        _typed(option.get("raw", ""), str, f"{at}.raw")


def _items(value: Any, at: str, least: int = 0, most: int = MAX_PLANS) -> Any:
    """The numbered items of a list of sensible length."""
    length = len(_typed(value, list, at))
    if not least <= length <= most:
        raise UserError(f"{at}: {length} entries; there must be {least} to {most}")
    return enumerate(value)


def _fields(value: Any, at: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """Refuse an object that lacks a field or has one that means nothing."""
    _typed(value, dict, at)
    for key in required:
        if key not in value:
            raise UserError(f"{at}: the field {key!r} is missing")
    for key in value:
        if key not in required + optional:
            raise UserError(f"{at}: unknown field {_show(key)}: {nearest(key[:40], required + optional)}")


def _typed(value: Any, kind: type, at: str) -> Any:
    """The value itself, if it has the type it must have."""
    if not isinstance(value, kind):
        raise UserError(f"{at}: {_show(value)} stands where {_NAMES[kind]} belongs")
    return value


def _json(value: Any) -> str:
    """A JSON value as a file holds it, shortened."""
    shown = json.dumps(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _show(value: Any) -> str:
    """A JSON value in a few ASCII characters, so that a look-alike letter is seen for what it is."""
    if isinstance(value, dict | list):
        return _NAMES[list if isinstance(value, list) else dict]
    shown = ascii(value) if isinstance(value, str) else json.dumps(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
