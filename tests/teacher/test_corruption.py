"""Tests of error injection: what is replaced, by what, how often, and that a seed says it all."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.config import Config, Corrupt, check
from jaxteach.tasks import language, make_task, task_names
from jaxteach.tasks.language import Option
from jaxteach.teacher import Plan, PlanTable, load_table, table_names
from jaxteach.teacher.corruption import (
    NoisyTeacher,
    answers,
    make_teacher,
    mean_policy,
    other_options,
    strike,
    systematic,
)
from jaxteach.teacher.policy import compile_teacher, teacher_policy
from jaxteach.utils.errors import UserError
from tests.worlds.minigrid.paper.play import draw_layouts, play

OPTIONS = language("simple_door_key").options


@functools.cache
def chatglm(task: str = "simple_door_key") -> PlanTable:
    return load_table("chatglm", task, language(task))


def wrong_states(table: PlanTable, true: PlanTable) -> set[str]:
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
        wrong = wrong_states(table, chatglm())
        assert before <= wrong
        before = wrong
        for state, plans, last in zip(table.states, table.plans, full.plans, strict=True):
            assert plans == last or state.text not in wrong
    assert len(before) == len(chatglm().states)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_share_is_exact_on_average_over_seeds(share):
    counts = [
        len(wrong_states(systematic(chatglm(), OPTIONS, Corrupt(share, seed=s)), chatglm()))
        for s in range(600)
    ]
    exact = share * len(chatglm().states)
    assert set(counts) <= {int(exact), int(exact) + 1}
    assert np.mean(counts) == pytest.approx(exact, abs=0.07)


def test_all_states_and_options_get_their_turn():
    tables = [systematic(chatglm(), OPTIONS, Corrupt(0.5, seed=s)) for s in range(60)]
    assert set().union(*(wrong_states(t, chatglm()) for t in tables)) == {s.text for s in chatglm().states}
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
    assert set(note["states"]) == wrong_states(table, chatglm())
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


def test_strike_replaces_its_share_with_single_actions():
    n = 20_000
    true = jnp.tile(jnp.asarray([0.5, 0.5, 0, 0, 0, 0, 0.0]), (n, 1))
    other = jnp.tile(jnp.asarray([0, 0, 0.25, 0.75, 0, 0, 0.0]), (n, 1))
    found = np.asarray(strike(jax.random.key(0), true, other, jnp.float32(0.3)))
    struck = found[:, :2].sum(axis=1) == 0
    assert struck.mean() == pytest.approx(0.3, abs=0.015)
    np.testing.assert_array_equal(found[~struck], true[~struck])
    assert set(found[struck].max(axis=1)) == {1.0} and set(found[struck].sum(axis=1)) == {1.0}
    np.testing.assert_allclose(found[struck].mean(axis=0)[2:4], [0.25, 0.75], atol=0.02)
    np.testing.assert_array_equal(strike(jax.random.key(0), true, other, jnp.float32(0)), true)


@functools.cache
def scenes():
    """Observations and memories along random walks: [N, ...]."""
    task = make_task("simple_door_key")
    actions = jax.random.randint(jax.random.key(1), (40, 16), 0, 7)
    seen = play(task, draw_layouts(task, 0, 16), actions)
    return task, *(seen[name].reshape(-1, *seen[name].shape[2:]) for name in ("obs", "memory"))


def test_a_noisy_teacher_errs_anew_at_every_step_but_its_mean_is_exact():
    task, obs, memory = scenes()
    teacher = make_teacher(chatglm(), task, Corrupt(0.3, "noise"))
    assert isinstance(teacher, NoisyTeacher)
    ask = jax.jit(answers, static_argnums=1)
    n = 32
    keys = jax.random.split(jax.random.key(2), n)
    said = np.asarray(
        ask(teacher, task, jnp.tile(obs, (n, 1, 1, 1)), jnp.tile(memory, (n, 1, 1)), keys)
    )  # [n, N, 7]
    true = np.asarray(
        jax.jit(teacher_policy, static_argnums=1)(compile_teacher(chatglm(), task), task, obs, memory)
    )
    mean = np.asarray(jax.jit(mean_policy, static_argnums=1)(teacher, task, obs, memory))
    np.testing.assert_allclose(said.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(mean.sum(axis=-1), 1, atol=1e-5)
    differs = np.abs(said - true).max(axis=-1) > 1e-6  # [n, N]; a wrong option may do what the right one does
    assert 0.15 < differs.mean() < 0.3
    assert len(np.unique(differs, axis=0)) == n  # not the same rows under another key
    np.testing.assert_allclose(said.mean(axis=(0, 1)), mean.mean(axis=0), atol=0.01)
    # Rows of one key do not depend on the others.
    alone = ask(teacher, task, obs, memory, keys[5:6])
    np.testing.assert_array_equal(alone[0], said[5])


def test_without_noise_there_is_no_second_teacher():
    task, obs, memory = scenes()
    teacher = make_teacher(chatglm(), task, Corrupt(0.0, "noise"))
    assert not isinstance(teacher, NoisyTeacher)
    said = answers(teacher, task, obs[:8], memory[:8], jax.random.split(jax.random.key(0), 2))
    np.testing.assert_array_equal(said.reshape(8, 7), mean_policy(teacher, task, obs[:8], memory[:8]))


def test_a_systematic_error_is_what_the_teacher_says():
    task, obs, memory = scenes()
    teacher = make_teacher(chatglm(), task, Corrupt(1.0))
    q = np.asarray(mean_policy(teacher, task, obs, memory))
    np.testing.assert_allclose(q.max(axis=1), 1)  # one option: one action


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(UserError, match="corrupt"):
        check(Config(corrupt=Corrupt(share)))
