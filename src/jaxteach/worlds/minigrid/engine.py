"""A batch of environments of one level: reset, step, renewal of ended ones. The batch is the first axis."""

import functools
from typing import Literal

import chex
import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.tasks.protocol import Outcome
from jaxteach.worlds.minigrid import balls
from jaxteach.worlds.minigrid.draws import Draws
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.rules import play, read
from jaxteach.worlds.minigrid.state import State, ahead_of, compute_once
from jaxteach.worlds.minigrid.still import glance
from jaxteach.worlds.minigrid.view import View, grow, look, unseen

BLOCK = 32
Renewal = Literal["one", "blocks"]


def fresh(level: Level, words: Array, remember: bool = False) -> State:
    """First states of N episodes, each drawn from its own words.

    Args:
        level: what to play.
        words: u32[N, 2], random.
        remember: whether the states carry a seen-map (still empty: `remembered` adds what is visible).

    Returns:
        The states.
    """
    chex.assert_shape(words, (None, 2))
    state: State = jax.vmap(lambda w: level.generate(Draws(w)))(words)
    if remember:
        state = state.replace(seen=unseen(words.shape[0], level.height))
    return state


def advance(
    level: Level,
    state: State,
    action: Array,
    words: Array | None = None,
    *,
    max_steps: Array | int | None = None,
    ball_cells: tuple[Array, Array] | None = None,
) -> tuple[State, Outcome]:
    """One environment step; ended episodes are left as they end.

    Args:
        level: what is played.
        state: N environments.
        action: i32[N] or u8[N], as given by the player.
        words: u32[N, 2], random; read only in levels whose balls move.
        max_steps: i32[N] or int, where it is not the level's own.
        ball_cells: u8[N, B] twice, the rows and columns balls move to, in a replay; drawn if None.

    Returns:
        The states after, and what the step gave.
    """
    chex.assert_equal_shape([state.row, action])
    limit = level.max_steps if max_steps is None else max_steps
    action = level.means(action.astype(jnp.uint8))
    noticed = None
    if level.n_balls:
        step_row, step_column = ahead_of(state.direction)
        row, column = state.row + step_row, state.column + step_column
        noticed = read(state.grid, level.height, level.width, row, column)
        if ball_cells is not None:
            state = balls.put(state, *ball_cells, level.width)
        else:
            assert words is not None
            state = balls.move(state, words, level.height, level.width)
    before = state
    size = level.height, level.width
    state, happened = play(state, action, noticed, *size, level.boxes_hold, level.still)
    won, lost = compute_once(level.judge(before, happened))
    clock = state.clock.astype(jnp.float32)
    reward = jnp.where(won, 1.0 - 0.9 * clock / limit, jnp.where(lost, level.loss, 0.0))
    truncated = state.clock.astype(jnp.int32) >= limit
    return state, Outcome(reward=reward, terminated=won | lost, truncated=truncated, success=won)


def see(level: Level, state: State) -> View:
    """What each of N agents sees."""
    if level.layouts is not None:
        return glance(level, state)
    return look(state, level.height, level.width, level.see_through)


def remembered(level: Level, state: State, view: View) -> State:
    """The states with what is visible now added to their seen-maps."""
    assert state.seen is not None
    return state.replace(seen=grow(state.seen, state, view, level.width))


def renew(level: Level, state: State, done: Array, words: Array, how: Renewal | None = None) -> State:
    """Begin new episodes where the last has ended.

    A level is generated only where it is needed (but for those with a list of layouts), each from its
    environment's own words, so that no environment's level depends on another's end.

    Args:
        level: what is played.
        state: N environments.
        done: bool[N], which have ended.
        words: u32[N, 2], random.
        how: "one" after another, as suits a CPU, or in "blocks" side by side; None chooses by backend. Of
            no effect where there is a list of layouts.

    Returns:
        The states, those with `done` being new episodes' first (their seen-maps empty).
    """
    chex.assert_equal_shape([state.row, done])
    if level.layouts is not None:
        return _renew_at_once(level, state, done, words)
    how = how or ("one" if jax.default_backend() == "cpu" else "blocks")
    state, done, words = compute_once((state, done, words))
    return (_renew_one_by_one if how == "one" else _renew_in_blocks)(level, state, done, words)


def _renew_at_once(level: Level, state: State, done: Array, words: Array) -> State:
    """As `renew`: drawing a layout from a list takes less than finding out where one is needed."""
    assert level.layouts is not None
    done = compute_once(done)
    new = fresh(level, words, state.seen is not None)
    # What is always the same is left as it is.
    kept = ["carried"]
    if len(level.layouts) == 1:
        kept += ["grid", "layout"]
    if len(level.missions) == 1:
        kept += ["mission"]
    new = new.replace(**{name: getattr(state, name) for name in kept})

    def select(new: Array, old: Array) -> Array:
        return jnp.where(done.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return compute_once(jax.tree.map(select, new, state))


def _renew_one_by_one(level: Level, state: State, done: Array, words: Array) -> State:
    """As `renew`: one level after another, written in place."""
    # Which have ended, a bit each: finding them then reads a 32nd of what flags would take.
    padded = jnp.pad(done, (0, -done.shape[0] % 32)).reshape(-1, 32).astype(jnp.uint32)
    waiting = jnp.sum(padded << jnp.arange(32, dtype=jnp.uint32)[None], axis=1, dtype=jnp.uint32)

    def one(group: Array, carry: tuple[State, Array]) -> tuple[State, Array]:
        state, bits = carry
        lowest = bits & (~bits + jnp.uint32(1))
        at = group * 32 + jax.lax.population_count(lowest - jnp.uint32(1)).astype(group.dtype)
        new = fresh(level, jax.lax.dynamic_slice_in_dim(words, at, 1), state.seen is not None)

        def put(new: Array, old: Array) -> Array:
            return jax.lax.dynamic_update_slice_in_dim(old, new, at, 0)

        return jax.tree.map(put, new, state), bits ^ lowest

    def each(group: Array, state: State) -> State:
        body = functools.partial(one, group)
        return jax.lax.while_loop(lambda carry: carry[1] != 0, body, (state, waiting[group]))[0]

    return jax.lax.fori_loop(0, waiting.shape[0], each, state)


def _renew_in_blocks(level: Level, state: State, done: Array, words: Array) -> State:
    """As `renew`: levels side by side, BLOCK at a time."""
    n = done.shape[0]
    size = min(BLOCK, n)

    def body(carry: tuple[State, Array]) -> tuple[State, Array]:
        state, waiting = carry
        at = jnp.nonzero(waiting, size=size, fill_value=n)[0]
        new = fresh(level, words.at[at].get(mode="clip"), state.seen is not None)
        state = jax.tree.map(lambda new, old: old.at[at].set(new, mode="drop"), new, state)
        return state, waiting.at[at].set(False, mode="drop")

    return jax.lax.while_loop(lambda carry: jnp.any(carry[1]), body, (state, done))[0]
