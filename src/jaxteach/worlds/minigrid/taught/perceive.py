"""From a seen-map to what the teacher is told, and what each option does now."""

import functools

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.tasks.language import Option
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.paper.bitboards import any_cell
from jaxteach.worlds.minigrid.paper.paths import ahead_of, shifted
from jaxteach.worlds.minigrid.state import compute_once
from jaxteach.worlds.minigrid.taught import things as t
from jaxteach.worlds.minigrid.taught.families import Family
from jaxteach.worlds.minigrid.taught.roles import Scene, boards_of, next_to, scene_of, west_of
from jaxteach.worlds.minigrid.taught.rules import DROP, EXPLORE, FINISH, LOOK_BACK
from jaxteach.worlds.minigrid.taught.walks import AHEAD, LEFT_HAND, NOWHERE, around, first_steps


class Options(struct.PyTreeNode):
    """What a family's options do in N views.

    Attributes:
        action: i32[O, N].
        over: bool[O, N], whether the option has ended, or cannot begin.
    """

    action: Array
    over: Array


class Way(struct.PyTreeNode):
    """How to get to cells of a kind.

    Attributes:
        step: i32[N], the first step; see `walks.first_steps`.
        facing: bool[N], whether such a cell is ahead.
    """

    step: Array
    facing: Array


def perceive(family: Family, missions: tuple[str, ...], obs: dict[str, Array]) -> tuple[Array, Options]:
    """Abstract states of observations, and what each option would do.

    Args:
        family: the level's (static).
        missions: the level's (static).
        obs: cells u8[N, H, W, 4] and mission u16[N], see `LevelTask.observe`.

    Returns:
        i32[N], codes of `families.Family.code`; and the options.
    """
    scene = scene_of(obs["cells"])
    boards = compute_once(boards_of(family, missions, scene, obs["mission"]))
    ways = ways_of(family, scene, boards)
    beside = {
        thing.name: any_cell(around(boards[thing.name]) & scene.here)
        for thing in family.things
        if t.BESIDE in thing.values
    }
    code = _code(family, scene, boards, ways, beside)
    doing = [_act(option, ways, beside, scene) for option in family.options]
    actions, over = zip(*doing, strict=True)
    return code, Options(jnp.stack(actions), jnp.stack(over))


def rows_of(family: Family, missions: tuple[str, ...], obs: dict[str, Array]) -> tuple[Array, Options]:
    """As `perceive`, with rows i32[N] of the family's tables for codes; -1 for a state not listed."""
    code, options = perceive(family, missions, obs)
    row = np.full(family.n_codes, -1, np.int32)
    row[list(family.codes)] = np.arange(len(family.codes))
    return jnp.asarray(row)[code], options


def carry_out(view: Options, option: Array, no_op: int) -> tuple[Array, Array]:
    """What options do; see `tasks.protocol.Teachable.act`.

    Args:
        view: of N observations.
        option: i32[K, N], numbers of options, -1 for none.
        no_op: the action of no option.

    Returns:
        Actions i32[K, N], and whether they have ended bool[K, N].
    """
    action, over = jnp.full(option.shape, no_op, jnp.int32), jnp.ones(option.shape, bool)
    for number in range(view.action.shape[0]):
        action = jnp.where(option == number, view.action[number][None], action)
        over = jnp.where(option == number, view.over[number][None], over)
    return action, over


def ways_of(family: Family, scene: Scene, boards: dict[str, Array]) -> dict[str, Way]:
    """The ways to each thing, by its name, and of options without one by their verb."""
    passable = scene.of_kind(k.EMPTY, k.FLOOR, k.GOAL) | scene.opened
    unseen, empty = scene.of_kind(0), scene.of_kind(k.EMPTY)
    entered = scene.closed if family.opens_doors else jnp.zeros_like(scene.closed)
    wanted = {**boards, EXPLORE.kind: unseen | entered}
    toggled = {EXPLORE.kind: entered}  # where walking there ends with something else than the cell itself
    if LOOK_BACK in family.options:
        west = west_of(scene.here)[None]
        wanted |= {EXPLORE.kind: (unseen | entered) & ~west, LOOK_BACK.kind: unseen & west}
        toggled[LOOK_BACK.kind] = entered & west
    if t.PLACE in boards:
        wanted["put near"] = next_to(boards[t.PLACE]) & empty
    aside = _aside(passable | scene.here, unseen, empty, scene.closed | scene.locked)
    wanted |= {DROP.kind: aside, "anywhere": empty}
    steps = compute_once(
        first_steps(compute_once(passable), scene.here, scene.direction, compute_once(tuple(wanted.values())))
    )
    ahead = compute_once(ahead_of(scene.here, scene.direction))
    ways = {
        name: Way(step, any_cell(ahead & toggled.get(name, cells)))
        for (name, cells), step in zip(wanted.items(), steps, strict=True)
    }
    # Where no place is out of the way, anywhere will do but where the way leads on.
    anywhere, drop = ways.pop("anywhere"), ways[DROP.kind]
    spare = drop.step == NOWHERE
    elsewhere = _elsewhere(anywhere.step, [ways[thing].step for thing in family.names])
    ways[DROP.kind] = Way(
        jnp.where(spare, elsewhere, drop.step), jnp.where(spare, anywhere.facing, drop.facing)
    )
    return ways


def _code(
    family: Family,
    scene: Scene,
    boards: dict[str, Array],
    ways: dict[str, Way],
    beside: dict[str, Array],
) -> Array:
    """The state as one number, i32[N]; see `families.Family.code`."""
    digits = []
    for thing in family.things:
        seen, near = any_cell(boards[thing.name]), ways[thing.name].step != NOWHERE
        holds = {t.SEEN: seen, t.FAR: seen, t.NEAR: near, t.BESIDE: beside.get(thing.name, near)}
        digit = jnp.zeros(seen.shape, jnp.int32)
        for value, known in enumerate(thing.values[1:], 1):
            digit = jnp.where(holds[known], value, digit)
        digits.append(digit)
    held = jnp.where(scene.held_kind == k.EMPTY, 0, len(family.hands) - 1)
    if t.KEY in family.hands:
        held = jnp.where(scene.holds_key, family.hands.index(t.KEY), held)
    code = jnp.zeros_like(held)
    for digit, size in zip((*digits, held, ways[EXPLORE.kind].step != NOWHERE), family.sizes, strict=True):
        code = code * size + digit
    return code


def _aside(passable: Array, unseen: Array, empty: Array, shut: Array) -> Array:
    """Empty cells where a thing would lie in nobody's way: before no shut door, and no link between others.

    A cell links two of its neighbours if no walk through the cells around it does. What was not seen may be
    walked on, but is no way around.

    Args:
        passable: uint[H, N], cells that can be walked on, the agent's own among them.
        unseen: uint[H, N].
        empty: uint[H, N].
        shut: uint[H, N], closed and locked doors.
    """
    north, east, south, west = (1, 0), (0, -1), (-1, 0), (0, 1)  # how these neighbours come to a cell's place
    sides = [shifted(passable | unseen, *move) for move in (north, east, south, west)]
    corners = [shifted(passable, *move) for move in ((1, -1), (-1, -1), (-1, 1), (1, 1))]
    # Neighbours that no walk joins to the next one clockwise: as many as the parts that the cell links.
    last = [sides[i] & ~(corners[i] & sides[(i + 1) % 4]) for i in range(4)]
    several = (last[0] | last[1]) & (last[2] | last[3]) | (last[0] & last[1]) | (last[2] & last[3])
    return empty & ~around(shut) & ~several


def _elsewhere(beside: Array, to: list[Array]) -> Array:
    """A step to an empty cell beside the agent that is not the first step to a thing."""
    taken = functools.reduce(jnp.logical_or, [step == beside for step in to], jnp.zeros(beside.shape, bool))
    return jnp.where(taken, NOWHERE, beside)


def _act(option: Option, ways: dict[str, Way], beside: dict[str, Array], scene: Scene) -> tuple[Array, Array]:
    """What one option does, i32[N], and whether it has ended or cannot begin, bool[N]."""
    nothing = scene.held_kind == k.EMPTY
    if option == FINISH:
        return jnp.full(nothing.shape, k.DONE, jnp.int32), jnp.zeros(nothing.shape, bool)
    thing = option.object
    way = ways["put near" if option.kind == "put near" else thing or option.kind]
    lost = way.step == NOWHERE
    match option.kind:
        case "explore" | "look back":
            there, over = k.TOGGLE, lost
        case "drop" | "put near":
            there, over = k.DROP, lost | nothing
        case "pick up":
            there, over = k.PICKUP, lost | ~nothing
        case "open":
            there, over = k.TOGGLE, (lost | ~scene.holds_key) if thing == t.LOCKED else lost
        case _:  # a goal is walked onto
            arrived = way.facing if thing != t.GOAL else jnp.zeros_like(lost)
            there, over = k.FORWARD, lost | arrived | beside.get(thing or "", arrived)
    return _walk(way, there), over


def _walk(way: Way, there: int) -> Array:
    """The action that leads on: a turn, a step forward, or what is done on arrival."""
    turn = jnp.where(way.step == LEFT_HAND, k.LEFT, k.RIGHT)
    return jnp.where(way.step == AHEAD, jnp.where(way.facing, there, k.FORWARD), turn).astype(jnp.int32)
