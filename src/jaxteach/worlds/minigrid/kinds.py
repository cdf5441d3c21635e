"""What a cell can hold, as one small number: the code that grid, view and rules share."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

# Farama's numbers of kinds; a door is three kinds here, one for each of its states: a rule reads one number.
UNSEEN, EMPTY, WALL, FLOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA = range(10)
OPEN, CLOSED, LOCKED = 10, 11, 12
KIND_NAMES = ("unseen", "empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava")

RED, GREEN, BLUE, PURPLE, YELLOW, GREY = range(6)
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")

EAST, SOUTH, WEST, NORTH = range(4)

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
ACTIONS = ("left", "right", "forward", "pickup", "drop", "toggle", "done")

WALKABLE = (EMPTY, FLOOR, OPEN, GOAL, LAVA)
PORTABLE = (KEY, BALL, BOX)
OPAQUE = (WALL, CLOSED, LOCKED)


def code(kind: Any, colour: Any = 0) -> Any:
    """A cell's code: the kind in the four lowest bits, the colour in the three above; ints or arrays.

    What a box holds is added as `contents << 8`, in levels whose boxes hold anything.
    """
    return kind | (colour << 4)


WALL_CODE = WALL | GREY << 4
GOAL_CODE = GOAL | GREEN << 4
LAVA_CODE = LAVA | RED << 4
# Kind and colour of a code, without what it holds.
LOOKS = 0x7F
COLOUR_BITS = 0x70


def kind_of(codes: Array) -> Array:
    """The kind of each code, u8[...]."""
    return codes.astype(jnp.uint8) & jnp.uint8(15)


def is_any(kind: Array, kinds: tuple[int, ...]) -> Array:
    """Whether each kind u8[...] is one of a static set, bool[...]."""
    return functools.reduce(jnp.logical_or, [kind == k for k in kinds])


def channels[Batch: (Array, np.ndarray)](codes: Batch, doors: bool = True) -> tuple[Batch, Batch, Batch]:
    """Farama's three numbers for each code.

    Args:
        codes: u8[...] or u16[...], 0 where nothing is seen; JAX or NumPy.
        doors: whether any may be a door's.

    Returns:
        Kind, colour and state, u8[...] each; the state is of doors only: 0 open, 1 closed, 2 locked.
    """
    xp = np if isinstance(codes, np.ndarray) else jnp
    low = codes.astype(xp.uint8)
    kind, colour = low & 15, (low >> 4) & 7
    if not doors:
        return kind, colour, xp.zeros_like(low)
    door = kind >= OPEN
    return xp.where(door, xp.uint8(DOOR), kind), colour, xp.where(door, kind - xp.uint8(OPEN), xp.uint8(0))


def codes_of(cells: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Codes from Farama's numbers.

    Args:
        cells: u8[..., 3]: kind, colour, state.
        inside: u8[..., 2]: kind and colour of what a box holds; 0, 0 for nothing.

    Returns:
        u16[...].
    """
    kind, colour, state = (cells[..., i].astype(np.uint16) for i in range(3))
    kind = np.where(kind == DOOR, OPEN + state, kind)
    held = inside[..., 0].astype(np.uint16) | inside[..., 1].astype(np.uint16) << 4
    return (kind | colour << 4 | held << 8).astype(np.uint16)
