"""Teacher tables: what is saved comes back, and every kind of damage is refused in one line."""

import copy
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from jaxteach.tasks.language import Option
from jaxteach.teacher import Plan, PlanTable, load_table, save_table
from jaxteach.teacher.checks import MAX_BYTES
from jaxteach.utils.errors import UserError
from tests.worlds.minigrid.paper.words import SIMPLE

WORDS = SIMPLE.language
TASK = "simple_door_key"


def make_table() -> PlanTable:
    """A small valid table, with every kind of option, a count and a rejected option in it."""
    explore = (Plan((Option("explore"),), 1.0),)
    rich = (
        Plan((Option("go to", "key"), Option("pick up", "key"), Option("open", "door")), 0.75, 15),
        Plan((Option("drop", "key"), Option("wait", raw="use <k\u00e9y>")), 0.125, 3),
        Plan((Option("wait"), Option("explore")), 0.125, 2),
    )
    plans = (explore, explore, rich, rich, explore, rich)
    return PlanTable(TASK, "example", WORDS.states, plans, {"model": None, "sampling": {"temperature": 0.7}})


def valid_document(tmp_path: Path) -> dict[str, Any]:
    """The JSON of `make_table`."""
    save_table(make_table(), tmp_path / "valid.json")
    document: dict[str, Any] = json.loads((tmp_path / "valid.json").read_text())
    return document


def load(path: Path) -> PlanTable:
    return load_table(path, TASK, WORDS)


def refusal(path: Path) -> str:
    """What the loader says about a bad file, which has to be one line that starts with the file."""
    with pytest.raises(UserError) as caught:
        load(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and message.isprintable()
    assert message.startswith((f"{path}: ", f"{path} "))
    return message


def refusal_of(document: Any, tmp_path: Path) -> str:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))
    return refusal(path)


def test_a_saved_table_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "t.json"
    saved = save_table(make_table(), path)
    assert load(path) == saved
    first = path.read_bytes()
    save_table(saved, path)
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ["t.json"]


def test_a_plan_takes_one_line_of_ascii(tmp_path: Path) -> None:
    save_table(make_table(), tmp_path / "t.json")
    lines = (tmp_path / "t.json").read_bytes().decode("ascii").splitlines()
    assert sum('"probability"' in line for line in lines) == 12


def test_the_order_of_states_in_the_file_does_not_matter(tmp_path: Path) -> None:
    document = valid_document(tmp_path)
    document["states"].reverse()
    (tmp_path / "t.json").write_text(json.dumps(document))
    assert load(tmp_path / "t.json").plans == make_table().plans


def test_two_digit_figures_are_renormalised(tmp_path: Path) -> None:
    document = valid_document(tmp_path)
    for plan, p in zip(document["states"][2]["plans"], (0.3333, 0.3333, 0.3325), strict=True):
        plan["probability"] = p
    (tmp_path / "t.json").write_text(json.dumps(document))
    loaded = [plan.probability for plan in load(tmp_path / "t.json").plans[2]]
    assert math.fsum(loaded) == pytest.approx(1, abs=1e-15)
    assert loaded[0] == pytest.approx(0.3333 / 0.9991, rel=1e-12)


def test_figures_that_sum_to_one_are_kept_to_the_bit(tmp_path: Path) -> None:
    document = valid_document(tmp_path)
    figures = [0.84, 0.08, 0.08]
    for plan, p in zip(document["states"][2]["plans"], figures, strict=True):
        plan["probability"] = p
    (tmp_path / "t.json").write_text(json.dumps(document))
    assert [plan.probability for plan in load(tmp_path / "t.json").plans[2]] == figures


def test_a_table_needs_a_plan_for_every_state() -> None:
    table = make_table()
    with pytest.raises(ValueError, match="plan"):
        PlanTable(TASK, "x", table.states, table.plans[:-1], {})
    with pytest.raises(ValueError, match="plan"):
        PlanTable(TASK, "x", table.states, (*table.plans[:-1], ()), {})


STATE = "state 2 (Agent sees <key>, holds <nothing>.)"
THIRD = ("states", 2)
FIRST = (*THIRD, "plans", 0)
GO_TO = (*FIRST, "options", 0)
WAIT = (*THIRD, "plans", 1, "options", 1)
SPOILT = [
    # where the value goes, the value, what the message has to say
    (("schema_version",), 2, "schema_version is 2"),
    (("schema_version",), True, "schema_version is true"),
    (("schema_version",), 1.0, "schema_version is 1.0"),
    (("schema_version",), "1", "schema_version is '1'"),
    (("task",), "lava_door_key", "is 'lava_door_key', but the table is needed for 'simple_door_key'"),
    (("name",), "", "name must be"),
    (("name",), "a\nb", "name must be"),
    (("name",), None, "name: null stands where a text belongs"),
    (("provenance",), [], "provenance: a list stands where an object belongs"),
    (("provenance", "sampling", "temperature"), math.nan, "provenance.sampling.temperature: nan is not"),
    (("provenance", "a\n\u0435"), math.inf, "provenance.'a\\n\\u0435': inf is not a finite number"),
    (("states",), {}, "states: an object stands where a list belongs"),
    (THIRD, 7, "state 2: 7 stands where an object belongs"),
    ((*THIRD, "sees"), "key", f'{STATE}: sees is "key", which does not fit the text: it must be ["key"]'),
    ((*THIRD, "sees"), ["kye"], f'{STATE}: sees is ["kye"], which does not fit the text'),
    ((*THIRD, "sees"), ["k\u0435y"], f'{STATE}: sees is ["k\\u0435y"], which does not fit the text'),
    ((*THIRD, "sees"), ["key", "key"], f'{STATE}: sees is ["key", "key"], which does not fit the text'),
    (("states", 3, "sees"), ["door", "key"], 'sees is ["door", "key"], which does not fit the text'),
    ((*THIRD, "holds"), "door", f'{STATE}: holds is "door", which does not fit the text: it must be null'),
    ((*THIRD, "holds"), "nothing", f'{STATE}: holds is "nothing", which does not fit the text'),
    ((*THIRD, "holds"), False, f"{STATE}: holds is false, which does not fit the text"),
    ((*THIRD, "text"), "Agent sees <key>, <key>, holds <nothing>.", "no state of this task"),
    ((*THIRD, "text"), "Agent sees <k\u0435y>, holds <nothing>.", "text is 'Agent sees <k\\u0435y>"),
    ((*THIRD, "plans"), [], f"{STATE}: plans: 0 entries"),
    ((*THIRD, "plans", 1), None, f"{STATE}: plans[1]: null stands where an object belongs"),
    ((*THIRD, "plans", 1, "options"), [], f"{STATE}: plans[1].options: 0 entries"),
    ((*THIRD, "plans", 1, "options"), [{"option": "explore"}] * 101, "plans[1].options: 101 entries"),
    ((*FIRST, "probability"), -0.1, f"{STATE}: plans[0].probability is -0.1"),
    ((*FIRST, "probability"), math.nan, "states[2].plans[0].probability: nan is not a finite"),
    ((*FIRST, "probability"), math.inf, "states[2].plans[0].probability: inf is not a finite"),
    ((*FIRST, "probability"), True, f"{STATE}: plans[0].probability is true"),
    ((*FIRST, "probability"), "0.75", f"{STATE}: plans[0].probability is '0.75'"),
    ((*FIRST, "probability"), None, f"{STATE}: plans[0].probability is null"),
    ((*FIRST, "probability"), 10**400, f"{STATE}: plans[0].probability is 1000"),
    ((*FIRST, "probability"), 0.7520, f"{STATE}: plans: probability sums to 1.002"),
    ((*FIRST, "probability"), 0.7485, f"{STATE}: plans: probability sums to 0.9985"),
    ((*FIRST, "count"), -1, f"{STATE}: plans[0].count is -1"),
    ((*FIRST, "count"), 3.0, f"{STATE}: plans[0].count is 3.0"),
    ((*FIRST, "count"), True, f"{STATE}: plans[0].count is true"),
    ((*FIRST, "count"), 2**60, f"{STATE}: plans[0].count is 1152921504606846976"),
    ((*GO_TO, "option"), "goto", "plans[0].options[0].option: unknown option 'goto'"),
    ((*GO_TO, "option"), "g\u043e to", "unknown option 'g\\u043e to': did you mean"),
    ((*GO_TO, "option"), ["go to"], "unknown option a list"),
    ((*GO_TO, "option"), "explore", "options[0]: unknown field 'object'"),
    ((*GO_TO, "object"), "window", "options[0].object: unknown object 'window'"),
    ((*GO_TO, "object"), None, "options[0].object: unknown object null"),
    ((*GO_TO, "raw"), "x", "options[0]: unknown field 'raw'"),
    ((*WAIT, "raw"), 5, "plans[1].options[1].raw: 5 stands where a text belongs"),
    ((*WAIT, "raw"), "\udc80", "half of a surrogate pair"),
    ((*WAIT, "object"), "key", "options[1]: unknown field 'object'"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "says"), SPOILT)
def test_a_spoilt_field_is_named(place: tuple[str | int, ...], value: Any, says: str, tmp_path: Path) -> None:
    document = valid_document(tmp_path)
    *parents, last = place
    owner = document
    for key in parents:
        owner = owner[key]  # type: ignore[index]
    owner[last] = value  # type: ignore[index]
    assert says in refusal_of(document, tmp_path)


FIELDS = [
    (),
    ("states", 2),
    ("states", 2, "plans", 0),
    ("states", 2, "plans", 0, "options", 0),
]


@pytest.mark.parametrize("place", FIELDS)
def test_every_field_is_needed_and_no_other_is_known(place: tuple[str | int, ...], tmp_path: Path) -> None:
    document = valid_document(tmp_path)
    owner: Any = document
    for key in place:
        owner = owner[key]
    for key in list(owner):
        held = owner.pop(key)
        assert f"the field '{key}' is missing" in refusal_of(document, tmp_path)
        owner[key] = held
    owner["probabilty"] = 1
    assert "unknown field 'probabilty'" in refusal_of(document, tmp_path)


def test_a_missing_state_is_named(tmp_path: Path) -> None:
    document = valid_document(tmp_path)
    del document["states"][4]
    assert "the state 'Agent sees <nothing>, holds <key>.' is missing" in refusal_of(document, tmp_path)


def test_a_repeated_state_is_named(tmp_path: Path) -> None:
    document = valid_document(tmp_path)
    document["states"].append(copy.deepcopy(document["states"][1]))
    assert "state 6 (Agent sees <door>, holds <nothing>.) stands there twice" in refusal_of(
        document, tmp_path
    )


@pytest.mark.parametrize("key", ["schema_version", "states", "temperature", "sees", "probability", "object"])
def test_a_key_written_twice_is_refused(key: str, tmp_path: Path) -> None:
    valid_document(tmp_path)
    text = (tmp_path / "valid.json").read_text()
    path = tmp_path / "bad.json"
    path.write_text(text.replace(f'"{key}":', f'"{key}": null, "{key}":', 1))
    assert f"the key '{key}' stands there twice" in refusal(path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON: line 1, column 1"),
        (b"{", "not JSON"),
        (b"null", "null stands where an object belongs"),
        (b"[]", "a list stands where an object belongs"),
        (b"\xff\xfe{}", "not UTF-8 text (byte 0)"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        ('{"a": 1}'.encode("utf-16-le"), "not JSON"),
        ('{"a": "\u00e9"}'.encode("latin-1"), "not UTF-8 text (byte 7)"),
        (b'{"a": 1} {}', "not JSON"),
        (b'{"a": ' + b"7" * 5000 + b"}", "not JSON"),
        (b"[" * 40 + b"]" * 40, "nested deeper than 32 levels"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested deeper than 32 levels"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 32 levels"),
        (b'{"a":' * 1_000_000, "nested deeper than 32 levels"),
        (b" " * (MAX_BYTES + 1), "larger than 16 MB"),
        (b"[" + b"0," * 1_000_000 + b"0]", "a list stands where an object belongs"),
    ],
    ids=lambda value: value[:12].hex() if isinstance(value, bytes) else value[:20],
)
def test_what_is_no_table_at_all_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(data)
    assert says in refusal(path)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    valid_document(tmp_path)
    data = (tmp_path / "valid.json").read_bytes().rstrip()
    path = tmp_path / "bad.json"
    for end in range(0, len(data), 37):
        path.write_bytes(data[:end])
        assert "not JSON" in refusal(path)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.json")
    assert "not a file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe.json")
    assert "not a file" in refusal(tmp_path / "pipe.json")
    assert "cannot be read" in refusal(tmp_path / ("x" * 300 + ".json"))
    with pytest.raises(UserError, match=r"no such file|cannot be read"):
        load(tmp_path / "a\0b.json")


def test_an_unknown_name_brings_the_nearest_ones() -> None:
    with pytest.raises(UserError, match=r"no teacher table 'chatgml' .*did you mean 'chatglm'\?"):
        load_table("chatgml", TASK, WORDS)
    with pytest.raises(UserError, match=r"no teacher table 'x' for task no_such_task: \(none ships"):
        load_table("x", "no_such_task", WORDS)


def test_a_table_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*t\.json: No space left"):
        save_table(make_table(), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make the folder"):
        save_table(make_table(), tmp_path / "file" / "t.json")


def test_a_saved_table_can_be_read_by_others(tmp_path: Path) -> None:
    save_table(make_table(), tmp_path / "t.json")
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE((tmp_path / "t.json").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )
