"""Replies: plans found in free text, whatever else it holds."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.llm.parse import MAX_OPTIONS, is_rejected, read_plan, read_weighed_plans, thought_of
from tests.llm.fakes import SIMPLE

QUESTION = SIMPLE.questions[0]


def words(text):
    return [option.text for option in read_plan(text, QUESTION)]


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("Plan: explore", ["explore"]),
        ("Thought: a key.\nPlan: go to <key>, pick up <key>", ["go to <key>", "pick up <key>"]),
        ("**Plan:** Go to <KEY>.", ["go to <key>"]),
        ("- plan: `open <door>`;", ["open <door>"]),
        ("Plan: explore\nPlan: open <door>", ["open <door>"]),
        ("<think>Plan: explore?</think>Plan: open <door>", ["open <door>"]),
        ("I think so.\ngo to <door>, open <door> with <key>\n", ["go to <door>", "open <door>"]),
        ("Plan:\r\nexplore", ["explore"]),
    ],
)
def test_plans_found(text, plan):
    assert words(text) == plan


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        (
            "Plan\uff1a go\u00a0to \u201c&lt;key&gt;\u201d\uff0cpick up \\\\<key\\\\>\u3002",
            ["go to <key>", "pick up <key>"],
        ),
        ("\ufeffPlan: explore</s>", ["explore"]),
        ("Plan: explore<|im_end|><|endoftext|>", ["explore"]),
        ("**Final Plan:** explore", ["explore"]),
        ("1. Plan: explore", ["explore"]),
        ("Step 2: Plan: explore", ["explore"]),
        ("(3) My revised plan is: explore", ["explore"]),
        ("Here's the plan:\n\n1. Go to <key>\n2. Pick up <key>\n\nDone.", ["go to <key>", "pick up <key>"]),
        ("### Plan\n- go to <key>\n- pick up <key>", ["go to <key>", "pick up <key>"]),
        ("Plan:\ngo to <key>,\npick up <key>", ["go to <key>", "pick up <key>"]),
        ("Plan: go to <key>,\npick up <key>\n", ["go to <key>", "pick up <key>"]),
        ("Plan:\n1. go to <key>\n2. use <key>\n3. drop <key>", ["go to <key>", "use <key>", "drop <key>"]),
        ("Plan: \"go to < key >\" -> 'pick  up <key>'!", ["go to <key>", "pick up <key>"]),
        ('{"thought": "a key", "plan": "go to <key>, pick up <key>"}', ["go to <key>", "pick up <key>"]),
        ('{\n "plan": [\n  "go to <key>",\n  "pick up <key>"\n ]\n}', ["go to <key>", "pick up <key>"]),
        ("<plan>explore</plan>", ["explore"]),
        ("```\nPlan: explore\n```", ["explore"]),
        ("Plan \u2013 explore", ["explore"]),
        ("Final answer: explore", ["explore"]),
    ],
)
def test_common_forms_are_brought_to_the_grammar_s(text, plan):
    assert words(text) == plan


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("Plan: drop <key>\nWait, nothing is held.\nPlan: explore", ["explore"]),
        ("Plan: drop <key>. Wait, nothing is held. Plan: explore", ["explore"]),
        ("Plan: drop <key>\nActually, the final plan: explore", ["explore"]),
        ("Plan: explore\nPlan: use <key>", ["use <key>"]),
        ('Plan: explore\nI wrote the plan on one line after "Plan:".', ["explore"]),
        ('{"Plan": "explore"} or {"thought": "", "Plan": "open <door>"}', ["open <door>"]),
        ("Plan: explore\n\nQuestion: Agent sees <door>.\nAnswer: Plan: open <door>", ["explore"]),
    ],
)
def test_the_last_plan_counts(text, plan):
    assert words(text) == plan


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("Plan: explore\n", ["explore"]),
        ("Plan: explore\nThe agent has not", ["explore"]),
        ("Plan: explore<|im_end|>", ["explore"]),
        ("Plan: explore\n<think>Is it", ["explore"]),
        ("Plan:\n1. go to <key>\n2. pick up <key>\n\nThis is\nwhat", ["go to <key>", "pick up <key>"]),
        ("The agent explores.\nexplore\n", ["explore"]),
        ("Plan: explore", None),
        ("Plan: go to <key>, pick up <k", None),
        ("Plan: drop <key>\nWait, no.\nPlan: go to <k", None),
        ("Plan:\n1. go to <key>\n2. pick up <k", None),
        ("Plan:\n1. go to <key>\n", None),
        ("Plan:\n", None),
        ("The agent explores.\nexplore", None),
        ("<think>\nPlan: drop <key>\nNo, nothing is held. So", None),
    ],
)
def test_of_an_answer_that_was_cut_off_only_whole_plans_count(text, plan):
    options = read_plan(text, QUESTION, cut=True)
    assert [option.text for option in options] == (plan or [" ".join(text.split())])
    assert is_rejected(options[0]) == (plan is None)


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
    options = read_plan(text, QUESTION)
    assert len(options) == 1
    assert is_rejected(options[0])


def test_what_is_understood_of_a_plan_is_kept():
    options = read_plan("Plan: go to <key>, use <key>, pick up <key>", QUESTION)
    assert [is_rejected(option) for option in options] == [False, True, False]


def test_long_answers_are_cut():
    assert len(read_plan("Plan: " + "explore, " * 50, QUESTION)) == MAX_OPTIONS
    assert len(read_plan("x" * 10_000, QUESTION)[0].raw) == 160


@pytest.mark.parametrize(
    "text",
    [
        *(
            "\\" * 10**6,
            "<|im_start|> " * 30_000,
            "Plan:\n<a>" * 30_000,
            "1: a\nb\n" * 30_000,
            "</think>" * 30_000,
        ),
        *("\n" * 10**6, " " * 10**6, "1" + " " * 10**6, "Plan" + " " * 10**6, "1: a\n" * 10**6, "9" * 10**6),
    ],
)
def test_hostile_texts_are_read_in_no_time(text):
    start = time.process_time()  # of this process alone: the machine may be busy
    read_plan(text, QUESTION)
    read_weighed_plans(text, QUESTION)
    thought_of(text)
    assert time.process_time() - start < 20, "a quadratic rule would take minutes"


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
    plans = read_weighed_plans(text, QUESTION)
    assert [probability for _, probability in plans] == pytest.approx(weights)


def weighed(text, cut=False):
    found = read_weighed_plans(text, QUESTION, cut)
    return {"no plan" if is_rejected(options[0]) else options[0].text: round(p, 3) for options, p in found}


@pytest.mark.parametrize(
    ("text", "plans"),
    [
        ("<thinking>0.9: drop <key>\n</thinking>\n1.0: explore", {"explore": 1}),
        ("<thinking>0.9: drop <key>\nNo", {"no plan": 1}),
        (
            "0.7: drop <key>\n0.3: explore\nWait:\n0.9: go to <key>\n0.1: explore",
            {"go to <key>": 0.9, "explore": 0.1},
        ),
        ("0.6: explore\nsince ...\n0.4: go to <key>\nsince ...", {"explore": 0.6, "go to <key>": 0.4}),
        (
            "**0,7**\uff1a explore\n30\uff05\uff1a go\u00a0to &lt;key&gt;",
            {"explore": 0.7, "go to <key>": 0.3},
        ),
        ("1. 0.7: explore\n2. 0.3: go to <key></s>", {"explore": 0.7, "go to <key>": 0.3}),
        ("1.0: explore\nQuestion: what?\n1.0: open <door>", {"explore": 1}),
    ],
)
def test_verbalised_answers_are_read_alike(text, plans):
    assert weighed(text) == plans


@pytest.mark.parametrize(
    ("text", "plans"),
    [
        ("0.7: explore\n0.3: go to <k", {"explore": 0.7, "no plan": 0.3}),
        ("0.7: explore\n0.3: go to <key>", {"explore": 0.7, "no plan": 0.3}),
        ("0.7: explore\n0.3: go to <key>\nThe", {"explore": 0.7, "go to <key>": 0.3}),
        ("0.7: explore\n0.", {"explore": 0.7, "no plan": 0.3}),
        ("1.0: explore\nWait:\n1.0: go to <k", {"no plan": 1}),
        ("<think>0.9: drop <key>\nNo", {"no plan": 1}),
    ],
)
def test_what_a_verbalised_answer_lacks_where_it_was_cut_off_is_no_plan(text, plans):
    assert weighed(text, cut=True) == plans


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        (
            "<think>\nPlan: drop <key>\nNo.</think>\nA key.\nPlan: explore",
            "<think>\nPlan: drop <key>\nNo.</think>\nA key.",
        ),
        ("Thought: a key.\n<think>Plan: drop <key>\nNo, so", "Thought: a key."),
        (
            "Thought: a key.\nPlan: drop <key>\nIt is not held.\nPlan: explore",
            "Thought: a key.\n\nIt is not held.",
        ),
        ("Thought: a key.<|im_end|>", "Thought: a key."),
        ("Plan: explore", ""),
    ],
)
def test_a_thought_for_scores_holds_no_plan(text, thought):
    assert thought_of(text) == thought


def test_only_usable_lines_count():
    plans = read_weighed_plans("0: explore\n0.4: pick up <key>", QUESTION)
    assert [options[0].text for options, _ in plans] == ["pick up <key>"]
    assert is_rejected(read_weighed_plans("0: explore", QUESTION)[0][0][0])


@given(
    st.text(max_size=200) | st.from_regex(r"([0-9.]{1,5}%?: [a-z<>, ]{0,20}\n){0,4}|Plan:.*", fullmatch=True)
)
def test_any_text_gives_plans_that_can_be_written(text):
    plans = [(read_plan(text, QUESTION), 1.0), *read_weighed_plans(text, QUESTION)]
    assert all(0 < len(options) <= MAX_OPTIONS for options, _ in plans)
    assert math.isclose(sum(p for _, p in plans[1:]), 1.0)
    json.dumps([option.text for options, _ in plans for option in options]).encode("ascii")
