"""Tests of running options: against the teacher's own answers, and every way to act and to end by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.tasks.language import Option
from jaxteach.teacher import Plan, PlanTable
from jaxteach.teacher.policy import compile_teacher, teacher_policy
from jaxteach.training.hierarchical import NO_OPTION, execute, fixed_actions
from jaxteach.worlds.minigrid.paper.constants import DONE, DROP, FORWARD, LEFT, PICKUP, RIGHT, TOGGLE
from tests.training.corridor import CORRIDOR
from tests.worlds.minigrid.paper.play import draw_layouts, play
from tests.worlds.minigrid.paper.scenes import scene

pytestmark = pytest.mark.unoptimised

EXPLORE, TO_KEY, TO_DOOR, PICK_UP, PUT_DOWN, OPEN = range(6)
NEVER = [-1, -1]

run = jax.jit(execute, static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def running_now(task, obs, memory, option):
    """The options in one number with their subjects, as a step before would have left them running."""
    _, view = task.perceive(obs, memory)
    return option + len(task.language.options) * task.subject(view, option)


def ask(drawing: str, holds: str, memory: list[int], option: int) -> tuple[int, bool]:
    """What an option of SimpleDoorKey does when it begins in a scene, and whether one that runs has ended."""
    task = make_task("simple_door_key")
    seen = scene(drawing, holds)[None], np.int32([[memory]])
    chosen, other = np.int32([option]), np.int32([(option + 1) % 6])
    begun, decides, _ = run(task, *seen, np.array([True]), np.int32([NO_OPTION]), chosen)
    assert decides[0]
    running = running_now(task, *seen, chosen)
    _, ended, _ = run(task, *seen, np.array([False]), running, other)
    return int(begun[0]), bool(ended[0])


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


def test_the_options_by_hand() -> None:
    task = make_task("simple_door_key")
    assert [option.text for option in task.language.options] == [
        "explore",
        "go to <key>",
        "go to <door>",
        "pick up <key>",
        "drop <key>",
        "open <door>",
    ]
    assert task.option_groups == ((EXPLORE,), (TO_KEY, TO_DOOR))
    fixed = {
        state.text: row for state, row in zip(task.language.states, fixed_actions(task)[:-1], strict=True)
    }
    # An object that no caption of the state mentions cannot be dealt with: the option waits.
    assert fixed["Agent sees <nothing>, holds <nothing>."].tolist() == [-1, *[DONE] * 5]
    assert fixed["Agent sees <key>, holds <nothing>."].tolist() == [-1, -1, DONE, PICKUP, DROP, DONE]
    assert fixed["Agent sees <door>, holds <key>."].tolist() == [-1, -1, -1, PICKUP, DROP, TOGGLE]
    assert fixed_actions(task)[-1].tolist() == [DONE] * 6  # of states not listed


@pytest.mark.parametrize(
    ("drawing", "holds", "memory", "option", "action", "ended"),
    [
        # exploring continues until nothing is left, then it can only wait
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
def test_one_option(drawing, holds, memory, option, action, ended) -> None:
    assert ask(drawing, holds, memory, option) == (action, ended)


@pytest.mark.parametrize(
    "name",
    [
        "colored_door_key",
        pytest.param("simple_door_key", marks=pytest.mark.slow),
        pytest.param("two_door", marks=pytest.mark.slow),
    ],
)
def test_options_act_as_a_teacher_who_says_nothing_else(name: str) -> None:
    task = make_task(name)
    language = task.language
    actions = jax.random.choice(jax.random.key(0), jnp.asarray([0, 1, 2, 2, 2, 3, 4]), (60, 32))
    walk = play(task, draw_layouts(task, 3, 32), actions)
    obs, memory = (walk[k].reshape(-1, *walk[k].shape[2:]) for k in ("obs", "memory"))
    ask_teacher = jax.jit(teacher_policy, static_argnums=1)
    # A plan without weight that names everything, so that all tables compile to arrays of one shape.
    shapes = Plan(tuple(option for option in language.options if option.kind == "go to"), 0.0)
    begin, nothing = np.ones(len(obs), bool), np.full(len(obs), NO_OPTION, np.int32)
    waits = []
    for number, option in enumerate(language.options):
        plans = ((Plan((option,), 1.0), shapes),) * len(language.states)
        table = PlanTable(task.name, option.text, language.states, plans, {})
        q = np.asarray(ask_teacher(compile_teacher(table, task), task, obs, memory))
        found, _, _ = run(task, obs, memory, begin, nothing, np.full(len(obs), number, np.int32))
        np.testing.assert_array_equal(q.argmax(axis=1), found, err_msg=option.text)
        waits.append(np.mean(np.asarray(found) == DONE))
    assert 0.1 < np.mean(waits) < 0.9  # options were applied, and others could not be


# West of the agent a door may come to be seen; captions then number it before the eastern one.
EAST_DOOR = """
#######
?..v..D
#.....#
#.....#
#######
"""


@pytest.mark.parametrize(("drawing", "ended"), [(EAST_DOOR, False), (EAST_DOOR.replace("?", "D"), True)])
def test_going_to_a_door_ends_when_another_takes_its_number(drawing: str, ended: bool) -> None:
    task = make_task("two_door")
    option = np.int32([task.language.options.index(Option("go to", "door1"))])
    memory, explore = np.int32([[[3, 3]]]), np.int32([EXPLORE])
    before = scene(EAST_DOOR, "k", side=20)[None]
    action, _, running = run(task, before, memory, np.array([True]), np.int32([NO_OPTION]), option)
    assert action[0] == LEFT and running[0] != NO_OPTION
    after = scene(drawing, "k", side=20)[None]
    action, decides, now = run(task, after, memory, np.array([False]), running, explore)
    assert bool(decides[0]) == ended
    assert ended or (int(action[0]), int(now[0])) == (LEFT, int(running[0]))


REST, TO_MARK, JUMP, FLEE = range(4)
WEST, EAST, RESTS, JUMPS = range(4)


@pytest.mark.parametrize(
    ("place", "first", "running", "chosen", "expected"),
    [
        # the choice is taken up, and runs on if it is more than one step
        (5, False, NO_OPTION, TO_MARK, (WEST, True, TO_MARK)),
        (5, False, NO_OPTION, FLEE, (EAST, True, FLEE)),
        (5, False, NO_OPTION, JUMP, (JUMPS, True, NO_OPTION)),
        (5, False, NO_OPTION, REST, (RESTS, True, NO_OPTION)),
        # what runs continues, until it has arrived or the episode is another
        (5, False, TO_MARK, JUMP, (WEST, False, TO_MARK)),
        (3, False, TO_MARK, JUMP, (JUMPS, True, NO_OPTION)),
        (5, True, TO_MARK, FLEE, (EAST, True, FLEE)),
        # what cannot be done here, or is done already, waits one step and no longer
        (0, False, NO_OPTION, JUMP, (RESTS, True, NO_OPTION)),
        (3, False, NO_OPTION, TO_MARK, (RESTS, True, NO_OPTION)),
        # a state that is not listed allows nothing: whatever ran ends, whatever is chosen waits
        (10, False, NO_OPTION, FLEE, (RESTS, True, NO_OPTION)),
        (10, False, NO_OPTION, JUMP, (RESTS, True, NO_OPTION)),
        (10, False, TO_MARK, FLEE, (RESTS, True, NO_OPTION)),
    ],
)
def test_a_world_of_another_kind(place, first, running, chosen, expected) -> None:
    obs = np.int32([place])
    found = run(CORRIDOR, obs, (), np.array([first]), np.int32([running]), np.int32([chosen]))
    assert tuple(x[0].item() for x in found) == expected
