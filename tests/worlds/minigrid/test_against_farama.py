"""Our engine against Farama's: the same first states and actions must give the same everything."""

from collections import Counter

import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest
from minigrid.core.grid import Grid
from minigrid.core.world_object import WorldObj

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.conformance import conform
from jaxteach.worlds.minigrid.levels import LEVELS
from jaxteach.worlds.minigrid.state import State
from jaxteach.worlds.minigrid.view import grow, image_of, look, seen_cells, unseen, visible_of
from tests.worlds.minigrid.farama import environment, record

pytestmark = pytest.mark.unoptimised

ENDS = ("success", "out_of_time")
HANDS = ("picked up", "dropped", "drop blocked", "bumped")
FULL = "pickup with full hands"
DOORS = ("opened door", "closed door")
LOCKS = ("unlocked door", "locked, no key")
# What must have happened, or the comparison proves little; by the first word of ids.
RARE = {
    "BlockedUnlockPickup": (*ENDS, *HANDS, FULL, *LOCKS, "closed door", "opened box"),
    "DistShift": (*ENDS, "failure", "into lava", "bumped"),
    "DoorKey": (*ENDS, *HANDS, *LOCKS, "closed door"),
    "Dynamic": (*ENDS, "failure"),
    "Empty": (*ENDS, "bumped", "both_flags"),
    "Fetch": (*ENDS, "failure", "picked up", "bumped"),
    "FourRooms": (*ENDS, "bumped"),
    "GoToDoor": (*ENDS, "failure", "opened door", "done"),
    "GoToObject": (*ENDS, "failure", *HANDS, FULL, "opened box", "done"),
    "KeyCorridor": (*ENDS, *HANDS, FULL, *DOORS, *LOCKS),
    "LavaCrossing": (*ENDS, "failure", "into lava"),
    "LavaGap": (*ENDS, "failure", "into lava"),
    "LockedRoom": (*ENDS, *HANDS, *DOORS, *LOCKS),
    "Memory": (*ENDS, "failure", "bumped"),
    "MultiRoom": (*ENDS, *DOORS, "bumped"),
    "ObstructedMaze": (*ENDS, *HANDS, FULL, *DOORS, *LOCKS, "opened box", "opened full box"),
    "Playground": ("out_of_time", *HANDS, FULL, *DOORS, "opened box"),
    "PutNear": (*ENDS, "failure", "picked up", "dropped", "opened box"),
    "RedBlueDoors": (*ENDS, "failure", *DOORS, "bumped"),
    "SimpleCrossing": (*ENDS, "bumped"),
    "Unlock": (*ENDS, *HANDS, *LOCKS),
    "UnlockPickup": (*ENDS, *HANDS, FULL, *LOCKS, "closed door", "opened box"),
}
FAST = (
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-Dynamic-Obstacles-6x6-v0",
    "MiniGrid-MemoryS7-v0",
    "MiniGrid-ObstructedMaze-2Dlhb-v1",
    "MiniGrid-PutNear-6x6-N2-v0",
    "MiniGrid-RedBlueDoors-6x6-v0",
)


def family(name: str) -> str:
    """The family an id belongs to: the longest name it begins with."""
    return max((f for f in RARE if name.removeprefix("MiniGrid-").startswith(f)), key=len)


def differ(name: str, n_episodes: int, seed: int) -> tuple[int, Counter[str]]:
    """Assert that nothing differs; return how many steps were compared, and what happened in them."""
    trace, events = record(name, n_episodes, seed)
    result = conform(trace)
    assert not any(result["mismatches"].values()), result
    return result["steps"], events


@pytest.mark.parametrize("name", FAST)
def test_every_step_is_faramas(name: str) -> None:
    steps, _ = differ(name, 20, seed=3)
    assert steps >= 60


@pytest.mark.slow
@pytest.mark.parametrize("group", RARE)
def test_twenty_thousand_steps_of_every_family_are_faramas(group: str) -> None:
    names = [name for name in LEVELS if family(name) == group]
    steps, events, seed = 0, Counter(), 0
    while steps < 20_000:
        for name in names:
            more, happened = differ(name, 60, seed=1000 + seed)
            steps, events, seed = steps + more, events + happened, seed + 1
    print(group, steps, dict(events))
    assert [event for event in RARE[group] if not events[event]] == [], events


def random_grid(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Cells of every kind, many of them walls and doors, u8[H, W, 3]."""
    cells = np.zeros((height, width, 3), np.uint8)
    kinds = (k.EMPTY, k.WALL, k.FLOOR, k.DOOR, k.KEY, k.BALL, k.BOX, k.GOAL, k.LAVA)
    weights = np.array([rng.uniform(2, 14), rng.uniform(1, 8), 1, 3, 1, 1, 1, 1, 1])
    cells[..., 0] = rng.choice(kinds, (height, width), p=weights / weights.sum())
    cells[..., 1] = rng.integers(6, size=(height, width))
    cells[..., 1][cells[..., 0] == k.GOAL] = k.GREEN
    cells[..., 1][cells[..., 0] == k.LAVA] = k.RED
    cells[..., 2] = np.where(cells[..., 0] == k.DOOR, rng.integers(3, size=(height, width)), 0)
    return np.where((cells[..., :1] == k.EMPTY), np.array([1, 0, 0], np.uint8), cells)


@pytest.mark.parametrize(("height", "width", "see_through"), [(9, 9, False), (5, 25, False), (6, 4, True)])
def test_views_of_any_grid_from_anywhere_are_faramas(height: int, width: int, see_through: bool) -> None:
    rng, n = np.random.default_rng(height), 150
    env = environment("MiniGrid-Empty-5x5-v0", size=5)
    env.see_through_walls = see_through
    grids = [random_grid(rng, height, width) for _ in range(n)]
    places = np.stack([rng.integers(height, size=n), rng.integers(width, size=n), rng.integers(4, size=n)])
    images, masks, maps = [], [], []
    for cells, row, column, direction in zip(grids, *places, strict=True):
        env.width, env.height, env.grid = width, height, Grid(width, height)
        for y, x in np.ndindex(height, width):
            env.grid.set(x, y, WorldObj.decode(*(int(v) for v in cells[y, x])))
        env.agent_pos, env.agent_dir, env.carrying = (int(column), int(row)), int(direction), None
        images.append(env.gen_obs()["image"])
        masks.append(env.gen_obs_grid()[1])
        seen = np.zeros((height, width), bool)
        for y, x in np.ndindex(height, width):
            at = env.relative_coords(x, y)
            seen[y, x] = at is not None and masks[-1][at]
        maps.append(seen)
    codes = k.codes_of(np.stack(grids), np.zeros((n, height, width, 2), np.uint8))
    row, column, direction = jnp.asarray(places, jnp.uint8)
    nothing = jnp.zeros(n, jnp.uint16)
    grid = jnp.asarray(codes.reshape(n, -1))
    state = State(grid, row, column, direction, nothing, nothing, nothing)
    view = look(state, height, width, see_through)
    np.testing.assert_array_equal(image_of(view), np.stack(images))
    np.testing.assert_array_equal(visible_of(view), np.stack(masks))
    known = seen_cells(grow(unseen(n, height), state, view, width), width)
    np.testing.assert_array_equal(known, np.stack(maps))


def test_every_id_but_those_of_wave_function_collapse_is_here() -> None:
    ids = {name for name in gymnasium.registry if name.startswith("MiniGrid-") and "WFC" not in name}
    assert set(LEVELS) == ids


@pytest.mark.parametrize("name", LEVELS)
def test_sizes_limits_and_sight_are_faramas(name: str) -> None:
    env, level = environment(name), LEVELS[name]
    assert (env.height, env.width, env.max_steps) == (level.height, level.width, level.max_steps)
    assert env.see_through_walls == level.see_through
    assert env.action_space.n == level.n_actions
    assert env.reset(seed=1)[0]["mission"] in level.missions
