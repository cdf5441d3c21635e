"""Tests of frames: what is drawn where, and that a picture agrees with navix's own."""

import jax
import navix
import numpy as np
import pytest

from jaxteach.rendering import draw_frame, draw_grid, play_episode
from jaxteach.rendering.frame import _PANEL, _PANEL_Y, _ROOM_X, _SEEN_X, _TEACHER, _WELL, WIDTH
from jaxteach.student.deployed import load_policy
from jaxteach.tasks import make_task
from jaxteach.teacher.loading import load_teacher
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.state import with_rendering


@pytest.fixture
def episode(untrained_run):
    """A short episode of a student beside its teacher."""
    task, table = make_task("lava_door_key", max_steps=25), load_teacher("chatglm", "lava_door_key")
    return play_episode(task, load_policy(untrained_run("lava_door_key"), 0), table, 0, 0, False)


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(colour)).all(axis=-1).any())


@pytest.mark.parametrize("name", ["lava_door_key", "colored_door_key"])
def test_the_grid_looks_as_navix_draws_it(name):
    task = make_task(name)
    state = jax.jit(lambda key: task.perceive_view(task.spawn(jax.random.bits(key, (task.n_draws,)))))(
        jax.random.key(5)
    )
    theirs = np.asarray(
        jax.jit(navix.observations.rgb)(with_rendering(state, task.height, task.width)), float
    )
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


def test_unseen_cells_are_dark_and_seen_ones_as_they_are(episode):
    moment = episode.moments[-1]
    picture = np.asarray(draw_frame(episode, episode.length, "", ""))
    solid = np.isin(moment.grid[..., 0], (c.WALL, c.DOOR))
    rows, columns = (int(np.flatnonzero(solid.any(axis))[-1]) + 1 for axis in (1, 0))
    side, top, left = max(rows, columns), (max(rows, columns) - rows) / 2, (max(rows, columns) - columns) / 2
    n_unseen = 0
    for row, column in np.ndindex(rows, columns):
        y = int(_PANEL_Y + (top + row + 0.5) * _PANEL / side)
        x = int((left + column + 0.5) * _PANEL / side)
        room, seen = picture[y, _ROOM_X + x], picture[y, _SEEN_X + x]
        if moment.seen[row, column]:
            np.testing.assert_array_equal(seen, room)
        else:
            n_unseen += 1
            assert tuple(seen) == _WELL
    assert 0 < n_unseen < rows * columns


def test_without_a_teacher_there_is_one_set_of_bars(untrained_run, episode):
    task = make_task("lava_door_key", max_steps=25)
    alone = play_episode(task, load_policy(untrained_run(name="alone"), 0), None, 0, 0, False)
    assert alone.teacher is None and alone.moments[0].plans == ()
    assert has_colour(np.asarray(draw_frame(episode, 0, "", "")), _TEACHER)
    assert not has_colour(np.asarray(draw_frame(alone, 0, "", "")), _TEACHER)


def test_a_longer_bar_is_a_likelier_action(episode):
    moment = episode.moments[0]
    picture = np.asarray(draw_frame(episode, 0, "", "")).astype(int)
    right = picture[_PANEL_Y : _PANEL_Y + _PANEL, _SEEN_X + _PANEL + 16 :]
    amber = (right == np.array(_TEACHER)).all(axis=-1).sum(axis=1)  # pixels of a teacher's bar, by row
    by_action = amber[: _PANEL // 7 * 7].reshape(-1)
    tallest = int(by_action.argmax() / (_PANEL / 7))
    assert tallest == int(moment.teacher.argmax())


def test_the_picture_scales(episode):
    small, large = (draw_frame(episode, 0, "a task", "a student", width) for width in (420, 1680))
    assert (small.width, large.width) == (420, 1680)
    assert large.height / small.height == pytest.approx(4, rel=0.01)
    halved = np.asarray(draw_frame(episode, 0, "a task", "a student", WIDTH).resize(small.size), float)
    assert np.abs(halved - np.asarray(small, float)).mean() < 8
