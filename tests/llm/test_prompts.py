"""Prompts: what is said, what is not, and what is wrong with a prompt file."""

import hashlib

import pytest

from jaxteach.llm import load_prompt
from jaxteach.tasks import make_task, task_names
from jaxteach.utils.errors import UserError

FACTS = "A key {state} and a door."
CAPTION = "Agent sees <key>, holds <nothing>."
FILE = (
    "[system]\n{facts} {objects}\n[question]\n{state} {instruction}\n"
    "[think]\nT\n[direct]\nD\n[verbalize]\nV\n"
)
EXAMPLE = "[example]\nstate: S\nthought: H\nplan: explore\n"


def write(tmp_path, text):
    path = tmp_path / "mine.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("style", "shown"), [("think", 2), ("direct", 2), ("verbalize", 3)])
def test_a_conversation_alternates_and_ends_with_the_question(style, shown):
    messages = load_prompt().messages(FACTS, ("key", "door"), CAPTION, style, examples=2)
    assert [m["role"] for m in messages] == ["system", *["user", "assistant"] * shown, "user"]
    assert messages[-1]["content"].startswith(CAPTION)
    assert "<key>, <door>" in messages[0]["content"]


def test_fields_are_filled_once_so_braces_in_facts_stay():
    messages = load_prompt().messages(FACTS, ("key",), "{objects}", "direct")
    assert FACTS in messages[0]["content"]
    assert messages[-1]["content"].startswith("{objects}")


def test_styles_ask_for_different_answers():
    prompt = load_prompt()
    answers = {
        s: prompt.messages(FACTS, ("key",), CAPTION, s)[2]["content"]
        for s in ("think", "direct", "verbalize")
    }
    assert answers["think"].startswith("Thought: ")
    assert answers["direct"].startswith("Plan: ")
    assert answers["verbalize"].startswith("0.8: ")
    assert prompt.messages(FACTS, ("key",), CAPTION, "think", examples=0)[1]["role"] == "user"


def test_the_shipped_prompt_knows_no_task():
    text = " ".join(str(m) for m in load_prompt().messages("", (), "", "think")).lower()
    assert not any(word in text for word in ("key", "door", "lava", "wall"))


@pytest.mark.parametrize("name", task_names())
def test_every_task_has_facts_and_none_speaks_of_lava(name):
    task = make_task(name)
    messages = load_prompt().messages(task.facts, task.language.objects, CAPTION, "think")
    assert len(task.facts) > 100
    assert "lava" not in str(messages).lower()


def test_a_file_of_ones_own(tmp_path):
    prompt = load_prompt(write(tmp_path, FILE + EXAMPLE))
    assert prompt.name == "mine"
    assert prompt.sha256 == hashlib.sha256((FILE + EXAMPLE).encode()).hexdigest()
    assert [m["content"] for m in prompt.messages("F", ("key",), "C", "verbalize")] == ["F <key>", "C V"]
    assert len(prompt.messages("F", ("key",), "C", "think")) == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"\[system\] is missing"),
        (FILE.replace("{facts}", ""), r"must hold the field \{facts\}"),
        (FILE.replace("{state}", ""), r"must hold the field \{state\}"),
        (FILE.replace("[think]\nT\n", "[think]\n"), r"\[think\] is missing or empty"),
        (FILE + "[sample]\nx\n", r"unknown section \[sample\]"),
        (FILE + "[example]\nplan: explore\n", r"\[example\] must be lines"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, text, says):
    with pytest.raises(UserError, match=says):
        load_prompt(write(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot read the prompt file"):
        load_prompt(tmp_path / "none.txt")
