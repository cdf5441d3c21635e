"""Tests of the features: one code for JAX and NumPy, and the map turned and shifted by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.student.features import View, cell_classes, egocentric, pose, raw_map
from jaxteach.tasks.engine import constants as c
from tests.student.conftest import TWO_KEYS, VIEW, random_maps


@pytest.mark.parametrize("read", [egocentric, raw_map])
def test_numpy_and_jax_agree(read, view):
    maps = random_maps(view, 50)
    ours, theirs = read(maps, view, np), read(jnp.asarray(maps), view, jnp)
    assert (ours.dtype, theirs.dtype) == (np.uint8, np.uint8)
    np.testing.assert_array_equal(ours, theirs)


def put(obs, row, column, kind, colour=0):
    obs[row, column, :2] = kind, colour


@pytest.fixture
def room():
    """The agent at (3, 3) of a 7x7 map looks east, at a key two cells ahead; lava is on its left."""
    obs = np.zeros((7, 7, 4), np.uint8)
    obs[..., 3] = c.NO_AGENT
    obs[3, 3] = c.EMPTY, 0, 0, c.EAST
    put(obs, 3, 5, c.KEY, c.GREEN)
    put(obs, 2, 3, c.LAVA)
    put(obs, 3, 1, c.DOOR)
    put(obs, 6, 4, c.WALL)
    return obs


def seen_at(features, view):
    """(forward, right, class) of everything in egocentric features."""
    side = 2 * view.radius + 1
    cube = features.reshape(side, side, view.n_classes)
    return {(int(f) - view.radius, int(r) - view.radius, int(k) + 1) for f, r, k in np.argwhere(cube)}


def test_everything_lies_where_the_agent_would_say(room):
    empty, wall, door, lava, key = range(1, 6)
    expected = {(0, 0, empty), (2, 0, key), (0, -1, lava), (-2, 0, door), (1, 3, wall)}
    assert seen_at(egocentric(room[None], VIEW, np)[0], VIEW) == expected


@pytest.mark.parametrize("turns", range(4))
def test_turning_the_world_turns_nothing_for_the_agent(room, turns):
    turned = np.rot90(room, -turns).copy()  # clockwise
    agent = turned[..., 3] != c.NO_AGENT
    turned[agent, 3] = (c.EAST + turns) % 4
    np.testing.assert_array_equal(egocentric(turned[None], VIEW, np), egocentric(room[None], VIEW, np))


def test_a_turn_of_the_agent_alone_is_seen(room):
    looks = []
    for direction in range(4):
        room[3, 3, 3] = direction
        looks.append(egocentric(room[None], VIEW, np).tobytes())
    assert len(set(looks)) == 4


def test_nothing_seen_is_ever_out_of_the_window(view):
    for obs in random_maps(view, 200, seed=1):
        shown = egocentric(obs[None], view, np).sum()
        assert shown == np.count_nonzero(cell_classes(obs, view, np))


def test_classes_by_hand():
    obs = np.zeros((1, 9, 4), np.uint8)
    kinds = (c.UNSEEN, c.EMPTY, c.WALL, c.DOOR, c.LAVA, c.KEY, c.KEY, c.KEY)
    colours = (0, c.BLUE, c.BLUE, c.BLUE, c.RED, c.BLUE, c.RED, c.GREEN)
    obs[0, :8, 0], obs[0, :8, 1] = kinds, colours
    assert cell_classes(obs, TWO_KEYS, np)[0, :7].tolist() == [0, 1, 2, 3, 4, 5, 6]
    any_key = View(1, 9, (None,))
    assert cell_classes(obs, any_key, np)[0, 5:8].tolist() == [5, 5, 5]


def test_pose_is_read_off_the_map(view):
    maps = random_maps(view, 30)
    found = np.stack(pose(maps, np), axis=1)
    expected = np.argwhere(maps[..., 3] != c.NO_AGENT)[:, 1:]
    np.testing.assert_array_equal(found[:, :2], expected)
    np.testing.assert_array_equal(found[:, 2], maps[np.arange(30), *expected.T, 3])


def test_raw_map_is_the_map():
    maps = random_maps(VIEW, 3)
    np.testing.assert_array_equal(raw_map(maps, VIEW, np).reshape(maps.shape), maps)
