"""The rules: what is possible, what makes sense, what is best."""

import itertools

import pytest

from jaxteach.llm import baselines
from jaxteach.tasks.language import Option
from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary
from jaxteach.worlds.minigrid.paper.rules import admissible, fits, ideal_plans, sensible
from jaxteach.worlds.minigrid.paper.situation import SeenAndHeld
from tests.worlds.minigrid.paper.words import COLORED, SIMPLE, TWO_DOOR, VOCABULARIES

THREE_KEYS = Vocabulary(("blue key", "red key", "grey key"), ("blue door",), recoloured=True)


@pytest.mark.parametrize(
    ("vocabulary", "any_option", "admissible_option", "explore"),
    [(SIMPLE, 0.25, 11 / 18, 0.5), (COLORED, 0.156, 0.496, 6 / 14), (TWO_DOOR, 2 / 9, 0.563, 4 / 9)],
)
def test_baselines_by_hand(vocabulary, any_option, admissible_option, explore):
    found = baselines(vocabulary.language)
    assert list(found.values()) == pytest.approx([any_option, admissible_option, explore], abs=1e-3)


@pytest.mark.parametrize("vocabulary", [*VOCABULARIES, THREE_KEYS])
def test_ideal_is_sensible_is_admissible_is_known(vocabulary):
    options = set(vocabulary.options)
    for state in vocabulary.states:
        first = {plan[0] for plan, _ in ideal_plans(state)}
        assert first <= sensible(state) <= admissible(state) <= options
        assert sum(probability for _, probability in ideal_plans(state)) == pytest.approx(1)


@pytest.mark.parametrize("vocabulary", [*VOCABULARIES, THREE_KEYS])
def test_every_option_of_the_closed_list_is_admissible_somewhere_or_names_a_thing_that_is_not(vocabulary):
    possible = set(itertools.chain.from_iterable(admissible(state) for state in vocabulary.states))
    never = set(vocabulary.options) - possible
    # A third colour of door, or opening with the third colour of key, never comes up; all else does.
    assert all(option.object.startswith("c3") or option.kind == "open" for option in never)


@pytest.mark.parametrize(
    ("sees", "holds", "good"),
    [
        (("c1 key", "c2 door"), None, {Option("explore")}),
        (("c1 key", "c2 door"), "c2 key", {Option("go to", "c2 door"), Option("open", "c2 door")}),
        (("c1 key", "c1 door"), "c2 key", {Option("drop", "c2 key"), Option("go to", "c1 key")}),
        (("c1 door",), "c2 key", {Option("explore")}),
        (("c1 key", "c2 key", "c2 door"), None, {Option("go to", "c2 key"), Option("pick up", "c2 key")}),
    ],
)
def test_sensible_in_the_states_where_colours_matter(sees, holds, good):
    assert sensible(SeenAndHeld(sees, holds)) == good


def test_a_key_fits_doors_of_its_colour_only():
    assert fits("c1 key", "c1 door")
    assert not fits("c1 key", "c2 door")
    assert fits("key", "door1")
