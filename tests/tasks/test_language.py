"""What can be said about a task: options, verbs, and which plans make sense at all."""

import pytest

from jaxteach.tasks import language, task_names
from jaxteach.tasks.language import Grammar, Language, NamedState, Option, Question, plain_language

GRAMMAR = Grammar(("explore",), ("go to", "open"), with_tool=("open",))
LANGUAGE = Language((), (), GRAMMAR, ("key", "door"))


def test_text_of_an_option() -> None:
    assert Option("explore").text == "explore"
    assert Option("go to", "key").text == "go to <key>"
    assert Option("wait").text == "wait"
    assert Option("wait", raw="use <key>").text == "use <key>"


@pytest.mark.parametrize("fields", [("explore", None, "x"), ("wait", "key", None), ("go to", "key", "go to")])
def test_an_option_that_no_task_can_have_cannot_be_built(fields: tuple[str, str | None, str | None]) -> None:
    with pytest.raises(ValueError, match=r"option|wait"):
        Option(*fields)


@pytest.mark.parametrize(
    "option",
    [
        Option("fly"),
        Option("explore", "key"),
        Option("go to"),
        Option("go to", "window"),
        Option("go to", ""),
        Option("", "key"),
        Option("Explore"),
    ],
)
def test_an_option_that_makes_no_sense_is_not_allowed(option: Option) -> None:
    assert not LANGUAGE.allows(option)


@pytest.mark.parametrize(
    "option",
    [
        Option("explore"),
        Option("go to", "door"),
        Option("open", "key"),
        Option("wait"),
        Option("wait", raw="?"),
    ],
)
def test_an_option_that_makes_sense_is_allowed(option: Option) -> None:
    assert LANGUAGE.allows(option)


@pytest.mark.parametrize("verb", ["", "wait", "Go to", "go <to", "go, to", " go", "go ", "go\nto"])
def test_a_verb_that_no_plan_could_be_read_back_from_is_refused(verb: str) -> None:
    for grammar in ({"plain": (verb,)}, {"targeted": (verb,)}):
        with pytest.raises(ValueError, match="cannot be a verb"):
            Grammar(**grammar)


def test_a_language_of_named_states_and_options() -> None:
    states = (NamedState("The ball is left."), NamedState("The ball is right."))
    options = (Option("left"), Option("go to", "wall"), Option("right"), Option("go to", "net"))
    found = plain_language(states, options)
    assert found.grammar == Grammar(("left", "right"), ("go to",))
    assert found.objects == ("wall", "net") and all(map(found.allows, options))
    assert [asked.state for asked in found.questions] == list(states)
    assert [asked.index for asked in found.questions] == [0, 1]
    assert found.questions[0].real(options[1]) == options[1] == found.questions[0].canonical(options[1])


def test_a_question_translates_names_and_leaves_those_it_does_not_know() -> None:
    state = NamedState("Start.")
    asked = Question(0, state, state, {"c1 key": "blue key"}, (), GRAMMAR)
    assert asked.objects == ("blue key",)
    assert asked.real(Option("go to", "c1 key")) == Option("go to", "blue key")
    assert asked.canonical(Option("go to", "blue key")) == Option("go to", "c1 key")
    assert asked.real(Option("go to", "door")) == Option("go to", "door")
    assert asked.real(Option("explore")) == asked.canonical(Option("explore")) == Option("explore")


@pytest.mark.parametrize("name", task_names())
def test_a_task_s_options_are_allowed_and_its_questions_are_its_states(name: str) -> None:
    found = language(name)
    assert all(map(found.allows, found.options)) and len(set(found.options)) == len(found.options)
    assert [asked.state for asked in found.questions] == list(found.states)
    assert [asked.index for asked in found.questions] == list(range(len(found.states)))
