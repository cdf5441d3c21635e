"""The plan grammar: what it accepts, what it turns into a wait, and that it never raises."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.tasks.language import Grammar, Option
from jaxteach.teacher import parse_plan

OBJECTS = ("key", "door", "c1 key")
GRAMMAR = Grammar(("explore",), ("go to", "pick up", "drop", "open"), with_tool=("open",))


def test_every_kind_of_option() -> None:
    plan = parse_plan("explore, go to <c1 key>, pick up <key>, drop <key>, open <door>", OBJECTS, GRAMMAR)
    assert plan == (
        Option("explore"),
        Option("go to", "c1 key"),
        Option("pick up", "key"),
        Option("drop", "key"),
        Option("open", "door"),
    )


def test_open_with_is_open() -> None:
    assert parse_plan("open <door> with <key>", OBJECTS, GRAMMAR) == (Option("open", "door"),)


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
    assert parse_plan(text, OBJECTS, GRAMMAR) == (Option("wait", raw=text),)


def test_one_bad_option_spoils_no_other() -> None:
    assert parse_plan(" go to <door>,pick up <handle>,\n explore,", OBJECTS, GRAMMAR) == (
        Option("go to", "door"),
        Option("wait", raw="pick up <handle>"),
        Option("explore"),
        Option("wait", raw=""),
    )


def test_half_a_surrogate_pair_can_still_be_written() -> None:
    (option,) = parse_plan("use \ud800", OBJECTS, GRAMMAR)
    assert option.raw == "use ?"


@given(st.text())
def test_any_text_parses_to_known_kinds(text: str) -> None:
    plan = parse_plan(text, OBJECTS, GRAMMAR)
    assert len(plan) == text.count(",") + 1
    for option in plan:
        assert option.kind in GRAMMAR.kinds
        assert option.object is None or option.object in OBJECTS
        option.text.encode()


VALID = st.one_of(
    st.just(Option("explore")), st.builds(Option, st.sampled_from(GRAMMAR.targeted), st.sampled_from(OBJECTS))
)


@given(st.lists(VALID, min_size=1, max_size=6))
def test_text_and_parse_are_inverse(options: list[Option]) -> None:
    assert parse_plan(", ".join(option.text for option in options), OBJECTS, GRAMMAR) == tuple(options)


def test_the_teacher_room_opens_without_jax() -> None:
    code = "import sys, jaxteach.teacher; sys.exit('jax' in sys.modules or 'navix' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
