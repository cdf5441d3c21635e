"""Tests of options as actions: against the teacher's own answers, and every way to end worked by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxteach.worlds.minigrid.paper.menu import action_of, has_ended, look_around, make_menu

from jaxteach.tasks import make_task
from jaxteach.teacher import Plan, PlanTable
from jaxteach.teacher.policy import compile_teacher, teacher_policy
from jaxteach.worlds.minigrid.paper.constants import DONE, DROP, FORWARD, LEFT, PICKUP, RIGHT, TOGGLE
from tests.worlds.minigrid.paper.play import draw_layouts, play
from tests.worlds.minigrid.paper.scenes import scene

EXPLORE, TO_KEY, TO_DOOR, PICK_UP, PUT_DOWN, OPEN = range(6)
NEVER = [-1, -1]


@functools.partial(jax.jit, static_argnums=0)
def answers(menu, obs, memory, option):
    """Actions and ends of one option a row."""
    seen = look_around(menu, obs, memory)
    return action_of(menu, seen, option), has_ended(menu, seen, option)


def ask(drawing: str, holds: str, memory: list[int], option: int) -> tuple[int, bool]:
    """The action and the end of an option of SimpleDoorKey in one scene."""
    menu = make_menu(make_task("simple_door_key"))
    action, ended = answers(menu, scene(drawing, holds)[None], np.int32([[memory]]), np.int32([option]))
    return int(action[0]), bool(ended[0])


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
##D##
"""
NO_WAY = """
#####
#k??#
?????
?.>.?
?????
"""


def test_the_menu_by_hand():
    menu = make_menu(make_task("simple_door_key"))
    assert [option.text for option in menu.options] == [
        "explore",
        "go to <key>",
        "go to <door>",
        "pick up <key>",
        "drop <key>",
        "open <door>",
    ]
    assert menu.object_of.tolist() == [-1, 0, 1, 0, 0, 1]
    assert menu.fixed_action.tolist() == [-1, -1, -1, PICKUP, DROP, TOGGLE]


@pytest.mark.parametrize(
    ("drawing", "holds", "memory", "option", "action", "ended"),
    [
        # exploring goes on until nothing is left, then it can only wait
        (UNSEEN_AHEAD, ".", NEVER, EXPLORE, FORWARD, False),
        (OPEN_ROOM, ".", NEVER, EXPLORE, DONE, True),
        # going to a thing ends when the agent faces it
        (KEY_AWAY, ".", [1, 1], TO_KEY, RIGHT, False),
        (KEY_AHEAD, ".", [1, 3], TO_KEY, DONE, True),
        (KEY_AHEAD, ".", [1, 3], TO_DOOR, RIGHT, False),
        # no way there: it waits, but has not arrived
        (NO_WAY, ".", [1, 1], TO_KEY, DONE, False),
        # what has not been seen cannot be gone to, picked up or opened
        (OPEN_ROOM, ".", NEVER, TO_KEY, DONE, True),
        (OPEN_ROOM, ".", NEVER, PICK_UP, DONE, True),
        (OPEN_ROOM, ".", NEVER, PUT_DOWN, DONE, True),
        (OPEN_ROOM, ".", NEVER, OPEN, DONE, True),
        # a single step is over after it, whether it helps or not
        (KEY_AHEAD, ".", [1, 3], PICK_UP, PICKUP, True),
        (KEY_AWAY, ".", [1, 1], PICK_UP, PICKUP, True),
        (KEY_AHEAD, ".", [1, 3], OPEN, TOGGLE, True),
        (OPEN_ROOM, "k", [1, 3], PUT_DOWN, DROP, True),
        # a held key keeps the place where it last lay
        (OPEN_ROOM, "k", [1, 1], TO_KEY, LEFT, False),
    ],
)
def test_one_option(drawing, holds, memory, option, action, ended):
    assert ask(drawing, holds, memory, option) == (action, ended)


@pytest.mark.parametrize("name", ["simple_door_key", "colored_door_key", "two_door"])
def test_options_act_as_a_teacher_who_says_nothing_else(name):
    task = make_task(name)
    menu = make_menu(task)
    actions = jax.random.choice(jax.random.key(0), jnp.asarray([0, 1, 2, 2, 2, 3, 4]), (60, 32))
    walk = play(task, draw_layouts(task, 3, 32), actions)
    obs, memory = (walk[k].reshape(-1, *walk[k].shape[2:]) for k in ("obs", "memory"))
    ask_teacher = jax.jit(teacher_policy, static_argnums=1)
    shapes = make_wide(task, menu)
    waits = []
    for number, option in enumerate(menu.options):
        states = task.vocabulary.states
        table = PlanTable(task.name, option.text, states, ((Plan((option,), 1.0), shapes),) * len(states), {})
        q = np.asarray(ask_teacher(compile_teacher(table, task), task, obs, memory))
        found, _ = answers(menu, obs, memory, np.full(len(obs), number, np.int32))
        np.testing.assert_array_equal(q.argmax(axis=1), found, err_msg=option.text)
        waits.append(np.mean(np.asarray(found) == DONE))
    assert 0.1 < np.mean(waits) < 0.9  # options were applied, and others could not be


def make_wide(task, menu) -> Plan:
    """A plan without weight that names everything, so that all tables compile to arrays of one shape."""
    return Plan(tuple(option for option in menu.options if option.kind == "go to"), 0.0)
