"""Tests of the features: one code for JAX and NumPy, and the map turned and shifted by hand."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.egocentric import NEAR, pose
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.features import (
    Egocentric,
    RawMap,
    View,
    cell_bits,
    egocentric,
    restore,
)
from tests.student.conftest import TWO_KEYS, VIEW, random_maps

both_views = pytest.mark.parametrize("view", [VIEW, TWO_KEYS], ids=["square", "oblong, two kinds of key"])


@both_views
@pytest.mark.parametrize("kind", [Egocentric, RawMap])
def test_numpy_and_jax_agree(kind, view):
    maps, features = random_maps(view, 50), kind(view)
    ours, theirs = features.read(maps, np), jax.jit(features.read, static_argnums=1)(maps, jnp)
    assert (ours.dtype, theirs.dtype) == (np.uint8, np.uint8)
    assert ours.shape == (50, features.size) and maps.shape[1:] == features.observed
    assert np.prod(features.shape) == features.size
    np.testing.assert_array_equal(ours, theirs)


def put(obs, row, column, kind, colour=0):
    obs[row, column, :2] = kind, colour


ROOM = View(10, 10, (None,))


@pytest.fixture
def room():
    """The agent at (4, 2) of a 10x10 map looks east; a key lies six cells ahead, lava at its left hand."""
    obs = np.zeros((10, 10, 4), np.uint8)
    obs[..., 3] = c.NO_AGENT
    obs[4, 2] = c.EMPTY, 0, 0, c.EAST
    put(obs, 4, 8, c.KEY, c.GREEN)
    put(obs, 3, 2, c.LAVA)
    put(obs, 4, 0, c.DOOR)
    put(obs, 7, 3, c.WALL)
    return obs


def seen_at(features, view):
    """What egocentric features say: (forward, right, class) nearby, then (offset, class) of both profiles."""
    side, far = 2 * NEAR + 1, 2 * view.radius + 1
    sizes = np.array([side**2, far, far]) * view.n_classes
    near, *profiles = np.split(features, np.cumsum(sizes)[:-1])
    cells = np.argwhere(near.reshape(side, side, view.n_classes)) - (NEAR, NEAR, -1)
    lines = [np.argwhere(x.reshape(far, view.n_classes)) - (view.radius, -1) for x in profiles]
    return [{tuple(row.tolist()) for row in found} for found in (cells, *lines)]


def test_everything_lies_where_the_agent_would_say(room):
    empty, wall, door, lava, key = range(1, 6)
    near, ahead, beside = seen_at(egocentric(room[None], ROOM, np)[0], ROOM)
    assert near == {(0, 0, empty), (0, -1, lava), (-2, 0, door), (1, 3, wall)}
    assert ahead == {(0, empty), (6, key), (0, lava), (-2, door), (1, wall)}
    assert beside == {(0, empty), (0, key), (-1, lava), (0, door), (3, wall)}


@pytest.mark.parametrize("turns", range(4))
def test_turning_the_world_turns_nothing_for_the_agent(room, turns):
    turned = np.rot90(room, -turns).copy()  # clockwise
    agent = turned[..., 3] != c.NO_AGENT
    turned[agent, 3] = (c.EAST + turns) % 4
    np.testing.assert_array_equal(egocentric(turned[None], ROOM, np), egocentric(room[None], ROOM, np))


def test_a_turn_of_the_agent_alone_is_seen(room):
    looks = []
    for direction in range(4):
        room[4, 2, 3] = direction
        looks.append(egocentric(room[None], ROOM, np).tobytes())
    assert len(set(looks)) == 4


def cell_classes(obs, view):
    """The class of every cell, 0 for unseen."""
    return np.where(bits := cell_bits(obs, view, np), np.log2(np.maximum(bits, 1)).astype(int) + 1, 0)


@both_views
def test_nothing_seen_is_ever_left_out(view):
    """All there is nearby shows cell by cell, and all there is anywhere in the profiles."""
    for obs in random_maps(view, 100, seed=1):
        near, ahead, beside = seen_at(egocentric(obs[None], view, np)[0], view)
        classes = cell_classes(obs, view)
        row, column, direction = (int(x) for x in pose(obs, np))
        assert len(near) == np.count_nonzero(
            classes[max(row - NEAR, 0) : row + NEAR + 1, max(column - NEAR, 0) : column + NEAR + 1]
        )
        cells = np.argwhere(classes)
        rows = {(int(r) - row, int(classes[r, q])) for r, q in cells}
        columns = {(int(q) - column, int(classes[r, q])) for r, q in cells}
        along = {c.EAST: columns, c.SOUTH: rows, c.WEST: columns, c.NORTH: rows}[direction]
        across = rows if along is columns else columns
        sign = 1 if direction in (c.EAST, c.SOUTH) else -1
        right = 1 if direction in (c.EAST, c.NORTH) else -1
        assert ahead == {(sign * offset, kind) for offset, kind in along}
        assert beside == {(right * offset, kind) for offset, kind in across}


def test_classes_by_hand():
    obs = np.zeros((1, 9, 4), np.uint8)
    kinds = (c.UNSEEN, c.EMPTY, c.WALL, c.DOOR, c.LAVA, c.KEY, c.KEY, c.KEY)
    colours = (0, c.BLUE, c.BLUE, c.BLUE, c.RED, c.BLUE, c.RED, c.GREEN)
    obs[0, :8, 0], obs[0, :8, 1] = kinds, colours
    assert cell_classes(obs, TWO_KEYS)[0, :7].tolist() == [0, 1, 2, 3, 4, 5, 6]
    any_key = View(1, 9, (None,))
    assert cell_classes(obs, any_key)[0, 5:8].tolist() == [5, 5, 5]


@both_views
def test_pose_is_read_off_the_map(view):
    maps = random_maps(view, 30)
    found = np.stack(pose(maps, np), axis=1)
    expected = np.argwhere(maps[..., 3] != c.NO_AGENT)[:, 1:]
    np.testing.assert_array_equal(found[:, :2], expected)
    np.testing.assert_array_equal(found[:, 2], maps[np.arange(30), *expected.T, 3])


def test_raw_map_is_the_map():
    maps = random_maps(VIEW, 3)
    np.testing.assert_array_equal(RawMap(VIEW).read(maps, np).reshape(maps.shape), maps)


@both_views
@pytest.mark.parametrize("kind", [Egocentric, RawMap])
def test_features_come_back_from_what_they_say_of_themselves(kind, view):
    described = json.loads(json.dumps(kind(view).described()))
    assert restore(described, "config.json: features") == kind(view)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"height": None}, "height"), ({"heigth": 7}, "heigth"), ({"key_colours": 3}, "key_colours")],
)
def test_a_damaged_description_is_refused_by_its_field(change, message):
    with pytest.raises(UserError, match=rf"^config.json: features.*{message}"):
        restore({**Egocentric(VIEW).described(), **change}, "config.json: features")
