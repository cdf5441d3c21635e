"""Levels are drawn in MiniGrid's look: beside Farama's own pictures, and what is lit, hidden and held."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.tasks.drawing import Drawable
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.drawing import draw_level
from jaxteach.worlds.minigrid.environment import make
from jaxteach.worlds.minigrid.sprites import TILE, draw_grid
from tests.worlds.minigrid.farama import environment


@pytest.mark.parametrize(
    "name", ["MiniGrid-Playground-v0", "MiniGrid-LavaGapS5-v0", "MiniGrid-DoorKey-6x6-v0"]
)
def test_a_grid_looks_as_farama_draws_it(name: str) -> None:
    env = environment(name)
    env.reset(seed=3)
    theirs = env.grid.render(TILE, env.agent_pos, env.agent_dir).astype(float)
    x, y = env.agent_pos
    ours = draw_grid(env.grid.encode().transpose(1, 0, 2), (y, x), int(env.agent_dir)).astype(float)
    assert ours.shape == theirs.shape
    # Mean colours of cells: sprites are drawn a pixel thicker or thinner.
    cells = [p.reshape(env.height, TILE, env.width, TILE, 3).mean(axis=(1, 3)) for p in (ours, theirs)]
    np.testing.assert_allclose(*cells, atol=30)


def test_what_is_in_view_is_lit_and_what_was_not_seen_is_dark() -> None:
    env = make("MiniGrid-FourRooms-v0", remember=True)
    state = jax.jit(env.reset)(jax.random.key(0))
    known = np.asarray(jax.jit(env.known)(state))[..., 0] != 0
    drawing = draw_level(env.level, state)
    (_, grid), (title, seen) = drawing.panels
    assert title == "what the agent has seen" and drawing.mission == "reach the goal"
    assert grid.shape == seen.shape == (19 * TILE, 19 * TILE, 3)
    alike = (grid == seen).reshape(19, TILE, 19, TILE, 3).all(axis=(1, 3, 4))
    np.testing.assert_array_equal(alike, known)
    assert 0 < known.sum() < known.size
    floor = [grid[r * TILE + 16, c * TILE + 16, 0] for r, c in np.ndindex(19, 19)]
    assert len(set(floor)) > 2  # lit floor is lighter than floor, and neither is wall


def test_a_view_is_drawn_as_the_agent_sees_it() -> None:
    task = make_task("MiniGrid-KeyCorridorS3R1-v0", observation="view")
    assert isinstance(task, Drawable)
    state = jax.jit(task.reset)(jnp.array([3, 5], jnp.uint32))
    drawing = task.draw(state)
    title, view = drawing.panels[1]
    assert title == "what the agent sees" and view.shape == (7 * TILE, 7 * TILE, 3)
    assert drawing.held == ("nothing", None) and drawing.mission.startswith("pick up the")
    held = state.replace(env=state.env.replace(carried=jnp.uint8(k.code(k.BALL, k.PURPLE))))
    words, picture = task.draw(held).held
    assert words == "purple ball" and np.ptp(picture) > 50
