"""The observation and the true grid: a whole map of each environment, the dearest part of a step."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid.batch import merged
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.state import GridState, compute_once
from jaxteach.worlds.minigrid.paper.visibility import first_bits, shifted


def observe(state: GridState, width: int) -> Array:
    """The observation: the seen-map with current contents, what is held, and the agent.

    Args:
        state: after `update_seen`.
        width: W.

    Returns:
        u8[H, W, 4]: object, colour, state (0, 0, 0 where unseen; the agent's cell shows what is
        held, else empty) and the agent's direction at its cell, 4 elsewhere.
    """
    observed: Array = merged(lambda states: Map(states, width).observation())(state)
    return observed


def true_grid(state: GridState, width: int) -> Array:
    """The whole grid, unmasked and without the agent, u8[H, W, 3]; outside the room empty."""
    grid: Array = merged(lambda states: Map(states, width).grid())(state)
    return grid


SMALL = 128
"""Cells of the largest map that is computed with the batch as its last axis. A row's ten cells fill no
vectors, environments side by side do: a step takes 0.42 of the time (10x10). A map of 20x20 takes 2.5 times
the time to read that way, for XLA adds its cells up one at a time."""


class Map:
    """The maps of a batch, cell by cell; a cell is a word, its channels 8 bits each from the lowest.

    Args:
        states: [N, ...].
        width: W.
    """

    def __init__(self, states: GridState, width: int) -> None:
        self.states, self.height, self.width = states, states.seen.shape[1], width
        self.batch_last = self.height * width <= SMALL
        row, column = jnp.arange(self.height)[:, None], jnp.arange(width)[None, :]
        self.cell = self.by_cell(row * width + column)

    # Operands of the maps' operations, [H, W, N], or [N, H, W] where the batch is the first axis. What
    # differs between environments is computed once: otherwise each cell's code would work it out again.

    def by_cell(self, x: Array) -> Array:
        """What every environment has, [H, W] or [1, W]."""
        return x[..., None] if self.batch_last else x[None]

    def by_row(self, x: Array) -> Array:
        """What each row has, [N, H]."""
        return compute_once(x.T[:, None, :]) if self.batch_last else x[:, :, None]

    def by_env(self, x: Array) -> Array:
        """What each environment has, [N]."""
        return compute_once(x[None, None, :]) if self.batch_last else x[:, None, None]

    def is_at(self, position: Array) -> Array:
        """Which cell a position i32[N, 2] is: bool, a map; none if it is off the grid."""
        return self.cell == self.by_env(position[:, 0] * self.width + position[:, 1])

    def holds(self, board: Array) -> Array:
        """A board uint[N, H] as a map of bool."""
        column = self.by_cell(jnp.arange(self.width, dtype=jnp.uint32)[None, :])
        return ((self.by_row(board.astype(jnp.uint32)) >> column) & 1) == 1

    def put(self, grid: Array, position: Array, thing: Array) -> Array:
        """The grid with a thing u32[N] at a position i32[N, 2]."""
        return jnp.where(self.is_at(position), self.by_env(thing), grid)

    def packed(self) -> Array:
        """The whole grid, unmasked and without the agent."""
        states = self.states
        keys, doors, lava = states.keys, states.doors, states.lava
        grid = jnp.where(self.holds(self.walls()), _packed(c.WALL, c.GREY), _packed(c.EMPTY))
        for i in range(lava.shape[1]):
            grid = self.put(grid, lava[:, i], jnp.full(lava.shape[:1], _packed(c.LAVA)))
        for k in range(keys.colour.shape[1]):
            grid = self.put(grid, keys.position[:, k], _packed(c.KEY, keys.colour[:, k]))
        for d in range(doors.colour.shape[1]):
            status = jnp.where(doors.open[:, d] == 1, c.OPEN, c.LOCKED)
            grid = self.put(grid, doors.position[:, d], _packed(c.DOOR, doors.colour[:, d], status))
        return grid

    def walls(self) -> Array:
        """The rooms' outer walls as boards, u32[N, H]."""
        rows, columns = self.states.room[:, :1], self.states.room[:, 1:]  # [N, 1]
        line = jnp.arange(self.height)[None, :]
        both_sides = jnp.where(line < rows, shifted(jnp.uint32(1), columns - 1) | 1, 0)
        return jnp.where((line == 0) | (line == rows - 1), first_bits(columns), both_sides)

    def observation(self) -> Array:
        """See `observe`: u8[N, H, W, 4]."""
        states, keys = self.states, self.states.keys
        is_held = jnp.arange(keys.colour.shape[1])[None, :] == states.pocket[:, None]  # [N, K]
        key = _packed(c.KEY, jnp.sum(jnp.where(is_held, keys.colour, 0), axis=1))
        in_hand = jnp.where(states.pocket >= 0, key, _packed(c.EMPTY))
        here = self.is_at(states.position)
        grid = jnp.where(here, self.by_env(in_hand), self.packed())
        agent = jnp.where(here, self.by_env(states.direction), c.NO_AGENT).astype(jnp.uint32)
        return self.unpack(jnp.where(self.holds(states.seen), grid, 0) | (agent << 24))

    def grid(self) -> Array:
        """See `true_grid`: u8[N, H, W, 3]."""
        return self.unpack(self.packed())[..., :3]

    def unpack(self, cells: Array) -> Array:
        """Cells' words to their four bytes u8[N, H, W, 4], lowest first."""
        if not self.batch_last:
            return jax.lax.bitcast_convert_type(cells, jnp.uint8)
        cells = compute_once(cells)  # else once a byte
        channels = jnp.stack([(cells >> (8 * i)).astype(jnp.uint8) for i in range(4)], axis=2)
        return channels.transpose(3, 0, 1, 2)  # [H, W, 4, N] -> [N, H, W, 4]


def _packed(kind: Array | int, colour: Array | int = 0, status: Array | int = 0) -> Array:
    """A cell's channels in one word, u32[...]."""
    channels = [jnp.asarray(channel).astype(jnp.uint32) for channel in (kind, colour, status)]
    return channels[0] | (channels[1] << 8) | (channels[2] << 16)
