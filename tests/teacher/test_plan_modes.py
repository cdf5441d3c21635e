"""Tests of which of a state's plans the teacher speaks of: by hand, and what holding on to one means."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxteach.config import Corrupt
from jaxteach.teacher import Plan, PlanTable, load_table, parse_plan
from jaxteach.teacher.corruption import NoisyTeacher, answers, make_teacher, mean_policy
from jaxteach.teacher.policy import BLOCK, Teacher, compile_teacher, teacher_policy
from jaxteach.teacher.table import likeliest_plans
from jaxteach.worlds.minigrid.paper.constants import DONE, DROP, PICKUP, RIGHT
from tests.teacher.test_policy import BOTH, KEY, KEY_AHEAD, KEY_AWAY, random_play, task_named
from tests.worlds.minigrid.paper.play import caption_of, rows_of
from tests.worlds.minigrid.paper.scenes import scene

pytestmark = pytest.mark.unoptimised

TASK = task_named("simple_door_key")
CAPTIONS = [state.text for state in TASK.language.states]
policy = jax.jit(teacher_policy, static_argnums=1)


def table_of(plans: dict[str, float], caption: str) -> PlanTable:
    """A table with these plans in one state, and `explore` in the others."""
    words = TASK.language
    own = tuple(Plan(parse_plan(text, words.objects, words.grammar), p) for text, p in plans.items())
    rest = (Plan(parse_plan("explore", words.objects, words.grammar), 1.0),)
    plans_of_all = tuple(own if text == caption else rest for text in CAPTIONS)
    return PlanTable(TASK.name, "by hand", words.states, plans_of_all, {})


def actions(teacher: Teacher, drawing: str, memory: list[int], held: list[float] | None = None) -> list[int]:
    """The action on one observation: for each number held in its state, or the one if none is held."""
    obs, numbers = scene(drawing), None
    n = 1 if held is None else len(held)
    if held is not None:
        numbers = np.full((n, len(CAPTIONS)), np.nan, np.float32)  # those of other states are not read
        numbers[:, CAPTIONS.index(caption_of(TASK, obs))] = held
    q = np.asarray(policy(teacher, TASK, np.stack([obs] * n), np.array([[memory]] * n, np.int32), numbers))
    assert set(np.unique(q)) == {0.0, 1.0} and (q.sum(axis=1) == 1).all()
    return q.argmax(axis=1).tolist()


@pytest.mark.parametrize(
    ("plans", "action"),
    [
        ({"pick up <key>": 0.3, "go to <key>, drop <key>": 0.5, "drop <key>": 0.2}, RIGHT),
        ({"drop <key>": 0.4, "pick up <key>": 0.4, "explore": 0.2}, DROP),  # the first of equals
        ({"drop <key>": 0.2, "pick up <key>": 0.8}, PICKUP),
        # Plans count, not the actions that they agree on.
        ({"pick up <key>": 0.3, "pick up <key>, explore": 0.3, "drop <key>": 0.4}, DROP),
    ],
)
def test_argmax_says_the_most_probable_plan_alone(plans, action):
    teacher = make_teacher(table_of(plans, KEY), TASK, Corrupt(), mode="argmax")
    assert teacher.plans is None
    assert actions(teacher, KEY_AWAY, [1, 1]) == [action]


def test_likeliest_plans_of_a_shipped_table():
    true = load_table("chatglm", TASK.name, TASK.language)
    table = likeliest_plans(true)
    for one, plans in zip(table.plans, true.plans, strict=True):
        assert one[0].probability == 1.0 and len(one) == 1
        first = next(plan for plan in plans if plan.probability == max(p.probability for p in plans))
        assert one[0].options == first.options


HELD = {
    "pick up <key>": 0.25,
    "drop <key>": 0.0,
    "go to <key>, pick up <key>": 0.5,
    "explore, drop <key>": 0.25,
}


def test_held_says_the_plan_of_the_number_that_is_held():
    teacher = make_teacher(table_of(HELD, KEY), TASK, Corrupt(), mode="held")
    below = np.nextafter(np.float32(0.25), np.float32(0))
    held = [0.0, below, 0.25, 0.74, 0.75, 0.9999999]
    # A plan begins where those before it end; one of no probability is never said.
    assert actions(teacher, KEY_AWAY, [1, 1], held)[:4] == [PICKUP, PICKUP, RIGHT, RIGHT]
    rest = actions(
        make_teacher(table_of({"explore, drop <key>": 1.0}, KEY), TASK, Corrupt()), KEY_AWAY, [1, 1]
    )
    assert actions(teacher, KEY_AWAY, [1, 1], held)[4:] == rest * 2


def test_a_plan_that_is_held_goes_on_to_its_next_option():
    plans = {"go to <key>, pick up <key>": 0.5, "go to <key>": 0.5}
    teacher = make_teacher(table_of(plans, BOTH), TASK, Corrupt(), mode="held")
    # The agent faces the key: going there has ended, and the second plan has nothing else to say.
    assert actions(teacher, KEY_AHEAD, [1, 3], [0.1, 0.6]) == [PICKUP, DONE]


def test_probabilities_that_miss_one_leave_no_gap():
    plans = {"pick up <key>": 0.3333, "drop <key>": 0.3333, "go to <key>": 0.3333}
    teacher = make_teacher(table_of(plans, KEY), TASK, Corrupt(), mode="held")
    last = float(np.nextafter(np.float32(1), np.float32(0)))
    assert actions(teacher, KEY_AWAY, [1, 1], [0.0, 0.34, last]) == [PICKUP, DROP, RIGHT]


@pytest.mark.parametrize(
    "name", ["simple_door_key", pytest.param("colored_door_key", marks=pytest.mark.slow)]
)
def test_over_episodes_held_is_soft_on_average(name):
    task = task_named(name)
    table = load_table("chatglm", name, task.language)
    obs, memory = (part[::16] for part in random_play(task))
    soft = np.asarray(policy(compile_teacher(table, task), task, obs, memory))
    held, n, s = compile_teacher(table, task, held=True), 50, len(task.language.states)
    numbers = np.repeat((np.arange(n, dtype=np.float32) + 0.5) / n, len(obs))[:, None].repeat(s, axis=1)
    q = np.asarray(policy(held, task, np.tile(obs, (n, 1, 1, 1)), np.tile(memory, (n, 1, 1)), numbers))
    assert set(np.unique(q)) <= {0.0, 1.0}
    np.testing.assert_allclose(q.reshape(n, *soft.shape).mean(axis=0), soft, atol=0.05)
    assert ((soft > 0).sum(axis=1) > 1).any()


def test_states_that_are_not_listed_teach_nothing():
    table = load_table("chatglm", TASK.name, TASK.language)
    plans = compile_teacher(table, TASK, held=True).plans
    assert plans is not None
    np.testing.assert_array_equal(plans.outcome[-1], -1)
    # By number of plans, no state has one beyond its last.
    for s, own in enumerate(table.plans):
        assert (np.asarray(plans.outcome[s, : len(own)]) >= 0).all()
        np.testing.assert_array_equal(plans.up_to[s, len(own) - 1 :], 1)


def test_a_batch_of_several_blocks_is_answered_as_its_parts_are():
    obs, memory = random_play(TASK)
    picked = np.arange(BLOCK + 3) % len(obs)
    obs, memory = obs[picked], memory[picked]
    held = np.random.default_rng(0).random((len(picked), len(CAPTIONS)), dtype=np.float32)
    teacher = compile_teacher(load_table("chatglm", TASK.name, TASK.language), TASK, held=True)
    whole = np.asarray(policy(teacher, TASK, obs, memory, held))
    np.testing.assert_array_equal(whole[-8:], policy(teacher, TASK, obs[-8:], memory[-8:], held[-8:]))


def test_numbers_are_given_if_and_only_if_plans_are_held():
    table = load_table("chatglm", TASK.name, TASK.language)
    obs, memory = (part[:4] for part in random_play(TASK))
    numbers = np.zeros((4, len(CAPTIONS)), np.float32)
    with pytest.raises(AssertionError):
        policy(compile_teacher(table, TASK, held=True), TASK, obs, memory)
    with pytest.raises(AssertionError):
        policy(compile_teacher(table, TASK), TASK, obs, memory, numbers)
    with pytest.raises(AssertionError):
        policy(compile_teacher(table, TASK, held=True), TASK, obs, memory, numbers[:, :2])


def test_soft_and_hard_are_compiled_alike():
    table = load_table("chatglm", TASK.name, TASK.language)
    trees = [make_teacher(table, TASK, Corrupt(), mode=mode) for mode in ("soft", "hard")]
    assert jax.tree.structure(trees[0]) == jax.tree.structure(compile_teacher(table, TASK))
    for one, other in zip(*map(jax.tree.leaves, trees), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("mode", [pytest.param("argmax", marks=pytest.mark.slow), "held"])
def test_errors_come_on_top(mode):
    table = load_table("chatglm", TASK.name, TASK.language)
    obs, memory = (part[:256] for part in random_play(TASK))
    numbers = np.random.default_rng(0).random((256, len(CAPTIONS)), dtype=np.float32)
    held = numbers if mode == "held" else None
    # A wrong state says one thing, whichever plan counts.
    wrong = [make_teacher(table, TASK, Corrupt(states=6), mode=m) for m in ("soft", mode)]
    soft = policy(wrong[0], TASK, obs, memory)
    np.testing.assert_array_equal(policy(wrong[1], TASK, obs, memory, held), soft)
    # Noise replaces a share of what the plans say.
    noisy = make_teacher(table, TASK, Corrupt(0.3, "noise"), mode=mode)
    assert isinstance(noisy, NoisyTeacher) and (noisy.plans is None) == (mode == "argmax")
    true = np.asarray(policy(make_teacher(table, TASK, Corrupt(), mode=mode), TASK, obs, memory, held))
    mean = np.asarray(jax.jit(mean_policy, static_argnums=1)(noisy, TASK, obs, memory, held))
    kept = mean[true == 1]
    assert kept.min() >= 0.7 - 1e-6 and kept.min() < 0.71
    keys = jax.random.split(jax.random.key(0), 2)
    said = np.asarray(jax.jit(answers, static_argnums=1)(noisy, TASK, obs, memory, keys, held)).reshape(
        256, -1
    )
    assert 0.1 < (said != true).any(axis=1).mean() < 0.35


def test_the_state_of_a_row_chooses_among_its_numbers():
    table = load_table("chatglm", TASK.name, TASK.language)
    obs, memory = (part[:256] for part in random_play(TASK))
    states = np.asarray(rows_of(TASK, obs))
    teacher = compile_teacher(table, TASK, held=True)
    numbers = np.zeros((256, len(CAPTIONS)), np.float32)
    first = np.asarray(policy(teacher, TASK, obs, memory, numbers))
    numbers[:, states[0]] = 0.999
    second = np.asarray(policy(teacher, TASK, obs, memory, numbers))
    np.testing.assert_array_equal(first[states != states[0]], second[states != states[0]])
    plans = table.plans[states[0]]
    for q, plan in ((first, plans[0]), (second, plans[-1])):
        alone = tuple(
            (dataclasses.replace(plan, probability=1.0),) if s == states[0] else own
            for s, own in enumerate(table.plans)
        )
        single = compile_teacher(dataclasses.replace(table, plans=alone), TASK)
        there = states == states[0]
        np.testing.assert_array_equal(q[there], policy(single, TASK, obs[there], memory[there]))
