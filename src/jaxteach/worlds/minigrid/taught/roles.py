"""Which cells of a seen-map play which role."""

import functools
import re

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.paper.bitboards import any_cell, cells_last, pack, union_of_rows
from jaxteach.worlds.minigrid.paper.paths import shifted
from jaxteach.worlds.minigrid.state import compute_once
from jaxteach.worlds.minigrid.taught import things as t
from jaxteach.worlds.minigrid.taught.families import Family
from jaxteach.worlds.minigrid.taught.walks import around

_OPEN, _CLOSED, _LOCKED = range(3)
"""Farama's numbers of a door's state."""
_NO_AGENT = 4
_NOUNS = {**{k.KIND_NAMES[kind]: kind for kind in (*k.PORTABLE, k.DOOR)}, "room": k.DOOR}
"""What missions call things; a room is named after the colour of its door."""


class Scene(struct.PyTreeNode):
    """N seen-maps, cell by cell, and what the agent holds.

    Attributes:
        kind: u32[H, W, N].
        colour: u32[H, W, N].
        elsewhere: bool[H, W, N], not the agent's cell, which tells what it holds.
        here: uint[H, N], the agent's cell.
        direction: i32[N], the agent's.
        held_kind: i32[N].
        held_colour: i32[N].
        opened: uint[H, N], open doors; closed and locked likewise.
        closed: uint[H, N].
        locked: uint[H, N].
        usable: u32[N], a bit for each colour of which a key may be of use: those of the locked doors seen,
            and all before any was.
    """

    kind: Array
    colour: Array
    elsewhere: Array
    here: Array
    direction: Array
    held_kind: Array
    held_colour: Array
    opened: Array
    closed: Array
    locked: Array
    usable: Array

    @property
    def doors(self) -> Array:
        """uint[H, N], doors in any state."""
        return self.opened | self.closed | self.locked

    @property
    def holds_key(self) -> Array:
        """bool[N], a key of use is held."""
        return (self.held_kind == k.KEY) & ((self.usable >> self.held_colour.astype(jnp.uint32)) & 1 != 0)

    def of_kind(self, *kinds: int) -> Array:
        """uint[H, N], the cells of some kinds, the agent's own left out."""
        alike = functools.reduce(jnp.logical_or, [self.kind == kind for kind in kinds])
        return pack(alike & self.elsewhere)

    def alike(self, thing: Array) -> Array:
        """uint[H, N], the cells of a kind and colour, i32[N, 2]."""
        kind, colour = thing.astype(jnp.uint32).T  # u32[N] each
        return pack((self.kind == kind[None, None]) & (self.colour == colour[None, None]) & self.elsewhere)


def scene_of(cells: Array) -> Scene:
    """The parts of observed cells u8[N, H, W, 4]; see `LevelTask.observe`."""
    kind, colour, status, heading = cells_last(cells)  # u32[H, W, N]
    is_here = heading != _NO_AGENT
    elsewhere = ~is_here

    def own(values: Array) -> Array:
        """A channel in the agent's cell, i32[N]."""
        return jnp.sum(jnp.where(is_here, values, 0), axis=(0, 1)).astype(jnp.int32)

    held_kind, held_colour, direction = compute_once((own(kind), own(colour), own(heading)))
    door = (kind == k.DOOR) & elsewhere
    locked = door & (status == _LOCKED)
    bits = jnp.where(locked, 1 << colour, 0)
    colours = union_of_rows(functools.reduce(jnp.bitwise_or, [bits[:, c] for c in range(bits.shape[1])]))
    return Scene(
        kind=kind,
        colour=colour,
        elsewhere=elsewhere,
        here=pack(is_here),
        direction=direction,
        held_kind=held_kind,
        held_colour=held_colour,
        opened=pack(door & (status == _OPEN)),
        closed=pack(door & (status == _CLOSED)),
        locked=pack(locked),
        usable=compute_once(jnp.where(colours == 0, jnp.uint32(63), colours)),
    )


@functools.cache
def named_in(missions: tuple[str, ...]) -> np.ndarray:
    """Kind and colour of the first two things that each mission names, i32[missions, 2, 2]; 0: none.

    >>> named_in(("pick up the green ball", "go to the goal")).tolist()
    [[[6, 1], [0, 0]], [[0, 0], [0, 0]]]
    >>> named_in(("get the red key from the blue room, unlock the red door",)).tolist()
    [[[5, 0], [4, 2]]]
    """
    word = re.compile(rf"\b({'|'.join(k.COLOURS)}) ({'|'.join(_NOUNS)})\b")
    found = np.zeros((len(missions), 2, 2), np.int32)
    for row, mission in zip(found, missions, strict=True):
        for thing, match in zip(row, word.finditer(mission), strict=False):
            thing[:] = _NOUNS[match[2]], k.COLOURS.index(match[1])
    return found


def boards_of(family: Family, missions: tuple[str, ...], scene: Scene, mission: Array) -> dict[str, Array]:
    """The cells of each thing of a family, uint[H, N].

    In the family's order: what a blocker or another thing is depends on the things before it, and the cue
    tells which of the things at a hall's end matches.

    Args:
        family: the level's (static).
        missions: the level's (static).
        scene: N maps.
        mission: u16[N], numbers of `missions`.
    """
    named = jnp.asarray(named_in(missions))[mission]  # [N, which, kind and colour]
    first, second = named[:, 0], named[:, 1]
    boards: dict[str, Array] = {}
    for thing in family.names:
        match thing:
            case t.GOAL:
                boards[thing] = scene.of_kind(k.GOAL)
            case t.TARGET:
                boards[thing] = scene.alike(first)
            case t.PLACE:
                boards[thing] = scene.alike(second)
            case t.KEY:
                fits = ((scene.usable[None, None] >> scene.colour) & 1) != 0
                boards[thing] = pack((scene.kind == k.KEY) & fits & scene.elsewhere)
            case t.LOCKED:
                opens = scene.colour == scene.held_colour.astype(jnp.uint32)[None, None]
                boards[thing] = scene.locked & pack(opens | ~scene.holds_key[None, None])
            case t.BOX:
                boards[thing] = scene.of_kind(k.BOX)
            case t.BLOCKER:
                wanted = [boards[name] for name in (t.TARGET, t.KEY) if name in boards]
                in_the_way = scene.of_kind(*k.PORTABLE) & around(scene.closed | scene.locked)
                boards[thing] = in_the_way & ~functools.reduce(jnp.bitwise_or, wanted)
            case t.RED:
                boards[thing] = scene.alike(first) & scene.closed
            case t.OPENED:
                boards[thing] = scene.alike(first) & scene.opened
            case t.BLUE | t.MARKED:
                boards[thing] = scene.alike(second) & scene.closed
            case t.CUE:
                boards |= _hall(scene)
            case t.OTHER if thing not in boards:
                boards[thing] = scene.of_kind(*k.PORTABLE, k.DOOR) & ~boards[t.TARGET]
    return boards


def _hall(scene: Scene) -> dict[str, Array]:
    """The things of Memory: the cue lies in the first column inside, the others at the end of the hall."""
    lying = scene.of_kind(*k.PORTABLE)
    cue = lying & 0b10
    keys = scene.of_kind(k.KEY)
    is_key, was_seen = any_cell(cue & keys), any_cell(cue)
    ends = lying & ~cue
    alike = jnp.where(is_key[None], ends & keys, ends & ~keys)
    match = jnp.where(was_seen[None], alike, 0).astype(ends.dtype)
    return {t.CUE: cue, t.MATCH: match, t.OTHER: ends & ~match}


def next_to(board: Array) -> Array:
    """The eight cells around each cell of a board, uint[H, N]; bits beyond the width may be set."""
    row = board | shifted(board, 0, 1) | shifted(board, 0, -1)
    return (row | shifted(row, 1, 0) | shifted(row, -1, 0)) & ~board


def west_of(here: Array) -> Array:
    """The columns west of the agent's cell, uint[N]."""
    return union_of_rows(here) - 1
