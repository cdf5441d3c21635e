"""What a teacher is told and what options do, in scenes worked by hand: `?` is a cell not seen."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.taught import families as f
from jaxteach.worlds.minigrid.taught import things as t
from jaxteach.worlds.minigrid.taught.perceive import perceive
from jaxteach.worlds.minigrid.taught.roles import named_in
from tests.worlds.minigrid.scenes import AGENTS, SIGNS

pytestmark = pytest.mark.unoptimised

MAZE = f.FAMILIES["MiniGrid-ObstructedMaze"]
LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE = range(6)
# A yellow key, a red ball, besides the signs of `scenes`: k is a red key, o the green ball.
MORE = {"y": k.code(k.KEY, k.YELLOW), "r": k.code(k.BALL, k.RED), "?": 0}
# Green things and a blue door, and what a level's mission calls them.
MORE |= {"g": k.code(k.KEY, k.GREEN), "B": k.code(k.CLOSED, k.BLUE), "Y": k.code(k.CLOSED, k.YELLOW)}
HELD = {"": (k.EMPTY, 0), "red key": (k.KEY, k.RED), "yellow key": (k.KEY, k.YELLOW), "ball": (k.BALL, k.RED)}
DONE = 6


@functools.cache
def compiled(family, missions):
    return jax.jit(lambda obs: perceive(family, missions, obs))


def told(*rows: str, held: str = "", family: f.Family = MAZE, mission: str = "pick up the green ball"):
    """The state of a scene, and what each option does there: an action, or None if it has ended."""
    codes = np.array([[{**SIGNS, **MORE}.get(sign, k.EMPTY) for sign in row] for row in rows], np.uint8)
    cells = np.stack([*k.channels(codes), np.full(codes.shape, 4, np.uint8)], axis=-1)
    ((row, column, arrow),) = [
        (y, x, sign) for y, line in enumerate(rows) for x, sign in enumerate(line) if sign in AGENTS
    ]
    cells[row, column] = (*HELD[held], 0, AGENTS.index(arrow))
    obs = {"cells": jnp.asarray(cells[None]), "mission": jnp.zeros(1, jnp.uint16)}
    code, options = compiled(family, (mission,))(obs)
    doing = {
        option.text: None if bool(options.over[i, 0]) else int(options.action[i, 0])
        for i, option in enumerate(family.options)
    }
    return family.state(int(code[0])), doing


def test_missions_name_things() -> None:
    missions = (
        "pick up the green ball",
        "open the door",
        "put the blue key near the grey box",
        "get the red key from the green room, unlock the red door and go to the goal",
        "open the red door then the blue door",
    )
    nothing = [0, 0]
    assert named_in(missions).tolist() == [
        [[k.BALL, 1], nothing],
        [nothing, nothing],
        [[k.KEY, 2], [k.BOX, 5]],
        [[k.KEY, k.RED], [k.DOOR, 1]],
        [[k.DOOR, k.RED], [k.DOOR, 2]],
    ]


def test_a_room_with_a_key_and_a_locked_door() -> None:
    state, doing = told("######", "#>..k#", "#....#", "##L###")
    assert state.reach == {"target": 0, "key": t.NEAR, "locked door": t.NEAR, "blocker": 0, "box": 0}
    assert (state.held, state.unexplored) == (t.NOTHING, False)
    assert doing["go to <key>"] == doing["pick up <key>"] == FORWARD
    assert doing["go to <locked door>"] == FORWARD  # of two walks as short, that without a turn now
    for ended in ("open <locked door>", "explore", "drop", "pick up <target>", "open <box>"):
        assert doing[ended] is None


def test_facing_it_a_key_is_picked_up_and_going_there_has_ended() -> None:
    _, doing = told("#####", "#.>k#", "#####")
    assert doing["pick up <key>"] == PICKUP and doing["go to <key>"] is None


def test_a_key_opens_the_door_of_its_colour_alone() -> None:
    state, doing = told("####", "#.>L", "####", held="red key")
    assert state.held == t.KEY and state.reach["locked door"] == t.NEAR
    assert doing["open <locked door>"] == TOGGLE and doing["pick up <key>"] is None
    state, doing = told("####", "#.>L", "####", held="yellow key")
    assert state.held == t.OTHER and state.reach["locked door"] == t.NEAR
    assert doing["open <locked door>"] is None
    # Before any locked door was seen, every key may be of use.
    state, _ = told("####", "#.>#", "####", held="yellow key")
    assert state.held == t.KEY


def test_of_two_keys_only_the_one_that_fits_counts() -> None:
    state, doing = told("######", "#y<.k#", "#...L#", "######")
    assert state.reach["key"] == t.NEAR and doing["pick up <key>"] in (LEFT, RIGHT)
    state, _ = told("######", "#y<..#", "#...L#", "######")
    assert state.reach["key"] == t.UNKNOWN


def test_what_lies_behind_a_closed_door_is_out_of_reach() -> None:
    state, doing = told("#####", "#>Do#", "#####")
    assert state.reach["target"] == t.FAR and state.unexplored
    assert doing["explore"] == TOGGLE and doing["pick up <target>"] is None
    state, doing = told("#####", "#>Oo#", "#####")
    assert state.reach["target"] == t.NEAR and doing["pick up <target>"] == FORWARD


def test_a_thing_before_a_door_blocks_it() -> None:
    state, doing = told("######", "#>.rL#", "#...##", "######")
    assert state.reach["blocker"] == t.NEAR and state.reach["locked door"] == t.UNKNOWN
    assert doing["pick up <blocker>"] == FORWARD
    # The target itself, and a thing in the open, block nothing.
    assert told("#####", "#>oD#", "#####")[0].reach["blocker"] == t.UNKNOWN
    assert told("######", "#>r..#", "#...D#", "######")[0].reach["blocker"] == t.UNKNOWN


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


def test_a_thing_is_dropped_where_no_walk_needs_the_cell() -> None:
    # In a doorway the door itself is not seen, nor is it seen from beyond that its cell leads on.
    rows = ("#######", "#..#..#", "#..>..#", "#..#..#", "#######")
    assert told(*rows, held="ball")[1]["drop"] == FORWARD
    # West of the agent, and east of it, a second thing would close a fence around a corner.
    rows = ("#####", "#.r.#", "#.<.#", "#...#", "#####")
    assert told(*rows, held="yellow key")[1]["drop"] == LEFT
    # What lies beyond the cell before it was not seen: it may be the way on.
    rows = ("#####", "#.>.?", "#..##", "#####")
    assert told(*rows, held="yellow key")[1]["drop"] == RIGHT


def test_exploring_leads_to_the_nearest_place_not_seen() -> None:
    state, doing = told("#####?", "#..>.?", "#####?")
    assert state.unexplored and doing["explore"] == FORWARD
    assert told("######", "?..>.#", "######")[1]["explore"] == RIGHT
    assert told("######", "#..>.#", "######")[1]["explore"] is None
    # Lava is not walked on.
    assert told("######", "#>~.??", "######")[1]["explore"] is None


def test_boxes_are_opened_and_held_things_are_no_boxes() -> None:
    state, doing = told("#####", "#.>b#", "#####")
    assert state.reach["box"] == t.NEAR and doing["open <box>"] == TOGGLE


def test_the_red_door_first_and_nothing_opened_by_exploring() -> None:
    red_blue = functools.partial(
        told,
        family=f.FAMILIES["MiniGrid-RedBlueDoors"],
        mission="open the red door then the blue door",
    )
    state, doing = red_blue("######", "D.>..B", "######")
    assert state.reach == {"red door": t.NEAR, "open red door": t.UNKNOWN, "blue door": t.NEAR}
    assert not state.unexplored and doing["explore"] is None
    assert doing["open <red door>"] == RIGHT and doing["open <blue door>"] == FORWARD
    state, doing = red_blue("######", "O...>B", "######")
    assert state.reach == {"red door": t.UNKNOWN, "open red door": t.SEEN, "blue door": t.NEAR}
    assert doing["open <blue door>"] == TOGGLE


def test_the_marked_door_is_that_of_the_room_named() -> None:
    rows = ("#B###", "#.>D#", "##L##")
    state, doing = told(
        *rows,
        family=f.FAMILIES["MiniGrid-LockedRoom"],
        mission="get the red key from the blue room, unlock the red door and go to the goal",
    )
    assert state.reach == {"goal": 0, "key": 0, "locked door": t.NEAR, "marked door": t.NEAR}
    assert doing["open <marked door>"] in (LEFT, RIGHT) and doing["explore"] is None


def test_beside_a_thing_whichever_way_it_faces() -> None:
    go_to = functools.partial(told, family=f.FAMILIES["MiniGrid-GoTo"], mission="go to the green ball")
    state, doing = go_to("#####", "#>.o#", "#####")
    assert state.reach == {"target": t.NEAR, "other thing": t.UNKNOWN}
    assert doing["go to <target>"] == FORWARD and doing["done"] == DONE
    state, doing = go_to("#####", "#.<o#", "#####")
    assert state.reach["target"] == t.BESIDE and doing["go to <target>"] is None
    state, doing = go_to("####", "#>.#", "##o#", "####")
    assert state.reach["target"] == t.NEAR  # diagonally is not beside
    # A door to go to is not opened, and another is another thing.
    state, doing = told(
        "#####", "#.>B#", "#YD##", family=f.FAMILIES["MiniGrid-GoTo"], mission="go to the blue door"
    )
    assert state.reach == {"target": t.BESIDE, "other thing": t.NEAR} and doing["explore"] is None


def test_a_thing_is_put_on_a_cell_next_to_the_place() -> None:
    put = functools.partial(
        told, family=f.FAMILIES["MiniGrid-PutNear"], mission="put the red ball near the green ball"
    )
    state, doing = put("######", "#>.r.#", "#....#", "#o...#", "######")
    assert state.reach == {"target": t.NEAR, "place": t.NEAR} and state.held == t.NOTHING
    assert doing["pick up <target>"] == FORWARD and doing["put near <place>"] is None
    state, doing = put("######", "#....#", "#..<.#", "#o...#", "######", held="ball")
    assert state.held == t.TARGET and doing["put near <place>"] == DROP  # diagonally is near
    _, doing = put("######", "#...<#", "#....#", "#o...#", "######", held="ball")
    assert doing["put near <place>"] != DROP
    _, doing = put("######", "#....#", "#o.>.#", "#....#", "######", held="ball")
    assert doing["put near <place>"] in (LEFT, RIGHT)


def test_what_the_mission_names_is_fetched_and_all_else_is_other() -> None:
    fetch = functools.partial(told, family=f.FAMILIES["MiniGrid-Fetch"], mission="fetch a red key")
    state, doing = fetch("######", "#.>.k#", "#o...#", "######")
    assert state.reach == {"target": t.NEAR, "other thing": t.NEAR}
    assert doing["pick up <target>"] == FORWARD and doing["pick up <other thing>"] in (LEFT, RIGHT)


def test_the_matching_thing_is_known_once_the_cue_was_seen() -> None:
    family = f.FAMILIES["MiniGrid-Memory"]
    memory = functools.partial(told, family=family, mission="go to the matching object")
    state, doing = memory("?????????", "######...", "?>.......", "######..#", "?????????")
    assert state.reach == {"cue": 0, "matching thing": 0, "other thing": 0}
    assert doing["look back"] in (LEFT, RIGHT) and doing["explore"] == FORWARD
    state, doing = memory("#######g#", "#g#####.#", "#.>.....#", "#######.#", "#######o#")
    assert state.reach == {"cue": t.SEEN, "matching thing": t.NEAR, "other thing": t.NEAR}
    assert doing["go to <matching thing>"] == FORWARD and doing["look back"] is None
    state, _ = memory("#######g#", "#######.#", "?.>.....#", "#######.#", "#######o#")
    assert state.reach == {"cue": 0, "matching thing": 0, "other thing": t.NEAR}


@pytest.mark.parametrize(
    "name",
    [
        "MiniGrid-KeyCorridorS3R1-v0",
        "MiniGrid-GoToDoor-6x6-v0",
        "MiniGrid-MemoryS9-v0",
        pytest.param("MiniGrid-LockedRoom-v0", marks=pytest.mark.slow),
        pytest.param("MiniGrid-RedBlueDoors-6x6-v0", marks=pytest.mark.slow),
        pytest.param("MiniGrid-PutNear-6x6-N2-v0", marks=pytest.mark.slow),
    ],
)
def test_the_ideal_teacher_solves_the_level(name: str) -> None:
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.teacher.policy import compile_teacher
    from jaxteach.training import play_teacher

    task = make_task(name)
    table = load_teacher("rule-ideal", name)
    assert table is not None
    played = play_teacher(task, compile_teacher(table, task), np.uint32(3), 128, False)
    assert float(played.success) == 1.0
