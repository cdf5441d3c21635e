"""The map that is shown, against one painted thing by thing: alone and under vmaps, small maps and wide."""

import jax
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.worlds.minigrid.paper import constants as c


def painted(state, width):
    """u8[H, W, 3], a cell at a time."""
    grid = np.zeros((state.seen.shape[0], width, 3), np.uint8)
    grid[:] = (c.EMPTY, 0, 0)
    rows, columns = state.room
    for row in range(rows):
        for column in range(columns):
            if row in (0, rows - 1) or column in (0, columns - 1):
                grid[row, column] = (c.WALL, c.GREY, 0)
    for row, column in state.lava:
        grid[row, column] = (c.LAVA, 0, 0)
    for (row, column), colour in zip(state.keys.position, state.keys.colour, strict=True):
        if column >= 0:
            grid[row, column] = (c.KEY, colour, 0)
    for (row, column), colour, is_open in zip(
        state.doors.position, state.doors.colour, state.doors.open, strict=True
    ):
        grid[row, column] = (c.DOOR, colour, c.OPEN if is_open else c.LOCKED)
    return grid


def shown(state, width):
    """u8[H, W, 4], a cell at a time."""
    grid = painted(state, width)
    held = (c.KEY, state.keys.colour[state.pocket], 0) if state.pocket >= 0 else (c.EMPTY, 0, 0)
    grid[tuple(state.position)] = held
    for row, board in enumerate(state.seen):
        for column in range(width):
            if not int(board) >> column & 1:
                grid[row, column] = 0
    direction = np.full((*grid.shape[:2], 1), c.NO_AGENT, np.uint8)
    direction[tuple(state.position)] = state.direction
    return np.concatenate([grid, direction], axis=-1)


@pytest.mark.parametrize("name", ["simple_door_key", "lava_door_key", "colored_door_key", "two_door"])
def test_maps_are_those_painted_cell_by_cell(name):
    task = make_task(name)
    words = jax.random.bits(jax.random.key(3), (2, 3, task.n_draws))
    states = jax.vmap(jax.vmap(lambda words: task.update_seen(task.reset(words))))(words)
    # The key in hand in half of them, as after a pickup.
    states = states.replace(
        pocket=states.pocket.at[1].set(0),
        keys=states.keys.replace(position=states.keys.position.at[1, :, 0].set(np.asarray([0, -1]))),
    )
    nested = jax.jit(jax.vmap(jax.vmap(task.observe)))(states)  # [2, 3, H, W, 4]
    for i, j in np.ndindex(2, 3):
        state = jax.tree.map(lambda x, at=(i, j): x[at], states)
        on_host = jax.tree.map(np.asarray, state)
        np.testing.assert_array_equal(nested[i, j], shown(on_host, task.width))
        np.testing.assert_array_equal(task.observe(state), shown(on_host, task.width))
        np.testing.assert_array_equal(task.grid_of(state)[0], painted(on_host, task.width))
