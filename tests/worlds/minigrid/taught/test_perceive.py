"""What a teacher is told and what options do, in scenes worked by hand: `?` is a cell not seen."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.taught import families as f
from jaxteach.worlds.minigrid.taught.perceive import perceive, targets_of
from tests.worlds.minigrid.scenes import AGENTS, SIGNS

MISSIONS = ("pick up the green ball",)
MAZE = f.FAMILIES["MiniGrid-ObstructedMaze"]
LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE = range(6)
# A yellow key, a red ball, besides the signs of `scenes`: k is a red key, o the green ball.
MORE = {"y": k.code(k.KEY, k.YELLOW), "r": k.code(k.BALL, k.RED), "?": 0}
HELD = {"": (k.EMPTY, 0), "red key": (k.KEY, k.RED), "yellow key": (k.KEY, k.YELLOW), "ball": (k.BALL, k.RED)}


@functools.cache
def compiled(family):
    return jax.jit(lambda obs: perceive(family, MISSIONS, obs))


def told(*rows: str, held: str = "", family: f.Family = MAZE):
    """The state of a scene, and what each option does there: an action, or None if it has ended."""
    codes = np.array([[{**SIGNS, **MORE}.get(sign, k.EMPTY) for sign in row] for row in rows], np.uint8)
    cells = np.stack([*k.channels(codes), np.full(codes.shape, 4, np.uint8)], axis=-1)
    ((row, column, arrow),) = [
        (y, x, sign) for y, line in enumerate(rows) for x, sign in enumerate(line) if sign in AGENTS
    ]
    cells[row, column] = (*HELD[held], 0, AGENTS.index(arrow))
    obs = {"cells": jnp.asarray(cells[None]), "mission": jnp.zeros(1, jnp.uint16)}
    code, options = compiled(family)(obs)
    doing = {
        option.text: None if bool(options.over[i, 0]) else int(options.action[i, 0])
        for i, option in enumerate(family.options)
    }
    return family.state(int(code[0])), doing


def test_the_mission_names_its_target() -> None:
    missions = ("pick up the green ball", "open the door", "fetch a blue key", "pick up the grey box")
    assert targets_of(missions).tolist() == [[k.BALL, 1], [0, 0], [k.KEY, 2], [k.BOX, 5]]


def test_a_room_with_a_key_and_a_locked_door() -> None:
    state, doing = told("######", "#>..k#", "#....#", "##L###")
    assert state.reach == {"target": 0, "key": f.NEAR, "locked door": f.NEAR, "blocker": 0, "box": 0}
    assert (state.held, state.unexplored) == (0, False)
    assert doing["go to <key>"] == doing["pick up <key>"] == FORWARD
    assert doing["go to <locked door>"] == FORWARD  # of two walks as short, that without a turn now
    for ended in ("open <locked door>", "explore", "drop", "pick up <target>", "open <box>"):
        assert doing[ended] is None


def test_facing_it_a_key_is_picked_up_and_going_there_has_ended() -> None:
    _, doing = told("#####", "#.>k#", "#####")
    assert doing["pick up <key>"] == PICKUP and doing["go to <key>"] is None


def test_a_key_opens_the_door_of_its_colour_alone() -> None:
    state, doing = told("####", "#.>L", "####", held="red key")
    assert state.held == 1 and state.reach["locked door"] == f.NEAR
    assert doing["open <locked door>"] == TOGGLE and doing["pick up <key>"] is None
    state, doing = told("####", "#.>L", "####", held="yellow key")
    assert state.held == 2 and state.reach["locked door"] == f.NEAR
    assert doing["open <locked door>"] is None
    # Before any locked door was seen, every key may be of use.
    state, _ = told("####", "#.>#", "####", held="yellow key")
    assert state.held == 1


def test_of_two_keys_only_the_one_that_fits_counts() -> None:
    state, doing = told("######", "#y<.k#", "#...L#", "######")
    assert state.reach["key"] == f.NEAR and doing["pick up <key>"] in (LEFT, RIGHT)
    state, _ = told("######", "#y<..#", "#...L#", "######")
    assert state.reach["key"] == f.UNKNOWN


def test_what_lies_behind_a_closed_door_is_out_of_reach() -> None:
    state, doing = told("#####", "#>Do#", "#####")
    assert state.reach["target"] == f.FAR and state.unexplored
    assert doing["explore"] == TOGGLE and doing["pick up <target>"] is None
    state, doing = told("#####", "#>Oo#", "#####")
    assert state.reach["target"] == f.NEAR and doing["pick up <target>"] == FORWARD


def test_a_thing_before_a_door_blocks_it() -> None:
    state, doing = told("######", "#>.rL#", "#...##", "######")
    assert state.reach["blocker"] == f.NEAR and state.reach["locked door"] == f.UNKNOWN
    assert doing["pick up <blocker>"] == FORWARD
    # The target itself, and a thing in the open, block nothing.
    assert told("#####", "#>oD#", "#####")[0].reach["blocker"] == f.UNKNOWN
    assert told("######", "#>r..#", "#...D#", "######")[0].reach["blocker"] == f.UNKNOWN


def test_a_thing_is_dropped_where_it_is_in_nobodys_way() -> None:
    rows = ("######", "#....#", "#...>D", "#....#", "######")
    _, doing = told(*rows, held="ball")
    assert doing["drop"] in (LEFT, RIGHT)  # not before the door, nor beside it
    rows = ("######", "#....#", "#.<..D", "#....#", "######")
    assert told(*rows, held="ball")[1]["drop"] == DROP
    # In a passage there is no such place: anywhere but on the way to the target.
    _, doing = told("#######", "#.>..o#", "#######", held="red key")
    assert doing["drop"] == RIGHT
    assert told("#######", "#.<..o#", "#######", held="red key")[1]["drop"] == DROP
    assert told("#######", "#.<..o#", "#######")[1]["drop"] is None


def test_exploring_leads_to_the_nearest_place_not_seen() -> None:
    state, doing = told("#####?", "#..>.?", "#####?")
    assert state.unexplored and doing["explore"] == FORWARD
    assert told("######", "?..>.#", "######")[1]["explore"] == RIGHT
    assert told("######", "#..>.#", "######")[1]["explore"] is None
    # Lava is not walked on.
    assert told("######", "#>~.??", "######")[1]["explore"] is None


def test_boxes_are_opened_and_held_things_are_no_boxes() -> None:
    state, doing = told("#####", "#.>b#", "#####")
    assert state.reach["box"] == f.NEAR and doing["open <box>"] == TOGGLE


@pytest.mark.parametrize("name", ["MiniGrid-DoorKey-6x6-v0", "MiniGrid-KeyCorridorS3R1-v0"])
def test_the_ideal_teacher_solves_the_level(name: str) -> None:
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.teacher.policy import compile_teacher
    from jaxteach.training import play_teacher

    task = make_task(name)
    table = load_teacher("rule-ideal", name)
    assert table is not None
    played = play_teacher(task, compile_teacher(table, task), np.uint32(3), 128, False)
    assert float(played.success) == 1.0
