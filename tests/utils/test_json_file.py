"""Tests of JSON files from untrusted sources: what is no object, values of another type."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.config import PAPER, Config, Decay, Student, from_json, to_json
from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import own_fields, read_object, typed


@dataclass(frozen=True)
class Part:
    number: float = 0.5


@dataclass(frozen=True)
class Whole:
    name: str
    count: Annotated[int, "a note"]
    mode: Literal["soft", "hard"] = "soft"
    on: bool = False
    limit: int | None = None
    sizes: tuple[int, ...] = ()
    out: Path | None = None
    versions: dict[str, str] | None = None
    part: Part = field(default_factory=Part)
    notes: dict[str, str] = field(default_factory=dict)


GOOD: dict[str, Any] = {"name": "a", "count": 3, "part": {"number": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not JSON"),
        (b'{"a"', "not JSON"),
        (b"\xff", "not UTF-8 text"),
        pytest.param(b'{"a": 1' + b"0" * 5000 + b"}", "not JSON", id="digits"),
        (b"[]", "must hold a JSON object, not a list"),
        (b"7", "must hold a JSON object, not 7"),
        (b"null", "must hold a JSON object, not null"),
        (b'{"a": {"b": 1, "b": 2}}', "a: the key 'b' stands there twice"),
        (b'{"a": [NaN]}', r"a\[0\]: nan is not a finite number"),
        pytest.param(b'{"a": ' * 33 + b"1" + b"}" * 33, "nested deeper than 32 levels", id="deep"),
        pytest.param(b'{"a": ' + b"[" * 100_000, "nested deeper than 32 levels", id="deeper"),
    ],
)
def test_files_that_hold_no_object(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_bytes(text)
    with pytest.raises(UserError, match=message) as error:
        read_object(path)
    assert str(path) in str(error.value)


def test_files_that_do_and_files_that_are_not_there(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(FileNotFoundError):
        read_object(path)
    path.write_text('{"a": ' * 32 + "1" + "}" * 32)
    assert list(read_object(path)) == ["a"]
    with pytest.raises(FileNotFoundError):
        read_object(path / "y.json")
    with pytest.raises(UserError, match="not a file"):
        read_object(tmp_path)


def test_values_become_what_their_annotations_say():
    values = {**GOOD, "sizes": [1, 2], "out": "runs/x", "limit": None, "versions": {"jax": "1"}}
    whole = typed(Whole, values, "x.json")
    assert whole == Whole(
        "a", 3, sizes=(1, 2), out=Path("runs/x"), versions={"jax": "1"}, part=Part(number=1)
    )
    assert isinstance(whole.part.number, int)  # as written: fingerprints tell 1 from 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "x.json: name must be a text, not null"),
        ({"count": "3"}, "x.json: count must be a whole number, not '3'"),
        ({"count": 3.0}, "x.json: count must be a whole number, not 3.0"),
        ({"count": True}, "x.json: count must be a whole number, not true or false"),
        ({"mode": {"a": 1}}, "x.json: mode must be one of soft, hard, not an object"),
        ({"mode": "Soft"}, "x.json: mode must be one of soft, hard, not 'Soft'"),
        ({"on": 1}, "x.json: on must be true or false, not 1"),
        ({"limit": []}, "x.json: limit must be a whole number, not a list"),
        ({"sizes": "12"}, "x.json: sizes must be a list, not '12'"),
        ({"sizes": [1, None]}, "x.json: sizes[1] must be a whole number, not null"),
        ({"out": 5}, "x.json: out must be a text, not 5"),
        ({"versions": {"jax": None}}, "x.json: versions.jax must be a text, not null"),
        ({"part": 5}, "x.json: part must be an object, not 5"),
        ({"part": {"number": "x" * 10**6}}, f"x.json: part.number must be a finite number, not '{'x' * 40}'"),
        ({"part": {"number": float("nan")}}, "x.json: part.number must be a finite number, not nan"),
        ({"part": {"number": 10**400}}, f"x.json: part.number must be a finite number, not 1{'0' * 39}"),
        ({"part": {"numbre": 1}}, "x.json: part: 'numbre' is no field of this version"),
    ],
)
def test_values_of_another_type(changes, message):
    with pytest.raises(UserError) as error:
        typed(Whole, GOOD | changes, "x.json")
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["name", "part"])
def test_what_has_no_plain_default_must_be_there(name):
    values = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(UserError, match=f"^x.json: {name} is missing$"):
        typed(Whole, values, "x.json")


def test_what_has_a_plain_default_may_be_missing():
    assert typed(Whole, GOOD, "x.json") == Whole("a", 3, part=Part(1))


def test_own_fields_leaves_the_rest_aside():
    assert own_fields(Part, {"number": 1, "view": 2}) == {"number": 1}
    assert own_fields(Part, "text") == "text"


# ---- a run's configuration -----------------------------------------------------------------------------

CONFIG = json.loads(json.dumps(to_json(PAPER)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
PATHS = [(name,) for name in CONFIG] + [
    (name, inner) for name, part in CONFIG.items() if isinstance(part, dict) for inner in part
]


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        PAPER,
        Config(sweep=("ppo.lr=1,2",), out=Path("a"), decay=Decay(start=5), student=Student("gru")),
    ],
)
def test_a_configuration_comes_back_as_it_was(config):
    values = json.loads(json.dumps(to_json(config)))
    assert json.dumps(to_json(from_json(values))) == json.dumps(to_json(config))
    older = {name: value for name, value in values.items() if name not in ("eval_episodes", "method")}
    assert from_json(older | {"view": 1, "versions": 2}) == config


@given(st.sampled_from(PATHS), JSON)
def test_a_configuration_with_one_value_changed_loads_as_it_says_or_is_refused(path, value):
    config = json.loads(json.dumps(CONFIG))
    node = config
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    try:
        text = json.dumps(to_json(from_json(config)))
    except UserError as error:
        text = str(error)
    part = to_json(Config())[path[0]]
    if len(path) == 1 and isinstance(part, dict) and isinstance(value, dict):
        config[path[0]] = {**part, **value}  # what an older version did not write has its default
    assert text == json.dumps(config) or text.startswith(f"config.json: {'.'.join(path)}")


def test_a_number_of_either_kind_is_no_null():
    assert typed(int | float, 3, "f") == 3 and typed(int | float | None, None, "f") is None
    with pytest.raises(UserError, match="f must be a finite number, not null"):
        typed(int | float, None, "f")
