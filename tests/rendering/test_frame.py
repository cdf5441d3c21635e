"""Tests of frames: what is drawn where, and that a picture agrees with navix's own."""

import dataclasses

import numpy as np
import pytest

from jaxteach.rendering import Episode, Moment, draw_frame, play_episode
from jaxteach.rendering.frame import _PANEL, _PANEL_Y, _ROOM_X, _SEEN_X, _STUDENT, _TEACHER, _WELL, WIDTH
from jaxteach.student.deployed import load_policy
from jaxteach.tasks import make_task
from jaxteach.tasks.drawing import Drawing
from jaxteach.teacher.loading import load_teacher
from jaxteach.worlds.minigrid.paper import constants as c


@pytest.fixture
def episode(untrained_run, states):
    """A short episode of a student beside its teacher."""
    task, table = make_task("lava_door_key", max_steps=25), load_teacher("chatglm", "lava_door_key")
    return play_episode(task, load_policy(untrained_run("lava_door_key"), 0), table, 0, 0, False)


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == np.array(colour)).all(axis=-1).any())


def test_unseen_cells_are_dark_and_seen_ones_as_they_are(episode, states):
    grid, known = map(np.asarray, make_task("lava_door_key", max_steps=25).grid_of(states[-1]))
    picture = np.asarray(draw_frame(episode, episode.length, "", ""))
    solid = np.isin(grid[..., 0], (c.WALL, c.DOOR))
    rows, columns = (int(np.flatnonzero(solid.any(axis))[-1]) + 1 for axis in (1, 0))
    side, top, left = max(rows, columns), (max(rows, columns) - rows) / 2, (max(rows, columns) - columns) / 2
    n_unseen = 0
    for row, column in np.ndindex(rows, columns):
        y = int(_PANEL_Y + (top + row + 0.5) * _PANEL / side)
        x = int((left + column + 0.5) * _PANEL / side)
        room, seen = picture[y, _ROOM_X + x], picture[y, _SEEN_X + x]
        if known[row, column]:
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


def made_up(n_actions: int, panels: int) -> Episode:
    """The start of an episode of another world: many actions, long names, pictures of any shape."""
    chances = np.arange(1, n_actions + 1, dtype=np.float32)
    pictures = tuple((f"panel {i}", np.full((5 + 3 * i, 9, 3), 200, np.uint8)) for i in range(panels))
    chances /= chances.sum()
    moment = Moment(Drawing(pictures), "", (), chances, chances[::-1].copy(), 0)
    names = tuple(f"action {i}" for i in range(n_actions))
    end = dataclasses.replace(moment, action=None)
    return Episode((moment, end), "time", "out of time", 0.0, 10, "x", names)


@pytest.mark.parametrize("n_actions", [2, 7, 18, 40])
def test_bars_of_many_actions_do_not_overlap(n_actions):
    """A bar for each action and each of the two, one beneath the other."""
    picture = np.asarray(draw_frame(made_up(n_actions, 1), 0, "a task", "a student"))
    column = picture[_PANEL_Y : _PANEL_Y + _PANEL, _SEEN_X + _PANEL + 16 + 66 + 1]
    heights = {}
    for name, colour in (("student", _STUDENT), ("teacher", _TEACHER)):
        lit = (column == np.array(colour)).all(axis=-1)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], lit.astype(int), [0]])) == 1)
        chances = getattr(made_up(n_actions, 1).moments[0], name)
        assert len(edges) == (chances >= 0.005).sum(), name
        heights[name] = lit.sum() / len(edges)
    assert heights["student"] == pytest.approx(heights["teacher"], abs=1)


@pytest.mark.parametrize("panels", [0, 1, 2])
def test_a_world_draws_as_many_panels_as_it_has(panels):
    for number in (0, 1):
        picture = np.asarray(draw_frame(made_up(3, panels), number, "a task", "a student"))
        middle = [picture[_PANEL_Y + _PANEL // 2, x + _PANEL // 2] for x in (_ROOM_X, _SEEN_X)]
        assert [(pixel == 200).all() for pixel in middle] == [panels > 0, panels > 1]
