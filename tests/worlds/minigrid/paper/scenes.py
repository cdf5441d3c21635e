"""Observations drawn as text, so that a test shows the map it is about."""

import numpy as np

from jaxteach.worlds.minigrid.paper import constants as c

AGENTS = {">": c.EAST, "v": c.SOUTH, "<": c.WEST, "^": c.NORTH}
THINGS = {
    "?": (0, 0, 0),
    ".": (c.EMPTY, 0, 0),
    "#": (c.WALL, c.GREY, 0),
    "D": (c.DOOR, c.YELLOW, c.LOCKED),
    "d": (c.DOOR, c.BLUE, c.LOCKED),
    "O": (c.DOOR, c.YELLOW, c.OPEN),
    "k": (c.KEY, c.YELLOW, 0),
    "b": (c.KEY, c.BLUE, 0),
    "r": (c.KEY, c.RED, 0),
    "o": (c.BALL, c.RED, 0),
    "x": (c.BOX, c.RED, 0),
    "g": (c.GOAL, c.GREEN, 0),
    "~": (c.LAVA, c.RED, 0),
}
DOOR_AND_KEY = """
##D##
#.>k#
#...#
#...#
#####
"""
"""Pick up the key, turn left, open the door: three steps, the least there can be."""


def scene(drawing: str, holds: str = ".", side: int = 10) -> np.ndarray:
    """An observation u8[side, side, 4]; cells beyond the drawing are unseen.

    Args:
        drawing: rows of characters: `THINGS`, and one of `AGENTS` where the agent stands.
        holds: the key in the agent's hands ("k", "b" or "r"), "." for none.
        side: H and W.
    """
    obs = np.zeros((side, side, 4), np.uint8)
    obs[..., 3] = c.NO_AGENT
    for row, line in enumerate(drawing.strip("\n").splitlines()):
        for column, mark in enumerate(line):
            obs[row, column, :3] = THINGS[holds if mark in AGENTS else mark]
            if mark in AGENTS:
                obs[row, column, 3] = AGENTS[mark]
    return obs


def agent_of(obs: np.ndarray) -> tuple[int, int, int]:
    """The agent's row, column and direction."""
    (row, column), *others = np.argwhere(obs[..., 3] != c.NO_AGENT)
    assert not others
    return int(row), int(column), int(obs[row, column, 3])


def start(drawing: str, **changes: object) -> tuple[np.ndarray, tuple[int, int], int]:
    """The arguments of `from_grid` for a drawing."""
    row, column, direction = agent_of(scene(drawing))
    grid = scene(drawing)[..., :3]
    grid[grid[..., 0] == c.UNSEEN] = (c.EMPTY, 0, 0)
    given = {"grid": grid, "position": (row, column), "direction": direction, **changes}
    return given["grid"], given["position"], given["direction"]
