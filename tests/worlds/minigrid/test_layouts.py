"""What our levels are like, against Farama's: counts of everything, and structural facts."""

import functools
import json
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.levels import LEVELS
from tests.worlds.minigrid.farama import environment, snapshot
from tests.worlds.minigrid.layouts import Layouts, count, draw, first_states, flat, p_values, sums, worst

pytestmark = pytest.mark.unoptimised

# Statistics of 2000 resets an id, where a checkout has them beside it; else Farama is asked for fewer.
RECORDED = Path(__file__).parents[4] / "shared" / "minigrid" / "layout_stats.json"
N_OURS, N_THEIRS = 20_000, 400
# All tests together at level 0.001: about 18 statistics an id.
LEVEL = 0.001 / 1500
MARK = 15
FEW = ("MiniGrid-GoToObject-6x6-N2-v0", "MiniGrid-SimpleCrossingS9N2-v0", "MiniGrid-UnlockPickup-v0")
# One id of each family is tried in the fast tests, the rest in the slow ones.
FAST = (
    "MiniGrid-BlockedUnlockPickup-v0",
    "MiniGrid-DoorKey-6x6-v0",
    "MiniGrid-Dynamic-Obstacles-5x5-v0",
    "MiniGrid-Fetch-5x5-N2-v0",
    "MiniGrid-FourRooms-v0",
    "MiniGrid-GoToDoor-6x6-v0",
    "MiniGrid-GoToObject-6x6-N2-v0",
    "MiniGrid-KeyCorridorS3R2-v0",
    "MiniGrid-LavaCrossingS9N2-v0",
    "MiniGrid-LavaGapS5-v0",
    "MiniGrid-LockedRoom-v0",
    "MiniGrid-MemoryS13Random-v0",
    "MiniGrid-MultiRoom-N2-S4-v0",
    "MiniGrid-ObstructedMaze-2Dlhb-v1",
    "MiniGrid-PutNear-6x6-N2-v0",
    "MiniGrid-RedBlueDoors-6x6-v0",
)
ALL = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in LEVELS]
# A key may be missing in the old mazes, so that nothing behind its door can be reached.
OLD_MAZES = tuple(name for name in LEVELS if "ObstructedMaze" in name and name.endswith("v0"))


@functools.cache
def recorded() -> dict[str, dict]:
    return json.loads(RECORDED.read_text())["ids"] if RECORDED.exists() else {}


def farama(name: str, n: int) -> Layouts:
    """n layouts of Farama's."""
    env, states, missions = environment(name), [], []
    for seed in range(n):
        env.reset(seed=seed)
        states.append(snapshot(env))
        missions.append(env.mission)
    cells, inside = (np.stack([state[key] for state in states]) for key in ("grid", "inside"))
    position = np.stack([state["agent_pos"] for state in states]).astype(int)
    direction = np.array([int(state["agent_dir"]) for state in states])
    codes = k.codes_of(cells, inside).transpose(0, 2, 1)
    return Layouts(codes, position[:, 1], position[:, 0], direction, np.array(missions))


def assert_alike(name: str, n_ours: int, theirs: dict[str, dict[str, int]], n_theirs: int) -> None:
    found = p_values(count(draw(LEVELS[name], n_ours, seed=11)), theirs, n_theirs)
    assert worst(found.items())[0][1] > LEVEL, worst(found.items())[:5]


@pytest.mark.parametrize("name", FEW)
def test_layouts_are_as_faramas(name: str) -> None:
    assert_alike(name, 2000, sums(count(farama(name, 100))), 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVELS)
def test_twenty_thousand_layouts_are_as_faramas(name: str) -> None:
    if name in recorded():
        assert_alike(name, N_OURS, flat(recorded()[name]), recorded()[name]["n"])
    else:
        assert_alike(name, N_OURS, sums(count(farama(name, N_THEIRS))), N_THEIRS)


def test_other_layouts_are_told_apart() -> None:
    # The comparison itself: a level held against another of the same size must fail.
    found = p_values(
        count(draw(LEVELS["MiniGrid-SimpleCrossingS9N2-v0"], 2000, seed=1)),
        sums(count(draw(LEVELS["MiniGrid-SimpleCrossingS9N1-v0"], 500, seed=2))),
        500,
    )
    assert worst(found.items())[0][1] < LEVEL


def kinds_of(layouts: Layouts) -> np.ndarray:
    return layouts.cells & 15


def test_key_corridor_has_six_seven_or_eight_doors() -> None:
    kind = kinds_of(draw(LEVELS["MiniGrid-KeyCorridorS3R3-v0"], 4000, seed=3))
    doors = np.isin(kind, (k.CLOSED, k.LOCKED)).sum(axis=(1, 2))
    shares = np.bincount(doors, minlength=9) / len(doors)
    assert set(doors) == {6, 7, 8}
    assert shares[6:] == pytest.approx([0.43, 0.35, 0.22], abs=0.035)
    assert ((kind == k.LOCKED).sum(axis=(1, 2)) == 1).all()


@pytest.mark.parametrize(
    ("name", "share"),
    [("1Q-v0", 0.070), ("2Dlhb-v0", 0.070), ("2Q-v0", 0.129), ("1Q-v1", 0), ("2Q-v1", 0)],
)
def test_a_ball_hides_a_key_in_the_old_mazes_only(name: str, share: float) -> None:
    kind = kinds_of(draw(LEVELS[f"MiniGrid-ObstructedMaze-{name}"], 4000, seed=4))
    boxes = (kind == k.BOX).sum(axis=(1, 2))
    assert np.mean(boxes < boxes.max()) == pytest.approx(share, abs=0.02 if share else 0)


def reaches(cells: np.ndarray, row: int, column: int, wanted: tuple[int, ...]) -> bool:
    """Whether something wanted can be walked up to: keys open doors, things can be moved away."""
    cells = np.pad(cells, 1, constant_values=k.WALL_CODE)
    row, column = row + 1, column + 1
    keys: set[int] = set()
    while True:
        seen, queue, more = {(row, column)}, [(row, column)], set()
        while queue:
            y, x = queue.pop()
            code = int(cells[y, x])
            kind = code & 15
            if (kind in wanted) or (code & k.LOOKS) in wanted:
                return True
            inside = code >> 8
            more |= {c >> 4 & 7 for c in (code & k.LOOKS, inside) if c & 15 == k.KEY}
            if kind in (k.WALL, k.LAVA) or (kind == k.LOCKED and (code >> 4 & 7) not in keys):
                continue
            near = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} - seen
            seen |= near
            queue += near
        if more <= keys:
            return False
        keys |= more


@pytest.mark.parametrize("name", ALL)
def test_what_missions_ask_for_can_be_reached(name: str) -> None:
    if name in OLD_MAZES:
        pytest.skip("a key may be missing")
    level = LEVELS[name]
    layouts = draw(level, 60, seed=6)
    for cells, row, column, mission in zip(
        layouts.cells, layouts.row, layouts.column, layouts.mission, strict=True
    ):
        located = level.locate(cells, level.missions.index(mission))
        wanted = (located["target"],) if "target" in located else (k.GOAL,)
        if "place_row" in located:
            place = located["place_row"], located["place_column"]
            assert reaches(mark(cells, place), row, column, (MARK,)), (name, cells)
        elif (cells & 15 == k.GOAL).any() or "target" in located:
            assert reaches(cells, row, column, wanted), (name, cells)


def mark(cells: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    """The cells with a sign at one place that no code has."""
    marked = cells.copy()
    marked[place] = MARK
    return marked


@pytest.mark.parametrize("name", ALL)
def test_what_a_state_keeps_beside_its_grid_follows_from_grid_and_mission(name: str) -> None:
    level = LEVELS[name]
    states = first_states(level, 60, seed=9)
    cells = states.grid.astype(np.uint16).reshape(-1, level.height, level.width)
    for i, grid in enumerate(cells):
        located = level.locate(grid, int(states.mission[i]))
        kept = {f: getattr(states, f) for f in ("layout", "target", "place_row", "place_column")}
        assert located == {f: int(v[i]) for f, v in kept.items() if v is not None}, grid


def test_rooms_of_the_chain_are_as_large_as_faramas() -> None:
    level = LEVELS["MiniGrid-MultiRoom-N6-v0"]
    words = np.random.default_rng(2).integers(0, 2**32, (1500, 2), np.uint32)
    _, _, tall, wide, _, _ = jax.jit(jax.vmap(lambda w: level._rooms(Draws(w))))(words)
    ours = Counter(
        f"{w} x {h}" for w, h in zip(np.asarray(wide).ravel(), np.asarray(tall).ravel(), strict=True)
    )
    env, theirs = environment("MiniGrid-MultiRoom-N6-v0"), Counter()
    for seed in range(150):
        env.reset(seed=seed)
        theirs.update(f"{room.size[0]} x {room.size[1]}" for room in env.rooms)
    small = [
        sum(n for s, n in c.items() if s in ("4 x 4", "4 x 5", "5 x 4")) / c.total() for c in (ours, theirs)
    ]
    assert set(ours) >= set(theirs)
    assert small[0] == pytest.approx(small[1], abs=0.045)
