"""From a seen-map to what the teacher is told, and what each option does now."""

import functools
import re
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.tasks.language import Option
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.paper.bitboards import any_cell, cells_last, pack, union_of_rows
from jaxteach.worlds.minigrid.paper.paths import ahead_of, shifted
from jaxteach.worlds.minigrid.state import compute_once
from jaxteach.worlds.minigrid.taught import families as f
from jaxteach.worlds.minigrid.taught.walks import AHEAD, LEFT_HAND, NOWHERE, around, first_steps

_STATE_CLOSED, _STATE_LOCKED = 1, 2
"""Farama's numbers of a door's state."""
_NO_AGENT = 4


class Options(struct.PyTreeNode):
    """What a family's options do in N views.

    Attributes:
        action: i32[O, N].
        over: bool[O, N], whether the option has ended, or cannot begin.
    """

    action: Array
    over: Array


@functools.cache
def targets_of(missions: tuple[str, ...]) -> np.ndarray:
    """Kind and colour of what each mission names last, i32[missions, 2]; 0 where it names nothing.

    >>> targets_of(("pick up the green ball",)).tolist()
    [[6, 1]]
    """
    named = re.compile(rf"({'|'.join(k.COLOURS)}) ({'|'.join(k.KIND_NAMES[kind] for kind in k.PORTABLE)})$")
    found = [named.search(mission) for mission in missions]
    return np.array(
        [[k.KIND_NAMES.index(m[2]), k.COLOURS.index(m[1])] if m else [0, 0] for m in found], np.int32
    )


def perceive(family: f.Family, missions: tuple[str, ...], obs: dict[str, Array]) -> tuple[Array, Options]:
    """Abstract states of observations, and what each option would do.

    Args:
        family: the level's (static).
        missions: the level's (static).
        obs: cells u8[N, H, W, 4] and mission u16[N], see `LevelTask.observe`.

    Returns:
        i32[N], codes of `families.Family.code`; and the options.
    """
    kind, colour, status, heading = cells_last(obs["cells"])  # u32[H, W, N]
    is_here = heading != _NO_AGENT
    here, elsewhere = pack(is_here), ~is_here

    def own(values: Array) -> Array:
        """A channel in the agent's cell, i32[N]."""
        return jnp.sum(jnp.where(is_here, values, 0), axis=(0, 1)).astype(jnp.int32)

    held_kind, held_colour, direction = compute_once((own(kind), own(colour), own(heading)))
    door = (kind == k.DOOR) & elsewhere
    locked, closed = door & (status == _STATE_LOCKED), door & (status == _STATE_CLOSED)
    # Colours of the locked doors seen, a bit each; before any was, every key may fit.
    bits = jnp.where(locked, 1 << colour, 0)
    colours = union_of_rows(functools.reduce(jnp.bitwise_or, [bits[:, c] for c in range(bits.shape[1])]))
    usable = compute_once(jnp.where(colours == 0, jnp.uint32(63), colours))
    holds_key = (held_kind == k.KEY) & ((usable >> held_colour.astype(jnp.uint32)) & 1 != 0)
    nothing = held_kind == k.EMPTY
    boards = _boards(family, missions, obs["mission"], (kind, colour, elsewhere), usable)
    if f.LOCKED in family.things:
        fits = ~holds_key[None, None] | (colour == held_colour.astype(jnp.uint32)[None, None])
        boards[f.LOCKED] = pack(locked & fits)
    doors = pack(door)
    closed_doors = pack(closed)
    shut = closed_doors | pack(locked)
    if f.BLOCKER in family.things:
        movable = pack(functools.reduce(jnp.logical_or, [kind == kind_ for kind_ in k.PORTABLE]) & elsewhere)
        rest = functools.reduce(
            jnp.bitwise_or, [boards[thing] for thing in (f.TARGET, f.KEY) if thing in boards]
        )
        boards[f.BLOCKER] = movable & around(shut) & ~rest
    passable = pack(((kind == k.EMPTY) | (kind == k.FLOOR) | (kind == k.GOAL)) & elsewhere) | (doors & ~shut)
    unseen, empty = pack(kind == 0), pack((kind == k.EMPTY) & elsewhere)
    further = unseen | closed_doors
    aside = _aside(passable | here, empty, doors)
    things = tuple(boards[thing] for thing in family.things)
    wanted = compute_once((*things, further, aside, empty))
    *to, explore, drop, beside = compute_once(first_steps(compute_once(passable), here, direction, wanted))
    held = jnp.where(nothing, 0, jnp.where(holds_key, 1, 2))
    code = _code(family, to, things, held, explore != NOWHERE)
    ahead = compute_once(ahead_of(here, direction))
    # Where no place is out of the way, anywhere will do but where the way leads on.
    spare = drop == NOWHERE
    drop = jnp.where(spare, _elsewhere(beside, to), drop)
    places = {
        **{
            thing: (step, any_cell(ahead & board))
            for thing, step, board in zip(family.things, to, things, strict=True)
        },
        "explore": (explore, any_cell(ahead & closed_doors)),
        "drop": (drop, any_cell(ahead & jnp.where(spare[None], empty, aside))),
    }
    doing = [_act(option, places, nothing, holds_key) for option in family.options]
    actions, over = zip(*doing, strict=True)
    return code, Options(jnp.stack(actions), jnp.stack(over))


def _code(
    family: f.Family, to: list[Array], things: tuple[Array, ...], held: Array, unexplored: Array
) -> Array:
    """The state as one number, i32[N]; see `families.Family.code`."""
    digits = []
    for thing, step, board in zip(family.things, to, things, strict=True):
        known = jnp.where(step != NOWHERE, f.NEAR, jnp.where(any_cell(board), f.FAR, f.UNKNOWN))
        digits.append((known == f.NEAR).astype(jnp.int32) if thing in family.near_only else known)
    digits += [jnp.minimum(held, family.hands - 1), unexplored.astype(jnp.int32)]
    code = jnp.zeros_like(held)
    for digit, size in zip(digits, family.sizes, strict=True):
        code = code * size + digit
    return code


def _boards(
    family: f.Family, missions: tuple[str, ...], mission: Array, cells: Any, usable: Array
) -> dict[str, Array]:
    """The cells of the things that kind and colour alone tell."""
    kind, colour, elsewhere = cells
    boards: dict[str, Array] = {}
    if f.GOAL in family.things:
        boards[f.GOAL] = pack((kind == k.GOAL) & elsewhere)
    if f.TARGET in family.things:
        target = jnp.asarray(targets_of(missions), jnp.uint32)[mission]
        alike = (kind == target[None, None, :, 0]) & (colour == target[None, None, :, 1])
        boards[f.TARGET] = pack(alike & elsewhere)
    if f.KEY in family.things:
        boards[f.KEY] = pack((kind == k.KEY) & (((usable[None, None] >> colour) & 1) != 0) & elsewhere)
    if f.BOX in family.things:
        boards[f.BOX] = pack((kind == k.BOX) & elsewhere)
    return boards


def _aside(passable: Array, empty: Array, doors: Array) -> Array:
    """Empty cells where a thing would lie in nobody's way: beside no door, in no passage one cell wide."""
    north, south = shifted(passable, 1, 0), shifted(passable, -1, 0)
    west, east = shifted(passable, 0, 1), shifted(passable, 0, -1)
    passage = (north & south & ~(west | east)) | (west & east & ~(north | south))
    return empty & ~around(doors) & ~passage


def _elsewhere(beside: Array, to: list[Array]) -> Array:
    """A step to an empty cell beside the agent that is not the first step to a thing."""
    taken = functools.reduce(jnp.logical_or, [step == beside for step in to], jnp.zeros(beside.shape, bool))
    return jnp.where(taken, NOWHERE, beside)


def _act(
    option: Option, places: dict[str, tuple[Array, Array]], nothing: Array, holds_key: Array
) -> tuple[Array, Array]:
    """What one option does, i32[N], and whether it has ended or cannot begin, bool[N].

    Args:
        option: which.
        places: of each thing, of "explore" and of "drop", the first step there, and whether it is ahead.
        nothing: bool[N], the hands are free.
        holds_key: bool[N], a key of use is held.
    """
    step, facing = places[option.object or option.kind]
    lost = step == NOWHERE
    if option.kind == "explore":
        return _walk(step, facing, k.TOGGLE), lost
    if option.kind == "drop":
        return _walk(step, facing, k.DROP), lost | nothing
    if option.kind == "pick up":
        return _walk(step, facing, k.PICKUP), lost | ~nothing
    if option.kind == "open":
        return _walk(step, facing, k.TOGGLE), lost | (~holds_key if option.object == f.LOCKED else False)
    return _walk(step, facing, k.FORWARD), lost | (facing if option.object != f.GOAL else False)


def _walk(step: Array, facing: Array, there: int) -> Array:
    """The action that leads on: a turn, a step forward, or what is done on arrival."""
    turn = jnp.where(step == LEFT_HAND, k.LEFT, k.RIGHT)
    return jnp.where(step == AHEAD, jnp.where(facing, there, k.FORWARD), turn).astype(jnp.int32)
