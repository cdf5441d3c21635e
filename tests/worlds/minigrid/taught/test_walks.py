"""First steps against a search in plain Python, cell by cell."""

from collections import deque

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings

from jaxteach.worlds.minigrid.paper.bitboards import pack
from jaxteach.worlds.minigrid.taught.walks import AHEAD, BEHIND, LEFT_HAND, NOWHERE, RIGHT_HAND, first_steps

HEIGHT, WIDTH, N = 7, 9, 16
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))


@jax.jit
def ours(passable, here, direction, a, b):
    """Boards as cells [N, H, W]."""
    boards = [pack(jnp.moveaxis(cells, 0, -1)) for cells in (passable, here, a, b)]
    return first_steps(boards[0], boards[1], direction, (boards[2], boards[3]))


def distances(passable, start, first):
    """Steps to every cell by walks that begin with `first`; a walk may end on what is not passable."""
    far = np.full(passable.shape, 10**6)
    queue = deque([(first, 1)])
    while queue:
        cell, steps = queue.popleft()
        inside = 0 <= cell[0] < HEIGHT and 0 <= cell[1] < WIDTH
        if not inside or cell == start or far[cell] <= steps:
            continue
        far[cell] = steps
        if passable[cell]:
            queue.extend(((cell[0] + r, cell[1] + c), steps + 1) for r, c in MOVES)
    return far


def theirs(passable, start, direction, wanted):
    """The first step of a shortest walk to a wanted cell; of equal ones ahead, then right, then left."""
    best, choice = 10**6, NOWHERE
    for side in (AHEAD, RIGHT_HAND, LEFT_HAND, BEHIND):
        row, column = MOVES[(direction + side) % 4]
        far = distances(passable, start, (start[0] + row, start[1] + column))
        reached = min([far[cell] for cell in zip(*np.nonzero(wanted), strict=True)], default=10**6)
        if reached < best:
            best, choice = reached, side
    return choice


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.4, 0.95))
def test_first_steps_are_those_of_shortest_walks(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    passable = rng.random((N, HEIGHT, WIDTH)) < share
    cells, direction = rng.integers([HEIGHT, WIDTH], size=(N, 2)), rng.integers(4, size=N)
    here = np.zeros_like(passable)
    here[np.arange(N), cells[:, 0], cells[:, 1]] = True
    wanted = [(rng.random(passable.shape) < 0.05) & ~here for _ in range(2)]
    found = np.asarray(ours(passable, here, jnp.asarray(direction), *wanted))
    for n in range(N):
        start = (int(cells[n, 0]), int(cells[n, 1]))
        for k in range(2):
            assert found[k, n] == theirs(passable[n], start, int(direction[n]), wanted[k][n])
