"""The plan grammar: what it accepts, what it turns into a wait, and that it never raises."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.teacher import KINDS, TARGETED, Option, parse_plan

OBJECTS = ("key", "door", "c1 key")


def test_every_kind_of_option() -> None:
    plan = parse_plan("explore, go to <c1 key>, pick up <key>, drop <key>, open <door>", OBJECTS)
    assert plan == (
        Option("explore"),
        Option("go to", "c1 key"),
        Option("pick up", "key"),
        Option("drop", "key"),
        Option("open", "door"),
    )


def test_open_with_is_open() -> None:
    assert parse_plan("open <door> with <key>", OBJECTS) == (Option("open", "door"),)


@pytest.mark.parametrize(
    "text",
    [
        "use <key>",  # no such verb
        "pick up <handle>",  # no such object
        "go to east",  # no brackets
        "open <door> with <handle>",
        "go to <door> with <key>",  # only open takes a tool
        "go to <key> <door>",
        "go to",
        "go to <>",
        "go to < key>",
        "go  to <key>",
        "Explore",
        "explore.",
        "explore <key>",
        "wait",
        "",
        "g\u043e to <key>",  # Cyrillic o
        "pic\u212a up <key>".lower() + "\u200b",  # zero-width space
        "\u212aey",
        "go\u00a0to <key>",  # no-break space
        "\uff47o to <key>",  # full-width g
        "go to \uff1ckey\uff1e",
        "__import__('os').system('true')",
    ],
)
def test_anything_else_is_a_wait_that_keeps_the_words(text: str) -> None:
    assert parse_plan(text, OBJECTS) == (Option("wait", raw=text),)


def test_one_bad_option_spoils_no_other() -> None:
    assert parse_plan(" go to <door>,pick up <handle>,\n explore,", OBJECTS) == (
        Option("go to", "door"),
        Option("wait", raw="pick up <handle>"),
        Option("explore"),
        Option("wait", raw=""),
    )


def test_half_a_surrogate_pair_can_still_be_written() -> None:
    (option,) = parse_plan("use \ud800", OBJECTS)
    assert option.raw == "use ?"


@given(st.text())
def test_any_text_parses_to_known_kinds(text: str) -> None:
    plan = parse_plan(text, OBJECTS)
    assert len(plan) == text.count(",") + 1
    for option in plan:
        assert option.kind in KINDS
        assert option.object is None or option.object in OBJECTS
        option.text.encode()


VALID = st.one_of(
    st.just(Option("explore")), st.builds(Option, st.sampled_from(TARGETED), st.sampled_from(OBJECTS))
)


@given(st.lists(VALID, min_size=1, max_size=6))
def test_text_and_parse_are_inverse(options: list[Option]) -> None:
    assert parse_plan(", ".join(option.text for option in options), OBJECTS) == tuple(options)


def test_text_of_a_wait() -> None:
    assert Option("wait").text == "wait"
    assert Option("wait", raw="use <key>").text == "use <key>"


@pytest.mark.parametrize(
    "fields",
    [
        ("fly", None, None),
        ("explore", "key", None),
        ("go to", None, None),
        ("explore", None, "x"),
        ("wait", "key", None),
    ],
)
def test_an_option_that_makes_no_sense_cannot_be_built(fields: tuple[str, str | None, str | None]) -> None:
    with pytest.raises(ValueError, match="option"):
        Option(*fields)


def test_the_teacher_room_opens_without_jax() -> None:
    code = "import sys, jaxteach.teacher; sys.exit('jax' in sys.modules or 'navix' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
