"""Shortest paths on bitboards against a plain breadth-first search."""

from collections import deque

import jax
import numpy as np
import pytest

from jaxteach.worlds.minigrid.paper.constants import DONE, FORWARD, LEFT, RIGHT
from jaxteach.worlds.minigrid.paper.paths import first_action

STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # (row, column) of one step east, south, west, north
Pose = tuple[int, int, int]

search = jax.jit(first_action)


def moves(passable: np.ndarray, pose: Pose) -> dict[int, Pose]:
    """Where each action leads; walking is onto passable cells only, turning is free."""
    r, c, d = pose
    found = {LEFT: (r, c, (d + 3) % 4), RIGHT: (r, c, (d + 1) % 4)}
    ahead = (r + STEPS[d][0], c + STEPS[d][1])
    if all(0 <= x < n for x, n in zip(ahead, passable.shape, strict=True)) and passable[ahead]:
        found[FORWARD] = (*ahead, d)
    return found


def distances(passable: np.ndarray, start: Pose) -> dict[Pose, int]:
    """Actions from a pose to every pose that can be reached."""
    far, queue = {start: 0}, deque([start])
    while queue:
        pose = queue.popleft()
        for then in moves(passable, pose).values():
            if then not in far:
                far[then] = far[pose] + 1
                queue.append(then)
    return far


def to_target(passable: np.ndarray, start: Pose, target: tuple[int, int]) -> float:
    """Actions from a pose to the nearest one beside the target, facing it; infinite if there is none."""
    far = distances(passable, start)
    goals = [(target[0] - dr, target[1] - dc, d) for d, (dr, dc) in enumerate(STEPS)]
    return min((far[goal] for goal in goals if goal in far), default=np.inf)


def pack(maps: np.ndarray) -> np.ndarray:
    """bool[N, H, W] to boards [H, N]."""
    word = np.uint16 if maps.shape[2] <= 16 else np.uint32
    return (maps * (word(1) << np.arange(maps.shape[2], dtype=word))).sum(axis=2).astype(word).T


def maze(rng: np.random.Generator, side: int) -> np.ndarray:
    """A map with long corridors: depth-first through every other cell, then a few walls knocked out."""
    cells = np.zeros((side, side), bool)
    stack = [(1, 1)]
    cells[1, 1] = True
    while stack:
        r, c = stack[-1]
        ways = [(dr, dc) for dr, dc in STEPS if 0 < r + 2 * dr < side and 0 < c + 2 * dc < side]
        ways = [(dr, dc) for dr, dc in ways if not cells[r + 2 * dr, c + 2 * dc]]
        if not ways:
            stack.pop()
            continue
        dr, dc = ways[rng.integers(len(ways))]
        cells[r + dr, c + dc] = cells[r + 2 * dr, c + 2 * dc] = True
        stack.append((r + 2 * dr, c + 2 * dc))
    return cells | (rng.random(cells.shape) < 0.05)


def problems(rng: np.random.Generator, n: int, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps, agents (row, column, direction) anywhere, targets anywhere; one target in eight is nowhere."""
    maps = np.stack(
        [maze(rng, side) if i % 2 else rng.random((side, side)) < rng.uniform(0.4, 1) for i in range(n)]
    )
    agents = np.concatenate([rng.integers(side, size=(n, 2)), rng.integers(4, size=(n, 1))], axis=1)
    targets = rng.integers(side, size=(n, 2))
    targets[rng.random(n) < 1 / 8] = -1
    return maps, agents, targets


@pytest.mark.parametrize(("side", "n"), [(10, 512), (20, 256)])
def test_first_actions_are_those_of_shortest_paths(side: int, n: int) -> None:
    maps, agents, targets = problems(np.random.default_rng(side), n, side)
    ours = np.asarray(search(pack(maps), *agents.T, *targets.T))
    reached, longest = 0, 0
    for i in range(n):
        pose, target = tuple(int(v) for v in agents[i]), tuple(int(v) for v in targets[i])
        length = to_target(maps[i], pose, target)
        if length == 0:
            continue  # already there: what the search says then is not read
        after = {a: to_target(maps[i], then, target) for a, then in moves(maps[i], pose).items()}
        best = [a for a in (FORWARD, LEFT, RIGHT) if after.get(a) == length - 1]
        # Among equally short paths forward comes first, then left, then right.
        assert ours[i] == (best[0] if best and length < np.inf else DONE), (i, length, after)
        reached, longest = reached + (length < np.inf), max(longest, length if length < np.inf else 0)
    assert reached > n / 3 and n - reached > n / 8 and longest > 3 * side


def test_a_result_does_not_depend_on_the_other_maps_of_its_batch() -> None:
    maps, agents, targets = problems(np.random.default_rng(0), 512, 10)
    order = np.random.default_rng(1).permutation(512)
    ours = np.asarray(search(pack(maps), *agents.T, *targets.T))
    shuffled = np.asarray(search(pack(maps[order]), *agents[order].T, *targets[order].T))
    np.testing.assert_array_equal(ours[order], shuffled)


def test_following_the_first_actions_gets_there_in_the_shortest_time() -> None:
    """The teacher asks anew at every step; that must not go round in circles."""
    maps, agents, targets = problems(np.random.default_rng(3), 512, 10)
    boards, poses = pack(maps), agents.copy()
    goal = [to_target(maps[i], tuple(map(int, agents[i])), tuple(map(int, targets[i]))) for i in range(512)]
    lengths = np.array([0 if length == np.inf else int(length) for length in goal])
    assert lengths.max() > 25
    for step in range(lengths.max()):
        actions = np.asarray(search(boards, *poses.T, *targets.T))
        for i in np.flatnonzero(lengths > step):
            poses[i] = moves(maps[i], tuple(map(int, poses[i])))[int(actions[i])]
    ahead = poses[:, :2] + np.array(STEPS)[poses[:, 2]]
    assert (ahead == targets).all(axis=1)[lengths > 0].all()
