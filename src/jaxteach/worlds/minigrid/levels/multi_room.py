"""MultiRoom: a chain of rooms of random sizes, a door between each two, the goal in the last."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level, put
from jaxteach.worlds.minigrid.palette import DOOR, ROOM, Palette
from jaxteach.worlds.minigrid.state import State, compute_once, start

SMALLEST = 4
TRIES = 8
LANES = 16


class Rooms(NamedTuple):
    """The rooms of chains that are built side by side; N rooms at most, L chains.

    Attributes:
        top: i32[N, L], rows of the upper left corners.
        left: i32[N, L].
        tall: i32[N, L], rows of the rooms, walls included.
        wide: i32[N, L].
        door_row: i32[N, L], where the door into each room is; no door leads into the first.
        door_column: i32[N, L].
    """

    top: Array
    left: Array
    tall: Array
    wide: Array
    door_row: Array
    door_column: Array


class Chains(NamedTuple):
    """L chains of rooms, each growing by its own draws.

    Attributes:
        rooms: those placed, the rest zeros.
        entry: i32[L], the wall by which the last room is entered: 0 right, 1 down, 2 left, 3 up.
        n_rooms: i32[L], rooms placed.
        tries: i32[L], how often a room after the last has been tried.
    """

    rooms: Rooms
    entry: Array
    n_rooms: Array
    tries: Array


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiRoom(Level):
    """A chain of rooms.

    Attributes:
        n_rooms: how many.
        largest: a room's longest side; the shortest is 4.
    """

    n_rooms: int
    largest: int

    palette = Palette((*ROOM, *DOOR, "goal"), k.COLOURS)

    @functools.cached_property
    def missions(self) -> tuple[str, ...]:
        return ("traverse the rooms to get to the goal",)

    def generate(self, draws: Draws) -> State:
        top, left, tall, wide, door_row, door_column = self._rooms(draws)
        row, column = jnp.arange(self.height)[:, None], jnp.arange(self.width)[None]
        grid = jnp.full((self.height, self.width), k.EMPTY, jnp.uint8)
        colour = jnp.int32(0)
        for i in range(self.n_rooms):
            across, down = column - left[i], row - top[i]
            within = (across >= 0) & (across < wide[i]) & (down >= 0) & (down < tall[i])
            edge = (across == 0) | (across == wide[i] - 1) | (down == 0) | (down == tall[i] - 1)
            grid = jnp.where(within & edge, jnp.uint8(k.WALL_CODE), grid)
            if i > 0:
                # A door's colour is never that of the door before it.
                other = draws.below(5 if i > 1 else 6)
                colour = other + (other >= colour) if i > 1 else other
                grid = put(grid, door_row[i], door_column[i], k.code(k.CLOSED, colour))
        agent, goal = (
            (top[i] + draws.between(1, tall[i] - 2), left[i] + draws.between(1, wide[i] - 2)) for i in (0, -1)
        )
        return start(put(grid, *goal, k.GOAL_CODE), *agent, draws.below(4))

    def _rooms(self, draws: Draws) -> Rooms:
        """Draw chains until one has all its rooms.

        A chain is never taken back: when no room fits after its last one, it is dropped and begun anew.
        Several are tried at once, and the first of those that succeed is taken: as if one after another.

        Returns:
            The rooms, i32[n_rooms] each.
        """

        def batch(carry: tuple[Array, Array, Rooms]) -> tuple[Array, Array, Rooms]:
            number, _, _ = carry
            chains = self._chains(draws.fork(number))
            whole = chains.n_rooms == self.n_rooms
            lane = jnp.argmax(whole)
            return number + 1, jnp.any(whole), Rooms(*[field[:, lane] for field in chains.rooms])

        nothing = Rooms(*[jnp.zeros(self.n_rooms, jnp.int32)] * 6)
        begin = (jnp.int32(0), jnp.zeros((), bool), nothing)
        return jax.lax.while_loop(lambda carry: ~carry[1], batch, begin)[2]

    def _chains(self, draws: Draws) -> Chains:
        """Build LANES chains to their ends."""
        nothing = Rooms(*[jnp.zeros((self.n_rooms, LANES), jnp.int32)] * 6)
        zero = jnp.zeros(LANES, jnp.int32)
        # The first room counts as entered by its left wall; its corner is where a door would be.
        row, column = draws.below(self.width - 2, (LANES,)), draws.below(self.width - 2, (LANES,))
        chains = Chains(nothing, entry=zero + 2, n_rooms=zero, tries=zero)
        chains = self._extend(chains, Rooms(row, column, *self._sides(draws), row, column), chains.entry)
        chains = chains._replace(tries=jnp.where(chains.n_rooms == 0, TRIES, 0))

        def step(carry: tuple[Array, Chains]) -> tuple[Array, Chains]:
            number, chains = carry
            return number + 1, compute_once(self._try(draws.fork(number), chains))

        def growing(carry: tuple[Array, Chains]) -> Array:
            return jnp.any((carry[1].n_rooms < self.n_rooms) & (carry[1].tries < TRIES))

        return jax.lax.while_loop(growing, step, (jnp.int32(0), chains))[1]

    def _sides(self, draws: Draws) -> tuple[Array, Array]:
        """Uniform rows and columns of a room for each chain."""
        span = self.largest - SMALLEST + 1
        return SMALLEST + draws.below(span, (LANES,)), SMALLEST + draws.below(span, (LANES,))

    def _try(self, draws: Draws, chains: Chains) -> Chains:
        """Try once to add a room to every chain that still grows."""
        is_last = jnp.arange(self.n_rooms)[:, None] == jnp.maximum(chains.n_rooms - 1, 0)[None]
        top, left, tall, wide = (jnp.sum(jnp.where(is_last, x, 0), axis=0) for x in chains.rooms[:4])
        # The exit is in a uniform one of the three other walls, at a uniform place, corners left out.
        exit_wall = draws.below(3, (LANES,))
        exit_wall = exit_wall + (exit_wall >= chains.entry)
        upright = (exit_wall == 0) | (exit_wall == 2)
        along = 1 + draws.below(jnp.where(upright, tall, wide) - 2, (LANES,))
        far_row, far_column = top + tall - 1, left + wide - 1
        row = jnp.where(upright, top + along, jnp.where(exit_wall == 1, far_row, top))
        column = jnp.where(upright, jnp.where(exit_wall == 0, far_column, left), left + along)
        entry = exit_wall ^ 2
        tall, wide = self._sides(draws)
        # The new room is shifted along the wall so that its door is not at its corner.
        shift = 1 + draws.below(jnp.where(upright, tall, wide) - 2, (LANES,))
        top = jnp.where(upright, row - shift, jnp.where(entry == 1, row - tall + 1, row))
        left = jnp.where(upright, jnp.where(entry == 0, column - wide + 1, column), column - shift)
        longer = self._extend(chains, Rooms(top, left, tall, wide, row, column), entry)
        return longer._replace(tries=jnp.where(longer.n_rooms > chains.n_rooms, 0, chains.tries + 1))

    def _extend(self, chains: Chains, new: Rooms, entry: Array) -> Chains:
        """Add a room i32[L] to every chain that still grows and where it fits."""
        right, bottom = new.left + new.wide, new.top + new.tall
        inside = (new.top >= 0) & (new.left >= 0) & (right <= self.width) & (bottom < self.height)
        # Farama's test is not symmetric: a room may touch an earlier one on two of its sides only. The last
        # room, which it must touch, is not tested.
        old = chains.rooms
        apart = (right[None] < old.left) | (old.left + old.wide <= new.left[None])
        apart = apart | (bottom[None] < old.top) | (old.top + old.tall <= new.top[None])
        number = jnp.arange(self.n_rooms)[:, None]
        earlier = number < chains.n_rooms[None] - 1
        grows = (chains.n_rooms < self.n_rooms) & (chains.tries < TRIES)
        fits = grows & inside & jnp.all(apart | ~earlier, axis=0)
        here = fits[None] & (number == chains.n_rooms[None])
        rooms = Rooms(*[jnp.where(here, a[None], b) for a, b in zip(new, old, strict=True)])
        return Chains(
            rooms,
            entry=jnp.where(fits, entry, chains.entry),
            n_rooms=chains.n_rooms + fits,
            tries=chains.tries,
        )


def _level(n_rooms: int, largest: int) -> MultiRoom:
    return MultiRoom(height=25, width=25, max_steps=20 * n_rooms, n_rooms=n_rooms, largest=largest)


LEVELS: dict[str, Level] = {
    "MiniGrid-MultiRoom-N2-S4-v0": _level(2, 4),
    "MiniGrid-MultiRoom-N4-S5-v0": _level(6, 5),
    "MiniGrid-MultiRoom-N4-S5-v1": _level(4, 5),
    "MiniGrid-MultiRoom-N6-v0": _level(6, 10),
}
