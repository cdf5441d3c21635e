"""Exploring against a plain reimplementation of the reference's rules, and on maps drawn by hand."""

import jax
import numpy as np
import pytest

from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.option_policies import explore, known_room, read_boards
from tests.worlds.minigrid.paper.scenes import agent_of, scene

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # (x, y) of one step east, south, west, north
SOLID, THINGS = (c.WALL, c.DOOR), (c.KEY, c.BALL, c.BOX)

boards_of = jax.jit(read_boards)
room_of = jax.jit(known_room, static_argnums=1)


@jax.jit
def explore_all(obs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The action and the hand-over of each observation u8[N, H, W, 4]."""
    here = obs[..., 3] != c.NO_AGENT
    row, column = (jax.numpy.argmax(here.any(axis), axis=1) for axis in (2, 1))
    direction = jax.numpy.where(here, obs[..., 3], 0).sum(axis=(1, 2)).astype(int)
    return explore(read_boards(obs), row, column, direction, obs.shape[2])


def plain_edges(kind: np.ndarray) -> tuple[int, int]:
    """The known room's edges along x and y; kind is indexed [x, y]."""
    width, height = kind.shape
    x_edge, y_edge = width, height
    for x in reversed(range(1, width - 1)):
        if any(kind[x, y] in SOLID and kind[x, y + 1] in SOLID for y in range(1, height - 1)):
            x_edge = x + 1
    for y in reversed(range(1, height - 1)):
        if any(kind[x, y] in SOLID and kind[x + 1, y] in SOLID for x in range(1, width - 1)):
            y_edge = y + 1
    return x_edge, y_edge


def plain_explore(obs: np.ndarray) -> int | None:
    """The action, None where nothing is left to explore."""
    row, column, direction = agent_of(obs)
    kind = obs[..., 0].T  # [x, y]
    x_edge, y_edge = plain_edges(kind)

    def kind_at(turn: int) -> int:
        dx, dy = STEPS[(direction + turn) % 4]
        x, y = column + dx, row + dy
        return kind[x, y] if 0 <= x < kind.shape[0] and 0 <= y < kind.shape[1] else c.UNSEEN

    if kind_at(0) in THINGS:
        return c.RIGHT if kind_at(-1) in SOLID + THINGS else c.LEFT
    unseen = [(x - column, y - row) for x in range(x_edge) for y in range(y_edge) if kind[x, y] == c.UNSEEN]

    def offsets(turn: int) -> list[int]:
        dx, dy = STEPS[(direction + turn) % 4]
        return [x * dx + y * dy for x, y in unseen]

    for turn, distance, action in ((0, 2, c.FORWARD), (-1, 2, c.LEFT), (1, 2, c.RIGHT), (2, 1, c.LEFT)):
        if any(offset >= distance for offset in offsets(turn)):
            return action
    return None


def random_observation(rng: np.random.Generator, side: int) -> np.ndarray:
    """A room seen in patches, with things in it; now and then nonsense, which the rules must survive too."""
    obs = np.zeros((side, side, 4), np.uint8)
    obs[..., 0] = c.EMPTY
    rows, columns = rng.integers(4, side + 1, size=2)
    obs[[0, rows - 1], :columns, 0] = obs[:rows, [0, columns - 1], 0] = c.WALL
    things = rng.random((side, side)) < rng.choice([0.02, 0.2])
    obs[things, 0] = rng.choice([c.DOOR, c.KEY, c.BALL, c.BOX, c.LAVA, c.GOAL, c.WALL], size=things.sum())
    row, column = rng.integers(1, rows - 1), rng.integers(1, columns - 1)
    seen = np.zeros((side, side), bool)
    for _ in range(rng.integers(1, 12)):
        top, left = rng.integers(side, size=2)
        seen[top : top + rng.integers(1, side), left : left + rng.integers(1, side)] = True
    if rng.random() < 0.3:
        seen[:rows, :columns] = True
        seen[rng.integers(side), rng.integers(side)] = False
    seen[row, column] = True
    obs[~seen] = 0
    obs[..., 3] = c.NO_AGENT
    obs[row, column] = (rng.choice([c.EMPTY, c.KEY]), 0, 0, rng.integers(4))
    return obs


@pytest.mark.parametrize(("side", "n"), [(10, 2000), (20, 500)])
def test_explore_is_the_plain_rules(side: int, n: int) -> None:
    rng = np.random.default_rng(side)
    obs = np.stack([random_observation(rng, side) for _ in range(n)])
    actions, hands_over = (np.asarray(values) for values in explore_all(obs))
    plain = [plain_explore(one) for one in obs]
    assert [None if over else int(a) for a, over in zip(actions, hands_over, strict=True)] == plain
    for outcome in (None, c.LEFT, c.RIGHT, c.FORWARD):
        assert plain.count(outcome) > n / 50, outcome


@pytest.mark.parametrize("side", [10, 20])
def test_known_room_is_the_plain_one(side: int) -> None:
    rng = np.random.default_rng(side)
    obs = np.stack([random_observation(rng, side) for _ in range(500)])
    columns, rows = room_of(boards_of(obs).solid, side)
    plain = [plain_edges(one[..., 0].T) for one in obs]
    assert list(zip(columns.tolist(), rows.tolist(), strict=True)) == plain
    assert len(set(plain)) > 20


# In each drawing the room's edges are known, so nothing beyond them matters.
SEEN_ALL = """
######
#....#
#.>..#
#....#
######
"""


@pytest.mark.parametrize(
    ("drawing", "action"),
    [
        (SEEN_ALL, None),
        (SEEN_ALL.replace("#.>..#", "#.>.?#"), c.FORWARD),
        (SEEN_ALL.replace("#.>..#", "#.>?.#"), None),  # right beside the agent: no half-plane holds it
        (SEEN_ALL.replace("#.>..#", "#?>..#"), c.LEFT),  # behind
        (SEEN_ALL.replace("#.>..#", "#.>k.#"), c.LEFT),  # a thing ahead, the left is free
        (SEEN_ALL.replace("#....#\n#.>..#", "#.~..#\n#.>k.#"), c.LEFT),  # lava is no reason to turn right
        (SEEN_ALL.replace("#....#\n#.>..#", "#.o..#\n#.>k.#"), c.RIGHT),
        (SEEN_ALL.replace("#....#\n#.>..#", "#.>x.#\n#....#"), c.RIGHT),  # the wall is on the left
        (SEEN_ALL.replace("#.>..#", "#.>~.#"), None),
        (SEEN_ALL.replace("######\n#....#\n#.>", "#?####\n#....#\n#.>"), c.LEFT),
        (SEEN_ALL.replace("#....#\n######", "#....#\n#.?###"), c.RIGHT),  # two rows down, to the right
    ],
)
def test_explore_on_drawn_maps(drawing: str, action: int | None) -> None:
    obs = scene(drawing)
    assert plain_explore(obs) == action
    ours, over = (np.asarray(values) for values in explore_all(np.stack([obs] * 2000)))
    assert (None if over[0] else ours[0]) == action


def test_boards_tell_cells_apart() -> None:
    boards = boards_of(scene("#D.g\nkxo~\n?>.O")[None])
    bits = {
        name: [f"{int(row):04b}"[::-1] for row in getattr(boards, name)[:3, 0]]
        for name in boards.__annotations__
    }
    assert bits == {
        "seen": ["1111", "1111", "0111"],
        "passable": ["0011", "0001", "0111"],
        "solid": ["1100", "0000", "0001"],
        "things": ["0000", "1110", "0000"],
    }
