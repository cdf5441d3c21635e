"""Observations for the tests of students, made without any environment."""

import numpy as np
import pytest

from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.features import View

VIEW = View(7, 7, (None,))
TWO_KEYS = View(6, 9, (c.BLUE, c.RED))


def random_maps(view: View, n: int, seed: int = 0) -> np.ndarray:
    """n maps full of everything, the agent anywhere inside: u8[n, H, W, 4]."""
    rng = np.random.default_rng(seed)
    shape = (n, view.height, view.width)
    kind = rng.choice([c.UNSEEN, c.EMPTY, c.WALL, c.DOOR, c.KEY, c.LAVA], size=shape)
    agent = np.full(shape, c.NO_AGENT)
    rows, columns = rng.integers(1, view.height - 1, n), rng.integers(1, view.width - 1, n)
    agent[np.arange(n), rows, columns] = rng.integers(0, 4, n)
    return np.stack([kind, rng.integers(0, 6, shape), rng.integers(0, 3, shape), agent], -1).astype(np.uint8)


@pytest.fixture(params=[VIEW, TWO_KEYS], ids=["square", "oblong, two kinds of key"])
def view(request: pytest.FixtureRequest) -> View:
    """A square map with keys of any colour, and an oblong one where colour tells keys apart."""
    return request.param
