"""Questions: every row asked once, in real names that lead back to canonical ones."""

import pytest

from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary
from tests.llm.fakes import COLORED, SIMPLE, VOCABULARIES

VARIANTS = (
    *VOCABULARIES,
    Vocabulary(("blue key",), ("blue door",), recoloured=True),
    Vocabulary(("blue key", "red key", "grey key"), ("blue door",), recoloured=True),
    Vocabulary(("key",), ("door",), keys_in_class=2),
)


@pytest.mark.parametrize("vocabulary", VARIANTS)
def test_rows_and_real_states_belong_together(vocabulary):
    asked = vocabulary.questions
    real = {vocabulary.real_state(s): vocabulary.canonical_state(s) for s in vocabulary.situations()}
    assert [question.state for question in asked] == list(vocabulary.states)
    assert [real[question.real_state] for question in asked] == list(vocabulary.states)
    assert [question.index for question in asked] == list(range(len(asked)))


@pytest.mark.parametrize("vocabulary", VARIANTS)
def test_naming_goes_there_and_back(vocabulary):
    for question in vocabulary.questions:
        assert len(set(question.objects)) == len(vocabulary.objects)
        for option in vocabulary.options:
            assert question.canonical(question.real(option)) == option
        for canonical, real in zip(question.state.sees, question.real_state.sees, strict=True):
            assert question.real_names[canonical] == real


def test_colours_of_the_canonical_states():
    by_state = {q.state.text: q for q in COLORED.questions}
    only_a_wrong_key = by_state["Agent sees <c1 key>, <c2 door>, holds <nothing>."]
    assert only_a_wrong_key.real_state.text == "Agent sees <red key>, <blue door>, holds <nothing>."
    nothing = by_state["Agent sees <nothing>, holds <nothing>."]
    assert nothing.real_names["c1 key"] == "blue key"
    assert nothing.real_names["c2 door"] == "red door"


def test_without_colours_names_stay():
    assert all(q.real_state == q.state for q in SIMPLE.questions)
