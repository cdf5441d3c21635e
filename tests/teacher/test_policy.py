"""The teacher's policy on cases worked by hand: every kind of option, and how they hand over."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from jaxteach.tasks import make_task, task_names
from jaxteach.tasks.language import Option
from jaxteach.teacher import Plan, PlanTable, load_table, parse_plan, table_names
from jaxteach.teacher.policy import BLOCK, Teacher, compile_teacher, teacher_policy
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.constants import DONE, DROP, FORWARD, LEFT, PICKUP, RIGHT, TOGGLE
from jaxteach.worlds.minigrid.paper.task import Task
from tests.worlds.minigrid.paper.play import caption_of, draw_layouts, play, rows_of
from tests.worlds.minigrid.paper.scenes import scene

pytestmark = pytest.mark.unoptimised

policy = jax.jit(teacher_policy, static_argnums=1)


@functools.cache
def task_named(name: str) -> Task:
    return make_task(name)


def teacher_of(name: str, caption: str, plans: dict[str, float]) -> Teacher:
    """A teacher that answers one caption with these plans, every other with as little as the shapes allow."""
    task = task_named(name)
    words = task.language
    assert caption in [state.text for state in words.states]

    def plans_of(state) -> tuple[Plan, ...]:
        known = [*state.sees, *([state.holds] if state.holds else [])]
        filler = ", ".join(f"go to <{known_object}>" for known_object in known) or "explore"
        chosen = plans if state.text == caption else {filler: 1.0}
        return tuple(Plan(parse_plan(text, words.objects, words.grammar), p) for text, p in chosen.items())

    states = words.states
    return compile_teacher(PlanTable(task.name, "by hand", states, tuple(map(plans_of, states)), {}), task)


def ask(name: str, caption: str, plans: dict[str, float], obs: np.ndarray, memory: list) -> dict[int, float]:
    """The actions with any probability, for one observation."""
    task = task_named(name)
    assert caption_of(task, obs) == caption, "the drawing shows another state"
    q = policy(teacher_of(name, caption, plans), task, obs[None], np.array(memory, np.int32)[None])[0]
    assert float(q.sum()) == pytest.approx(1, abs=1e-6)
    return {a: pytest.approx(float(p), abs=1e-6) for a, p in enumerate(q) if p}


NOTHING = "Agent sees <nothing>, holds <nothing>."
KEY = "Agent sees <key>, holds <nothing>."
DOOR = "Agent sees <door>, holds <nothing>."
BOTH = "Agent sees <key>, <door>, holds <nothing>."
HOLDS = "Agent sees <nothing>, holds <key>."
HOLDS_DOOR = "Agent sees <door>, holds <key>."
NEVER = [-1, -1]

OPEN_ROOM = """
#####
#..>#
#...#
#...#
#####
"""
UNSEEN_AHEAD = """
#####
#>..?
#...#
#...#
#####
"""
KEY_AHEAD = """
#####
#.>k#
#...#
#...#
##D##
"""
KEY_AWAY = """
#####
#k..#
#...#
#..v#
#####
"""
DOOR_AHEAD = """
#####
#...#
#..>D
#...#
#####
"""
NO_WAY = """
#####
#k??#
?????
?.>.?
?????
"""


CASES = [
    # explore acts, or hands over, or is all there is
    (NOTHING, "explore", UNSEEN_AHEAD, ".", NEVER, FORWARD),
    (NOTHING, "explore", OPEN_ROOM, ".", NEVER, DONE),
    # go to walks or turns; beside and facing it hands over
    (KEY, "go to <key>", KEY_AWAY, ".", [1, 1], RIGHT),
    (BOTH, "go to <door>, open <door>", KEY_AHEAD, ".", [1, 3], RIGHT),
    (BOTH, "go to <key>, pick up <key>", KEY_AHEAD, ".", [1, 3], PICKUP),
    (BOTH, "go to <key>", KEY_AHEAD, ".", [1, 3], DONE),
    # no way there is a wait, not a hand-over
    (KEY, "go to <key>, explore", NO_WAY, ".", [1, 1], DONE),
    (KEY, "explore, go to <key>", NO_WAY, ".", [1, 1], FORWARD),
    # pick up, drop and open act whatever lies ahead
    (KEY, "pick up <key>", KEY_AWAY, ".", [1, 1], PICKUP),
    (KEY, "drop <key>", KEY_AWAY, ".", [1, 1], DROP),
    (KEY, "open <key>", KEY_AWAY, ".", [1, 1], TOGGLE),
    (HOLDS_DOOR, "open <door>", DOOR_AHEAD, "k", [1, 1], TOGGLE),
    (HOLDS_DOOR, "open <door> with <key>", DOOR_AHEAD, "k", [1, 1], TOGGLE),
    # an object never seen is a wait, for every kind of option and whatever comes after
    (NOTHING, "go to <door>, explore", UNSEEN_AHEAD, ".", NEVER, DONE),
    (NOTHING, "open <door>", OPEN_ROOM, ".", NEVER, DONE),
    (NOTHING, "drop <key>", OPEN_ROOM, ".", NEVER, DONE),
    (NOTHING, "pick up <key>, explore", UNSEEN_AHEAD, ".", NEVER, DONE),
    (HOLDS, "go to <door>, open <door>", OPEN_ROOM, "k", [1, 1], DONE),
    # what the grammar rejects is a wait
    (NOTHING, "use <key>, explore", UNSEEN_AHEAD, ".", NEVER, DONE),
    (NOTHING, "explore, use <key>", UNSEEN_AHEAD, ".", NEVER, FORWARD),
    # chains of hand-overs
    (HOLDS_DOOR, "explore, go to <door>, open <door>", DOOR_AHEAD, "k", [1, 1], TOGGLE),
    (BOTH, "go to <key>, go to <door>, open <door>", KEY_AHEAD, ".", [1, 3], RIGHT),
    (HOLDS, "explore, go to <key>, drop <key>", OPEN_ROOM, "k", [1, 4], DROP),
    # a held key keeps the place where it last lay
    (HOLDS, "go to <key>", OPEN_ROOM, "k", [3, 3], RIGHT),
    (HOLDS, "go to <key>", OPEN_ROOM, "k", [1, 1], LEFT),
]


@pytest.mark.parametrize(
    ("caption", "plans", "drawing", "holds", "memory", "expected"),
    CASES,
    ids=[f"{i}: {plans}" for i, (_, plans, *_) in enumerate(CASES)],
)
def test_one_plan(
    caption: str, plans: str, drawing: str, holds: str, memory: list[int], expected: int
) -> None:
    assert ask("simple_door_key", caption, {plans: 1.0}, scene(drawing, holds), [memory]) == {expected: 1.0}


def test_plans_mix_by_probability_and_equal_actions_add_up() -> None:
    plans = {
        "go to <key>, pick up <key>": 0.5,  # faces the key: picks it up
        "pick up <key>": 0.125,
        "go to <door>": 0.25,
        "open <door>": 0.0625,
        "sing": 0.0625,
    }
    expected = {RIGHT: 0.25, PICKUP: 0.625, TOGGLE: 0.0625, DONE: 0.0625}
    assert ask("simple_door_key", BOTH, plans, scene(KEY_AHEAD), [[1, 3]]) == expected


def test_canonical_colours_lead_to_the_real_things() -> None:
    """The red key is mentioned first here, so it is c1; blue, of key and door, is c2."""
    obs = scene(
        """
        ######
        #r..b#
        #....#
        #.v..#
        #....#
        ##d###
        """.replace(" ", "")
    )
    caption = "Agent sees <c1 key>, <c2 key>, <c2 door>, holds <nothing>."
    memory = [[1, 4], [1, 1]]  # blue first: the order of the classes
    for target, action in (("c1 key", RIGHT), ("c2 key", LEFT), ("c2 door", FORWARD)):
        assert ask("colored_door_key", caption, {f"go to <{target}>": 1.0}, obs, memory) == {action: 1.0}, (
            target
        )


def test_doors_are_numbered_among_those_seen() -> None:
    both = """
    #######
    D..v..D
    #.....#
    #.....#
    #.....#
    """.replace(" ", "")
    caption = "Agent sees <door1>, <door2>, holds <key>."
    for target, action in (("door1", RIGHT), ("door2", LEFT)):
        obs = scene(both, "k", side=20)
        assert ask("two_door", caption, {f"go to <{target}>": 1.0}, obs, [[3, 3]]) == {action: 1.0}, target
    east_alone = scene(both.replace("D..v", "?..v"), "k", side=20)
    caption = "Agent sees <door1>, holds <key>."
    assert ask("two_door", caption, {"go to <door1>": 1.0}, east_alone, [[3, 3]]) == {LEFT: 1.0}


@pytest.mark.parametrize(
    ("name", "table"), [(name, table) for name in task_names() for table in table_names(name)]
)
def test_shipped_tables_compile_to_distributions(name: str, table: str) -> None:
    task = task_named(name)
    teacher = compile_teacher(load_table(table, name, task.language), task)
    np.testing.assert_allclose(teacher.outcome[:-1].sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_array_equal(teacher.outcome[-1], 0)  # of states not listed
    assert (np.asarray(teacher.outcome) >= 0).all()
    assert teacher.outcome.shape[0] == len(task.language.states) + 1


def test_soft_is_the_mean_of_hard() -> None:
    """Each plan alone gives one action; the mixture over plans is their mean by probability."""
    task = task_named("colored_door_key")
    table = load_table("chatglm", task.name, task.language)
    obs, memory = random_play(task)
    soft = np.asarray(policy(compile_teacher(table, task), task, obs, memory))
    mean = np.zeros_like(soft)
    for k in range(max(map(len, table.plans))):
        alone = tuple((dataclasses.replace(plans[k % len(plans)], probability=1.0),) for plans in table.plans)
        hard = np.asarray(
            policy(compile_teacher(dataclasses.replace(table, plans=alone), task), task, obs, memory)
        )
        assert set(np.unique(hard)) == {0.0, 1.0} and (hard.sum(axis=1) == 1).all()
        shares = np.array([plans[k].probability if k < len(plans) else 0.0 for plans in table.plans])
        mean += shares[np.asarray(rows_of(task, obs))][:, None] * hard
    np.testing.assert_allclose(soft, mean, atol=1e-6)
    assert ((soft > 0).sum(axis=1) > 1).mean() > 0.1, "hardly any mixture was seen"


def random_play(task: Task) -> tuple[np.ndarray, np.ndarray]:
    """512 observations of random play, some of them late in the episode, and the teacher's memory then."""
    actions = np.random.default_rng(0).choice(7, p=[0.2, 0.2, 0.3, 0.2, 0.05, 0, 0.05], size=(151, 128))
    played = play(task, draw_layouts(task, 0, 128), actions)
    return tuple(
        np.concatenate([np.asarray(played[name][t]) for t in (5, 40, 90, 150)]) for name in ("obs", "memory")
    )


def test_a_batch_of_several_blocks_is_answered_as_its_parts_are() -> None:
    task = task_named("simple_door_key")
    teacher = compile_teacher(load_table("chatglm", task.name, task.language), task)
    obs, memory = random_play(task)
    n = BLOCK + 3  # two blocks, the second nearly all padding
    picked = np.arange(n) % len(obs)
    whole = policy(teacher, task, obs[picked], memory[picked])
    parts = policy(teacher, task, obs[: min(len(obs), BLOCK)], memory[: min(len(obs), BLOCK)])
    assert whole.shape == (n, 7)
    np.testing.assert_allclose(whole[: len(parts)], parts, atol=1e-6)
    last = policy(teacher, task, obs[picked[-3:]], memory[picked[-3:]])
    np.testing.assert_allclose(whole[-3:], last, atol=1e-6)


def test_a_table_of_other_states_is_refused() -> None:
    task = task_named("simple_door_key")
    table = load_table("chatglm", "colored_door_key", make_task("colored_door_key").language)
    with pytest.raises(UserError, match=r"colored_door_key.*simple_door_key"):
        compile_teacher(table, task)


@pytest.mark.parametrize(
    "option", [Option("fly"), Option("explore", "key"), Option("go to"), Option("go to", "window")]
)
def test_a_table_made_by_hand_with_options_the_task_lacks_is_refused(option: Option) -> None:
    task = task_named("simple_door_key")
    table = load_table("chatglm", task.name, task.language)
    plans = (*table.plans[:2], (Plan((option, Option("explore")), 1.0),), *table.plans[3:])
    with pytest.raises(UserError) as caught:
        compile_teacher(dataclasses.replace(table, plans=plans), task)
    message = f"table chatglm: state {KEY!r}: {option.text!r} is no option of simple_door_key"
    assert str(caught.value).startswith(message)


def test_what_the_world_does_not_list_is_taught_nothing() -> None:
    """A row of -1 has zero weight, whatever the options would do there."""

    class Forgetful(type(task_named("simple_door_key"))):
        def perceive(self, obs, memory):
            state, view = super().perceive(obs, memory)
            return jax.numpy.where(state == 2, -1, state), view

    task, known = Forgetful(), task_named("simple_door_key")
    teacher = compile_teacher(load_table("chatglm", task.name, task.language), task)
    obs, memory = random_play(known)
    q = np.asarray(policy(teacher, task, obs, memory))
    there = np.asarray(rows_of(known, obs)) == 2
    assert 10 < there.sum() < len(obs)
    assert (q[there] == 0).all()
    np.testing.assert_array_equal(q[~there], np.asarray(policy(teacher, known, obs, memory))[~there])
