"""Replies: plans found in free text, whatever else it holds."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.llm.replies import MAX_OPTIONS, is_rejected, read_plan, read_weighed_plans

OBJECTS = ("key", "door")


def words(text):
    return [option.text for option in read_plan(text, OBJECTS)]


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("Plan: explore", ["explore"]),
        ("Thought: a key.\nPlan: go to <key>, pick up <key>", ["go to <key>", "pick up <key>"]),
        ("**Plan:** Go to <KEY>.", ["go to <key>"]),
        ("- plan: `open <door>`;", ["open <door>"]),
        ("Plan: explore\nPlan: open <door>", ["explore"]),
        ("<think>Plan: explore?</think>Plan: open <door>", ["open <door>"]),
        ("I think so.\ngo to <door>, open <door> with <key>\n", ["go to <door>", "open <door>"]),
        ("Plan:\r\nexplore", [""]),
    ],
)
def test_plans_found(text, plan):
    assert words(text) == plan


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "I would explore the room.",
        "Plan: use <key>",
        "Plan: go to key",
        "Plan: go to <lava>",
        "</think>",
    ],
)
def test_no_plan_is_one_waiting_with_the_words(text):
    options = read_plan(text, OBJECTS)
    assert len(options) == 1
    assert is_rejected(options[0])


def test_what_is_understood_of_a_plan_is_kept():
    options = read_plan("Plan: go to <key>, use <key>, pick up <key>", OBJECTS)
    assert [is_rejected(option) for option in options] == [False, True, False]


def test_long_answers_are_cut():
    assert len(read_plan("Plan: " + "explore, " * 50, OBJECTS)) == MAX_OPTIONS
    assert len(read_plan("x" * 10_000, OBJECTS)[0].raw) == 160


@pytest.mark.parametrize(
    "text",
    ["\n" * 10**6, " " * 10**6, "1" + " " * 10**6, "Plan" + " " * 10**6, "1: a\n" * 10**6, "9" * 10**6],
)
def test_hostile_texts_are_read_in_no_time(text):
    start = time.perf_counter()
    read_plan(text, OBJECTS)
    read_weighed_plans(text, OBJECTS)
    assert time.perf_counter() - start < 5


def test_a_long_line_of_reasoning_does_not_hide_the_plan():
    assert words("hm " * 10**5 + "</think>Plan: explore") == ["explore"]


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("0.7: explore\n0.3: go to <key>", [0.7, 0.3]),
        ("70%: explore\n30 %: go to <key>", [0.7, 0.3]),
        ("- 2: explore\n- 6: go to <key>", [0.25, 0.75]),
        ("Sure!\n0.5: Plan: explore\nThat is all.", [1.0]),
        ("<think>0.9: explore</think>\n.2: go to <key>", [1.0]),
        ("0: explore\n0.0: go to <key>", [1.0]),
        ("no figures", [1.0]),
        (f"{'9' * 400}: explore\n1: go to <key>", [1.0]),
        (f"1{'0' * 308}: explore\n1{'0' * 308}: go to <key>", [0.5, 0.5]),
    ],
)
def test_stated_probabilities(text, weights):
    plans = read_weighed_plans(text, OBJECTS)
    assert [probability for _, probability in plans] == pytest.approx(weights)


def test_only_usable_lines_count():
    plans = read_weighed_plans("0: explore\n0.4: pick up <key>", OBJECTS)
    assert [options[0].text for options, _ in plans] == ["pick up <key>"]
    assert is_rejected(read_weighed_plans("0: explore", OBJECTS)[0][0][0])


@given(
    st.text(max_size=200) | st.from_regex(r"([0-9.]{1,5}%?: [a-z<>, ]{0,20}\n){0,4}|Plan:.*", fullmatch=True)
)
def test_any_text_gives_plans_that_can_be_written(text):
    plans = [(read_plan(text, OBJECTS), 1.0), *read_weighed_plans(text, OBJECTS)]
    assert all(0 < len(options) <= MAX_OPTIONS for options, _ in plans)
    assert math.isclose(sum(p for _, p in plans[1:]), 1.0)
    json.dumps([option.text for options, _ in plans for option in options]).encode("ascii")
