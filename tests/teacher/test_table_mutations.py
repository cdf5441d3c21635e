"""Hundreds of ways to damage a table: each is refused in one line; what changes nothing still loads."""

import copy
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxteach.teacher import PlanTable, load_table
from jaxteach.teacher.loading import cache_folder
from jaxteach.utils.errors import UserError
from tests.worlds.minigrid.paper.words import SIMPLE

TASK, WORDS = "simple_door_key", SIMPLE.language
VALID = (cache_folder() / TASK / "chatglm.json").read_text()
Place = tuple[str | int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value, the root first."""
    yield at
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*at, key))


def get(document: Any, place: Place) -> Any:
    for key in place:
        document = document[key]
    return document


def put(document: Any, place: Place, value: Any) -> Any:
    """A copy of the document with another value at a place."""
    if not place:
        return value
    document = copy.deepcopy(document)
    get(document, place[:-1])[place[-1]] = value
    return document


DOCUMENT = json.loads(VALID)
PLACES = list(places(DOCUMENT))
MEANT = [p for p in PLACES if p[:1] != ("provenance",) or len(p) == 1]  # the insides of provenance are free
FREE = ("count", "name", "raw")  # fields that take any value of their type
STRICT = [p for p in MEANT if p and p[-1] not in FREE]
OBJECTS = [p for p in MEANT if isinstance(get(DOCUMENT, p), dict) and p != ("provenance",)]
WORDED = [p for p in STRICT if isinstance(get(DOCUMENT, p), str)]
PROBABILITIES = [p for p in MEANT if p and p[-1] == "probability"]

LOOK_ALIKES = str.maketrans(
    "eopcaxkdis ", "\u0435\u043e\u0440\u0441\u0430\u0445\u212a\u0501\u0456\u0455\u00a0"
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def kind_of(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def wrong_type(draw: Draw) -> str:
    place = draw(st.sampled_from(STRICT))
    old = get(DOCUMENT, place)
    return json.dumps(
        put(DOCUMENT, place, draw(JSON_VALUES.filter(lambda new: kind_of(new) != kind_of(old))))
    )


def wrong_number(draw: Draw) -> str:
    place = draw(st.sampled_from(PROBABILITIES))
    old = get(DOCUMENT, place)
    far = st.floats(allow_nan=True).filter(lambda new: not abs(new - old) < 1.1e-3)
    return json.dumps(put(DOCUMENT, place, draw(far | st.sampled_from([math.nan, math.inf, -0.01, 10**400]))))


def wrong_count(draw: Draw) -> str:
    place = draw(st.sampled_from([p for p in MEANT if p and p[-1] == "count"]))
    bad = (
        st.integers(max_value=-1) | st.integers(min_value=2**53 + 1) | st.floats() | st.booleans() | st.text()
    )
    return json.dumps(put(DOCUMENT, place, draw(bad)))


def wrong_word(draw: Draw) -> str:
    place = draw(st.sampled_from(WORDED))
    old = get(DOCUMENT, place)
    near = st.sampled_from([old.upper(), old + " ", " " + old, old + "\0", old[:-1], "explore <key>"])
    sound = WORDS.grammar.kinds if place[-1] == "option" else (old,)
    return json.dumps(
        put(DOCUMENT, place, draw((st.text(max_size=12) | near).filter(lambda new: new not in sound)))
    )


def look_alike(draw: Draw) -> str:
    place = draw(st.sampled_from(WORDED))
    old = get(DOCUMENT, place)
    at = draw(st.sampled_from([i for i, c in enumerate(old) if c.translate(LOOK_ALIKES) != c]))
    new = old[:at] + old[at].translate(LOOK_ALIKES) + old[at + 1 :]
    return json.dumps(put(DOCUMENT, place, new), ensure_ascii=draw(st.booleans()))


def look_alike_key(draw: Draw) -> str:
    place = draw(st.sampled_from(OBJECTS))
    owner = dict(get(DOCUMENT, place))
    key = draw(st.sampled_from(sorted(owner)))
    owner[key.translate(LOOK_ALIKES)] = owner.pop(key)
    return json.dumps(put(DOCUMENT, place, owner))


def missing_field(draw: Draw) -> str:
    document = copy.deepcopy(DOCUMENT)
    owner = get(document, draw(st.sampled_from([p for p in OBJECTS if "raw" not in get(DOCUMENT, p)])))
    del owner[draw(st.sampled_from(sorted(owner)))]
    return json.dumps(document)


def strange_field(draw: Draw) -> str:
    place = draw(st.sampled_from(OBJECTS))
    owner = dict(get(DOCUMENT, place))
    key = draw(st.text(max_size=9).filter(lambda key: key not in owner and key not in ("object", "raw")))
    return json.dumps(put(DOCUMENT, place, {**owner, key: draw(JSON_VALUES)}))


def doubled_field(draw: Draw) -> str:
    place = draw(st.sampled_from([*OBJECTS, ("provenance",)]))
    owner = get(DOCUMENT, place)
    key = draw(st.sampled_from(sorted(owner)))
    again = json.dumps(owner)[:-1] + f", {json.dumps(key)}: {json.dumps(owner[key])}}}"
    return json.dumps(put(DOCUMENT, place, "HERE")).replace('"HERE"', again) if place else again


def lost_item(draw: Draw) -> str:
    document = copy.deepcopy(DOCUMENT)
    shares = [
        p for p in MEANT if p and p[-1] in ("states", "sees", "plans") and isinstance(get(document, p), list)
    ]
    items = get(document, draw(st.sampled_from([p for p in shares if get(document, p)])))
    del items[draw(st.integers(0, len(items) - 1))]
    return json.dumps(document)


def doubled_item(draw: Draw) -> str:
    document = copy.deepcopy(DOCUMENT)
    shares = [p for p in MEANT if p and p[-1] in ("states", "sees", "plans") and get(document, p)]
    items = get(document, draw(st.sampled_from(shares)))
    items.insert(draw(st.integers(0, len(items))), draw(st.sampled_from(items)))
    return json.dumps(document)


def nested(draw: Draw) -> str:
    place, depth = draw(st.sampled_from(PLACES)), draw(st.sampled_from([40, 500, 5000, 200_000]))
    text = json.dumps(put(DOCUMENT, place, "HERE"))
    start, end = draw(st.sampled_from([("[", "]"), ('{"a":', "}")]))
    return text.replace('"HERE"', start * depth + "1" + end * depth)


def truncated(draw: Draw) -> str:
    return VALID.rstrip()[: draw(st.integers(0, len(VALID.rstrip()) - 1))]


def trailing(draw: Draw) -> str:
    return VALID + str(draw(st.sampled_from(["x", "{}", ",", "\0", "]", VALID])))


ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7", "cp037")
BAD_BYTES = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xae", b"\0")


def wrong_encoding(draw: Draw) -> bytes:
    data = VALID.encode()
    at = draw(st.integers(0, len(data)))
    spoilt = [VALID.encode(name) for name in ENCODINGS]
    spoilt += [data[:at] + bad + data[at:] for bad in BAD_BYTES]
    spoilt.append(VALID.replace("<handle>", "<\u00e9>").encode("latin-1"))
    spoilt.append(VALID.replace("<handle>", "<\\ud800>").encode())
    spoilt.append(VALID.replace("ChatGLM", "Chat\\udc00GLM").encode())
    return bytes(draw(st.sampled_from([text for text in spoilt if text != data])))


NOT_JSON = [('"', "'"), ("null", "None"), ("null", "nul"), ("1.0", "1."), ("1.0", "01.0"), ("1.0", "+1.0")]
NOT_JSON += [
    ("1.0", "0x1"),
    ("0.", "."),
    ("}", ",}"),
    ("]", ",]"),
    (":", "="),
    ("{", "/* */ {"),
    ("\n", "\u2028"),
]


def not_quite_json(draw: Draw) -> str:
    old, new = draw(st.sampled_from(NOT_JSON))
    assert old in VALID
    return VALID.replace(old, new)


DAMAGES = [
    wrong_type, wrong_number, wrong_count, wrong_word, look_alike, look_alike_key, missing_field,
    strange_field, doubled_field, lost_item, doubled_item, nested, truncated, trailing, wrong_encoding,
    not_quite_json,
]  # fmt: skip


def load(text: str | bytes) -> PlanTable:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return load_table(path, TASK, WORDS)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_a_damaged_table_is_refused_in_one_line(
    damage: Callable[[Draw], str | bytes], data: st.DataObject
) -> None:
    spoilt = damage(data.draw)
    with pytest.raises(UserError) as caught:
        load(spoilt)
    message = str(caught.value)
    assert "table.json: " in message or "table.json is damaged" in message
    assert message.isprintable() and len(message) < 600


def renamed(draw: Draw) -> Any:
    return put(DOCUMENT, ("name",), draw(st.text("abc-\u00e9\u6559", min_size=1, max_size=20)))


def other_provenance(draw: Draw) -> Any:
    sound = JSON_VALUES.filter(
        lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value)
    )
    return put(DOCUMENT, ("provenance",), {"note": draw(sound)})


def reordered(draw: Draw) -> Any:
    return put(DOCUMENT, ("states",), draw(st.permutations(DOCUMENT["states"])))


def counted(draw: Draw) -> Any:
    place = draw(st.sampled_from([p for p in MEANT if p and p[-1] == "count"]))
    return put(DOCUMENT, place, draw(st.integers(0, 2**53)))


def nearly_one(draw: Draw) -> Any:
    place = draw(st.sampled_from(PROBABILITIES))
    return put(DOCUMENT, place, get(DOCUMENT, place) + draw(st.floats(-9.9e-4, 9.9e-4)))


NEUTRAL = [renamed, other_provenance, reordered, counted, nearly_one]


@pytest.mark.parametrize("change", NEUTRAL, ids=lambda change: change.__name__)
@settings(max_examples=15)
@given(data=st.data())
def test_what_changes_no_meaning_still_loads(change: Callable[[Draw], Any], data: st.DataObject) -> None:
    table, original = load(json.dumps(change(data.draw), ensure_ascii=False)), load(VALID)
    assert table.states == original.states
    for plans, expected in zip(table.plans, original.plans, strict=True):
        assert [plan.options for plan in plans] == [plan.options for plan in expected]
        assert [p.probability for p in plans] == pytest.approx([p.probability for p in expected], abs=2e-3)
        assert math.fsum(plan.probability for plan in plans) == pytest.approx(1, abs=1e-9)


@settings(max_examples=100)
@given(st.integers(0, len(VALID) - 1), st.integers(0, 12), st.binary(max_size=12))
@example(0, 0, b"")
def test_random_bytes_are_refused_or_change_no_meaning(at: int, length: int, new: bytes) -> None:
    data = VALID.encode()
    try:
        table = load(data[:at] + new + data[at + length :])
    except UserError:
        return
    assert table.states == WORDS.states
    assert all(math.fsum(p.probability for p in plans) == pytest.approx(1) for plans in table.plans)
