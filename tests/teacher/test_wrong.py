"""Tests of tables with wrong states: which, how many, what they say, and that a seed says it all."""

import dataclasses
import functools

import numpy as np
import pytest

from jaxteach.config import Config, Corrupt, check
from jaxteach.tasks import language, task_names
from jaxteach.tasks.language import Option
from jaxteach.teacher import Plan, PlanTable, load_table, table_names
from jaxteach.teacher.wrong import describe_errors, in_words, other_options, systematic, wrong_states
from jaxteach.utils.errors import UserError

LEVEL = "MiniGrid-DoorKey-5x5-v0"
OPTIONS = language("simple_door_key").options


@functools.cache
def chatglm(task: str = "simple_door_key") -> PlanTable:
    return load_table("chatglm", task, language(task))


def differing(table: PlanTable, true: PlanTable) -> set[str]:
    """Captions of the states whose plans differ."""
    return {s.text for s, a, b in zip(true.states, table.plans, true.plans, strict=True) if a != b}


def test_no_share_changes_nothing():
    assert systematic(chatglm(), OPTIONS, Corrupt(0.0)) is chatglm()


@pytest.mark.parametrize("task", [task for task in task_names() if "chatglm" in table_names(task)])
def test_every_replacement_is_one_other_option(task):
    true, options = chatglm(task), language(task).options
    for seed in range(5):
        table = systematic(true, options, Corrupt(1.0, seed=seed))
        for before, after in zip(true.plans, table.plans, strict=True):
            ((option,), probability) = after[0].options, after[0].probability
            assert len(after) == 1 and probability == 1.0
            assert option in options
            assert option not in {plan.options[0] for plan in before}


def test_a_larger_share_adds_states_and_keeps_their_options():
    before: set[str] = set()
    full = systematic(chatglm(), OPTIONS, Corrupt(1.0, seed=3))
    for share in (0.2, 0.4, 0.6, 0.8, 1.0):
        table = systematic(chatglm(), OPTIONS, Corrupt(share, seed=3))
        wrong = differing(table, chatglm())
        assert before <= wrong
        before = wrong
        for state, plans, last in zip(table.states, table.plans, full.plans, strict=True):
            assert plans == last or state.text not in wrong
    assert len(before) == len(chatglm().states)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_share_is_exact_on_average_over_seeds(share):
    counts = [
        len(differing(systematic(chatglm(), OPTIONS, Corrupt(share, seed=s)), chatglm())) for s in range(600)
    ]
    exact = share * len(chatglm().states)
    assert set(counts) <= {int(exact), int(exact) + 1}
    assert np.mean(counts) == pytest.approx(exact, abs=0.07)


def test_all_states_and_options_get_their_turn():
    tables = [systematic(chatglm(), OPTIONS, Corrupt(0.5, seed=s)) for s in range(60)]
    assert set().union(*(differing(t, chatglm()) for t in tables)) == {s.text for s in chatglm().states}
    first = {t.plans[0][0].options[0] for t in tables}
    assert first == set(OPTIONS)  # explore, where the table was left as it was


def test_a_seed_means_the_same_for_ever():
    """Written down once: should this change, results of earlier runs can no longer be had."""
    table = systematic(chatglm(), OPTIONS, Corrupt(0.5, seed=0))
    assert table.provenance["corruption"]["states"] == [
        "Agent sees <key>, holds <nothing>.",
        "Agent sees <nothing>, holds <nothing>.",
        "Agent sees <key>, <door>, holds <nothing>.",
    ]
    assert [plans[0].options[0].text for plans in table.plans] == [
        "drop <key>",
        "explore",
        "explore",
        "explore",
        "explore",
        "go to <door>",
    ]


def test_provenance_says_what_was_done():
    table = systematic(chatglm(), OPTIONS, Corrupt(0.5, seed=7))
    note = table.provenance["corruption"]
    assert (note["share"], note["mode"], note["seed"]) == (0.5, "systematic", 7)
    assert note["of"] == chatglm().sha256
    assert set(note["states"]) == differing(table, chatglm())
    assert table.sha256 == ""  # it is no file
    assert "corruption" not in chatglm().provenance


def test_other_options_by_hand():
    said = (
        (Plan((Option("explore"),), 1.0),),
        (Plan((Option("go to", "key"), Option("explore")), 0.5), Plan((Option("pick up", "key"),), 0.5)),
        tuple(Plan((option,), 1 / 6) for option in OPTIONS),  # nothing else is left to say
    )
    table = dataclasses.replace(chatglm(), states=chatglm().states[:3], plans=said)
    others = other_options(table, OPTIONS)
    texts = [{plan.options[0].text: plan.probability for plan in plans} for plans in others.plans]
    assert texts[0] == {o.text: 1 / 5 for o in OPTIONS[1:]}
    assert texts[1] == dict.fromkeys(("explore", "go to <door>", "drop <key>", "open <door>"), 1 / 4)
    assert texts[2] == {o.text: 1 / 6 for o in OPTIONS}


@pytest.mark.parametrize(("task", "teacher"), [("colored_door_key", "chatglm"), (LEVEL, "rule-ideal")])
def test_a_number_of_states_is_exact_and_adds_to_fewer(task, teacher):
    said = language(task)
    true = load_table(teacher, said.family or task, said)
    for seed in range(20):
        before: set[str] = set()
        for n in range(len(true.states) + 1):
            corrupt = Corrupt(seed=seed, states=n)
            table = systematic(true, said.options, corrupt)
            wrong = {state.text for state in wrong_states(true, corrupt)}
            assert len(wrong) == n and before <= wrong
            assert differing(table, true) == wrong
            before = wrong
    drawn = [
        frozenset(s.text for s in wrong_states(true, Corrupt(seed=seed, states=3))) for seed in range(20)
    ]
    assert len(set(drawn)) > 15


def test_a_number_is_the_share_it_amounts_to():
    for seed in range(5):
        share, number = (
            wrong_states(chatglm(), c) for c in (Corrupt(0.5, seed=seed), Corrupt(seed=seed, states=3))
        )
        assert share == number


def test_more_states_than_there_are_are_refused():
    with pytest.raises(UserError, match=r"--corrupt.states 7: teacher chatglm of simple_door_key has only 6"):
        systematic(chatglm(), OPTIONS, Corrupt(states=7))
    assert len(wrong_states(chatglm(), Corrupt(states=6))) == 6


@pytest.mark.parametrize(
    ("corrupt", "words"),
    [
        (Corrupt(states=-1), r"--corrupt.states -1: must be at least 0"),
        (Corrupt(0.2, states=3), r"--corrupt.share 0.2 and --corrupt.states 3 both say how many"),
    ],
)
def test_numbers_that_cannot_be_are_refused(corrupt, words):
    with pytest.raises(UserError, match=words):
        check(Config(corrupt=corrupt))


def test_noise_leaves_states_alone():
    corrupt = Corrupt(0.2, "noise", states=3)
    check(Config(corrupt=corrupt))
    assert wrong_states(chatglm(), corrupt) == []
    assert corrupt.any and not Corrupt(mode="noise", states=3).any


def test_errors_are_described_by_the_number_of_wrong_states():
    assert describe_errors(chatglm(), Corrupt()) is None and describe_errors(None, Corrupt(0.5)) is None
    errors = describe_errors(chatglm(), Corrupt(states=2))
    table = systematic(chatglm(), OPTIONS, Corrupt(states=2))
    assert set(errors["wrong_states"]) == differing(table, chatglm())
    assert (errors["n_wrong"], errors["n_states"], errors["states"]) == (2, 6, 2)
    assert in_words(errors) == "2 of 6 states wrong"
    # A share that makes no state wrong says so.
    none = next(c for c in (Corrupt(0.1, seed=s) for s in range(20)) if not wrong_states(chatglm(), c))
    assert in_words(describe_errors(chatglm(), none)) == "0 of 6 states wrong"
    noise = describe_errors(chatglm(), Corrupt(0.3, "noise"))
    assert (noise["n_wrong"], noise["wrong_states"], in_words(noise)) == (0, [], "30% wrong at random")
