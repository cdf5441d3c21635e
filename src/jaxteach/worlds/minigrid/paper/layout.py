"""Random layouts from a handful of random words: the reference's ranges, a few integer draws."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid.paper.state import compute_once


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything lies when an episode starts; cells are i32[2] (row, column).

    Attributes:
        room: i32[2], rows and columns.
        agent: the agent's cell.
        direction: i32[], the agent's direction.
        keys: a cell for each key.
        key_colours: i32[] for each key.
        doors: a cell for each door, in caption order.
        door_colours: i32[] for each door.
        lava: a cell for each lava cell.
    """

    room: Array
    agent: Array
    direction: Array
    keys: tuple[Array, ...]
    key_colours: tuple[Array, ...]
    doors: tuple[Array, ...]
    door_colours: tuple[Array, ...]
    lava: tuple[Array, ...] = ()


class Draws:
    """Uniform integers from one random word: each draw mixes the word with its own number.

    Threefry costs about a hundred operations a word, this mixing seven, and every environment step
    draws a layout in case its episode ends. One word allows 2**32 different layouts; each draw uses
    24 mixed bits, so its relative bias is at most n / 2**24.

    Args:
        words: u32[1].
    """

    def __init__(self, words: Array) -> None:
        self._word = words[0]
        self._used = 0

    def below(self, n: Array | int) -> Array:
        """A uniform integer in [0, n).

        Args:
            n: i32[] or int, at least 1 and below 2**23.

        Returns:
            i32[].
        """
        self._used += 1
        bits = mix(self._word + jnp.uint32(self._used * GOLDEN % 2**32))
        fraction = (bits >> 8).astype(jnp.float32) * (2.0**-24)
        return jnp.floor(fraction * n).astype(jnp.int32)

    def between(self, low: int, high: int) -> Array:
        """A uniform integer in [low, high], i32[]."""
        return low + self.below(high - low + 1)


# 2**32 divided by the golden ratio: its multiples lie far apart.
GOLDEN = 0x9E3779B9


def mix(bits: Array) -> Array:
    """Make every bit of u32[...] depend on all of its bits (C. Wellons and T. Mueller's `lowbias32`)."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x21F0AAAD)
    bits = (bits ^ (bits >> 15)) * jnp.uint32(0xD35A2D97)
    return bits ^ (bits >> 15)


def point(row: Array | int, column: Array | int) -> Array:
    """A cell as i32[2] (row, column)."""
    return jnp.stack([jnp.asarray(row, jnp.int32), jnp.asarray(column, jnp.int32)])


def draw_room(draws: Draws, low: int, high: int) -> Array:
    """A room's size, each side independently uniform in [low, high], as i32[2] (rows, columns)."""
    return point(*compute_once((draws.between(low, high), draws.between(low, high))))


def door_in_wall(draws: Draws, room: Array, wall: Array) -> tuple[Array, Array]:
    """A door at a uniform place in one wall, corners left out.

    Args:
        draws: where randomness comes from.
        room: i32[2].
        wall: i32[], 0 east, 1 south, 2 west, 3 north.

    Returns:
        The door's cell and the cell right before it inside the room, both i32[2].
    """
    rows, columns = room[0], room[1]
    on_side = (wall == 0) | (wall == 2)
    along = 1 + draws.below(jnp.where(on_side, rows - 2, columns - 2))
    across = jnp.where(wall == 0, columns - 1, jnp.where(wall == 1, rows - 1, 0))
    before = jnp.where(across == 0, 1, across - 1)
    along, across, before, on_side = compute_once((along, across, before, on_side))
    row, column = jnp.where(on_side, along, across), jnp.where(on_side, across, along)
    inner_row, inner_column = jnp.where(on_side, along, before), jnp.where(on_side, before, along)
    return point(row, column), point(inner_row, inner_column)


def free_cell(draws: Draws, room: Array, taken: Sequence[Array]) -> Array:
    """A cell uniform over the room's interior, less those taken.

    Drawing an index among the free cells and stepping over the taken ones equals the
    reference's drawing until a free cell comes up, without the loop.

    Args:
        draws: where randomness comes from.
        room: i32[2].
        taken: cells i32[2] to leave out; repetitions are allowed.

    Returns:
        i32[2].
    """
    columns = room[1] - 2
    n_cells = (room[0] - 2) * columns
    beyond = n_cells + 1
    skip: list[Array] = []
    for cell in taken:
        index = (cell[0] - 1) * columns + (cell[1] - 1)
        for earlier in skip:
            index = jnp.where(index == earlier, beyond, index)
        skip.append(index)
    n_taken = sum(((index < n_cells).astype(jnp.int32) for index in skip), jnp.int32(0))
    rank = draws.below(n_cells - n_taken)
    chosen = rank
    # Each pass counts the taken cells up to the candidate; len(skip) passes reach the fixed point.
    for _ in skip:
        chosen = rank + sum((index <= chosen).astype(jnp.int32) for index in skip)
    # Integer division does not vectorise; half a cell keeps the quotient clear of whole numbers.
    row = jnp.floor((chosen + 0.5) / columns).astype(jnp.int32)
    return point(*compute_once((1 + row, 1 + chosen - row * columns)))
