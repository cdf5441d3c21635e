"""Layouts read off grids: there and back for every task, and every grid that is none is refused."""

import jax
import numpy as np
import pytest

from jaxteach.tasks import make_task, task_names
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.task import Task
from tests.worlds.minigrid.paper.play import caption_of, draw_layouts, grids_of, read_grids
from tests.worlds.minigrid.paper.scenes import scene, start

pytestmark = pytest.mark.unoptimised

ROOM = """
######
#..k.#
#.>..D
#....#
######
"""


@pytest.fixture(scope="module")
def simple() -> Task:
    return make_task("simple_door_key")


@pytest.mark.parametrize("name", [*task_names(), "simple_door_key:extra_key", "colored_door_key:three_keys"])
def test_there_and_back(name: str) -> None:
    task = make_task(name)
    drawn = jax.tree.map(np.asarray, draw_layouts(task, 0, 64))
    grids = np.asarray(grids_of(task, drawn))
    read = read_grids(task, grids, drawn["agent"], drawn["direction"])
    for field in ("room", "agent", "direction", "doors", "door_colours", "key_colours", "lava"):
        jax.tree.map(np.testing.assert_array_equal, read[field], drawn[field])
    if name != "simple_door_key:extra_key":  # keys alike are told apart by nothing
        jax.tree.map(np.testing.assert_array_equal, read["keys"], drawn["keys"])
    np.testing.assert_array_equal(grids_of(task, read), grids)


def test_from_grid_starts_an_episode(simple: Task) -> None:
    state = simple.from_grid(*start(ROOM))
    assert int(state.clock) == 0
    grid, seen = simple.grid_of(state)
    np.testing.assert_array_equal(grid, start(ROOM)[0])
    expected = np.zeros((10, 10), bool)
    expected[1:4, 2:5] = True  # three cells ahead of the agent's column, and its own
    np.testing.assert_array_equal(seen, expected)
    obs = simple.observe(state)
    np.testing.assert_array_equal(obs[..., 3] != c.NO_AGENT, scene(ROOM)[..., 3] != c.NO_AGENT)
    assert caption_of(simple, obs) == "Agent sees <key>, holds <nothing>."


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (ROOM.replace("#....#\n######", "#....#\n###.##"), "walls"),
        (ROOM.replace("#....#", "#..#.#"), "walls"),
        (ROOM.replace("#..k.#", "#....#"), "0 keys, 1 doors, 0 lava cells; expected 1, 1, 0"),
        (ROOM.replace("#..k.#", "#.kk.#"), "2 keys"),
        (ROOM.replace("D", "#"), "0 doors"),
        (ROOM.replace("#....#", "#D...#"), "walls"),
        (ROOM.replace("#....#\n######", "#....#\nD#####"), "corner"),
        (ROOM.replace("D", "O"), "not locked"),
        (ROOM.replace("#....#", "#.~..#"), "1 lava cells"),
        (ROOM.replace("#....#", "#.o..#"), "objects of kind"),
        (ROOM.replace("#....#", "#.g..#"), "objects of kind"),
        (ROOM + "k", "outside the room"),
    ],
)
def test_what_is_no_layout_is_refused(simple: Task, drawing: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        simple.from_grid(*start(drawing))
    assert str(caught.value).startswith("simple_door_key: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": (1, 3)}, "not a free cell"),  # on the key
        ({"position": (2, 5)}, "not a free cell"),  # in the door
        ({"position": (7, 7)}, "not a free cell"),  # outside the room
        ({"position": (-9, 40)}, "not a free cell"),
        ({"direction": 4}, "direction is 4"),
        ({"grid": np.zeros((20, 20, 3), np.uint8)}, r"\(20, 20, 3\)"),
        ({"grid": np.full((10, 10, 3), 1, np.uint8)}, "walls"),
    ],
)
def test_what_is_no_start_is_refused(simple: Task, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        simple.from_grid(*start(ROOM, **changes))


def test_colored_needs_its_colours() -> None:
    colored = make_task("colored_door_key")
    drawing = ROOM.replace("D", "d").replace("#..k.#", "#.br.#")
    assert colored.from_grid(*start(drawing)).keys.colour.tolist() == [c.BLUE, c.RED]
    with pytest.raises(UserError, match="no red key in the grid"):
        colored.from_grid(*start(drawing.replace("r", "b")))
