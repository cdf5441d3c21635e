"""Our engine against Farama's: the same layouts and actions must give the same everything, step by step."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.worlds.minigrid.paper.constants import DONE, DOOR
from jaxteach.worlds.minigrid.paper.task import Task
from tests.worlds.minigrid.paper.farama import MAX_STEPS, FaramaRoom
from tests.worlds.minigrid.paper.play import draw_layouts, grids_of, play, read_grids
from tests.worlds.minigrid.paper.wander import episode

pytestmark = pytest.mark.unoptimised

COMPARED = ("grid", "seen", "obs", "position", "direction", "carrying", "reward", "terminated", "truncated")

# What must have happened at least once in every task, or the comparison proves little.
EVERYWHERE = (
    "pickup with full hands before a door",
    "pickup with full hands before a wall",
    "drop beside a door",
    "drop beside a wall",
    "drop on a door",
    "drop on a wall",
    "drop on the floor",
    "toggle a door with its key",
    "toggle a door with the wrong key",
    "toggle a door with no key",
    "forward into a key",
    "forward into a wall",
    "a key lies on a door's only approach",
    "a door opens on the last step",
    "time runs out",
)
LAVA = ("drop on a lava", "drop beside a lava", "forward into a lava")
TWO_KEYS = ("pickup with full hands before a key", "drop on a key", "drop beside a key")
TWO_DOORS = ("second door seen later", "the door known is now door1", "the door known is now door2")


def wander(task: Task, seed: int, n: int) -> tuple[list[dict[str, np.ndarray]], dict[str, Any], Counter[str]]:
    """n episodes in Farama's engine, the layouts they started from, and the rare events in them."""
    rng = np.random.default_rng(seed)
    drawn = draw_layouts(task, seed, n)
    grids = np.array(grids_of(task, drawn))
    for grid in grids[::8]:  # a door its key does not fit: in most tasks the only way to the wrong key
        row, column = np.argwhere(grid[..., 0] == DOOR)[0]
        grid[row, column, 1] = (grid[row, column, 1] + 1) % 6
    positions, directions = np.asarray(drawn["agent"]), np.asarray(drawn["direction"])
    events: Counter[str] = Counter()
    episodes = []
    for grid, position, direction in zip(grids, positions, directions, strict=True):
        episodes.append(episode(FaramaRoom(grid, position, direction, task.view_size), rng, events))
    return episodes, read_grids(task, grids, positions, directions), events


def assert_same(task: Task, episodes: list[dict[str, np.ndarray]], layouts: dict[str, Any]) -> int:
    """Play the episodes' actions in our engine, compare every row, and return how many steps there were."""
    actions = np.full((MAX_STEPS + 1, len(episodes)), DONE, np.int32)  # a row more, to see the last state
    for lane, theirs in enumerate(episodes):
        actions[: len(theirs["action"]), lane] = theirs["action"]
    ours = {name: np.asarray(values) for name, values in play(task, layouts, actions).items()}
    for lane, theirs in enumerate(episodes):
        for name in COMPARED:
            mine = ours[name][: len(theirs[name]), lane].astype(float)
            message = f"{task.name}, episode {lane}: {name}"
            np.testing.assert_allclose(mine, theirs[name], rtol=0, atol=1e-6, err_msg=message)
    return sum(len(theirs["action"]) for theirs in episodes)


RARE = {
    "simple_door_key": EVERYWHERE,
    "lava_door_key": (*EVERYWHERE, *LAVA),
    "colored_door_key": (*EVERYWHERE, *TWO_KEYS),
    "two_door": (*EVERYWHERE, *TWO_DOORS),
}


MANY = [("simple_door_key", 96), ("lava_door_key", 112), ("colored_door_key", 88), ("two_door", 88)]


@pytest.mark.parametrize(
    ("name", "n", "steps"),
    [
        *((name, 40, 4_000) for name in RARE),
        *(pytest.param(name, n, 10_000, marks=pytest.mark.slow) for name, n in MANY),
    ],
)
def test_every_step_is_faramas(name: str, n: int, steps: int) -> None:
    task, rare = make_task(name), RARE[name]
    episodes, layouts, events = wander(task, 20240 + n, n)
    assert assert_same(task, episodes, layouts) >= steps
    assert [event for event in rare if not events[event]] == [], events


@pytest.mark.parametrize(
    ("name", "view_size"),
    [("two_door", 5), ("lava_door_key", 7)],
)
def test_wider_views_are_faramas(name: str, view_size: int) -> None:
    task = make_task(name, view_size=view_size)
    episodes, layouts, _ = wander(task, 7 + view_size, 16)
    assert assert_same(task, episodes, layouts) >= 800
