"""How a state is drawn: its sprites are navix's, and unseen cells, light and what is held are as they are."""

import jax
import navix
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.tasks.drawing import Drawable
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.navix_environment import as_navix, with_rendering
from jaxteach.worlds.minigrid.sprites import TILE, draw_grid
from tests.worlds.minigrid.paper.scenes import DOOR_AND_KEY, start


@pytest.mark.parametrize("name", ["lava_door_key", "colored_door_key"])
def test_the_grid_looks_as_navix_draws_it(name):
    task = make_task(name)
    key = jax.random.key(5)
    state = jax.jit(lambda key: task.update_seen(task.reset(jax.random.bits(key, (task.n_draws,)))))(key)
    rgb = jax.jit(lambda state: navix.observations.rgb(with_rendering(as_navix(state, key, task), task)))
    theirs = np.asarray(rgb(state), float)
    grid = np.asarray(task.grid_of(state)[0])
    position = (int(state.position[0]), int(state.position[1]))
    ours = draw_grid(grid, position, int(state.direction))
    # Mean colours of cells: navix shrinks each sprite to 8x8 pixels.
    height, width = task.height, task.width
    small = ours.astype(float).reshape(height, 32, width, 32, 3).mean(axis=(1, 3))
    means = theirs.reshape(height, 8, width, 8, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small, means, atol=30)
    things = np.unique(grid[..., 0])
    assert c.DOOR in things and c.KEY in things
    for kind in (c.DOOR, c.KEY):  # a thing taken for floor would be further off than that
        cell = small[grid[..., 0] == kind][0]
        floor = small[grid[..., 0] == c.EMPTY].min(axis=0)
        assert abs(cell - floor).max() > 15


def test_a_drawing_of_a_state() -> None:
    task = make_task("simple_door_key")
    assert isinstance(task, Drawable) and set(task.endings) == {"success", "failure", "time"}
    state = task.from_grid(*start(DOOR_AND_KEY))
    drawing = task.draw(state)
    (_, room), (_, known) = drawing.panels
    assert room.shape == known.shape == (5 * TILE, 5 * TILE, 3)  # the room, not the grid around it
    assert drawing.held == ("nothing", None)
    _, seen = task.grid_of(state)
    for row, column in np.ndindex(5, 5):
        cell = (slice(row * TILE, (row + 1) * TILE), slice(column * TILE, (column + 1) * TILE))
        alike = (room[cell] == known[cell]).all()
        assert alike == bool(seen[row, column])
    held, _ = jax.jit(task.step)(state, c.PICKUP)
    words, picture = task.draw(task.update_seen(held)).held
    assert words == "yellow key" and np.ptp(picture) > 100
