"""Recorded episodes replayed in this engine, and everything compared with the recording."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.engine import advance, see
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels import level_of
from jaxteach.worlds.minigrid.state import State
from jaxteach.worlds.minigrid.traces import Trace
from jaxteach.worlds.minigrid.view import image_of, visible_of

COMPARED = (
    "grid",
    "inside",
    "pose",
    "carrying",
    "image",
    "visible",
    "mission",
    "reward",
    "terminated",
    "truncated",
)
# Rewards are f32 here, f64 in the recording.
REWARD_TOLERANCE = 1e-6


def conform(trace: Trace, where: str = "trace") -> dict[str, Any]:
    """Replay a file's episodes from their first states and missions, and count what differs.

    The moves of balls that move by themselves are taken from the recording.

    Args:
        trace: the recording.
        where: the file's name, for messages.

    Returns:
        id, steps, episodes, and mismatches: for each compared thing the number of states (of steps,
        for what a step gives; of episodes, for missions) in which it differs.

    Raises:
        UserError: the level is not here, or the recording's grid or balls are not the level's.
    """
    level = level_of(trace.id)
    size = trace["grid"].shape[1:3]
    if size != (level.width, level.height):
        raise UserError(
            f"{where}: grid of {size[0]}x{size[1]}, but {trace.id} is {level.width}x{level.height}"
        )
    n_balls = trace["obstacles"].shape[1] if "obstacles" in trace.arrays else 0
    if n_balls != level.n_balls:
        raise UserError(f"{where}: {n_balls} obstacles, but {trace.id} has {level.n_balls}")
    missions = [str(text) for text in trace["mission"]]
    known = [text in level.missions for text in missions]
    numbers = [level.missions.index(text) if text in level.missions else 0 for text in missions]
    try:
        ours = replay(level, trace, numbers)
    except LookupError as error:
        raise UserError(f"{where}: an episode's first grid is not one of {trace.id}: {error}") from error
    mismatches = compare(trace, ours)
    mismatches["mission"] = len(known) - sum(known)
    counts = {name: mismatches[name] for name in COMPARED}
    return {"id": trace.id, "steps": len(trace["action"]), "episodes": trace.n_episodes, "mismatches": counts}


def first_states(level: Level, trace: Trace, missions: list[int]) -> State:
    """The states that episodes begin in, read off their first rows.

    Args:
        level: what was played.
        trace: the recording.
        missions: each episode's mission, an index into the level's.

    Returns:
        E states, the clock at 0.
    """
    rows = trace.first_state
    # Recorded cells are [x, y], ours [row, column].
    cells = k.codes_of(trace["grid"][rows], trace["inside"][rows]).transpose(0, 2, 1)
    found = [level.locate(grid, mission) for grid, mission in zip(cells, missions, strict=True)]
    located = {
        name: jnp.asarray(np.array([fields[name] for fields in found]), jnp.uint8) for name in found[0]
    }
    position, carried = trace["agent_pos"][rows], trace["carrying"][rows].astype(np.uint16)
    held = carried[:, 0] | carried[:, 1] << 4 | carried[:, 2] << 8 | carried[:, 3] << 12
    if level.n_balls:
        balls = trace["obstacles"][rows].astype(np.uint8)
        located |= {"ball_rows": jnp.asarray(balls[..., 1]), "ball_columns": jnp.asarray(balls[..., 0])}
    return State(
        grid=jnp.asarray(cells.reshape(len(rows), -1), level.code),
        row=jnp.asarray(position[:, 1], jnp.uint8),
        column=jnp.asarray(position[:, 0], jnp.uint8),
        direction=jnp.asarray(trace["agent_dir"][rows], jnp.uint8),
        carried=jnp.asarray(held, level.code),
        clock=jnp.zeros(len(rows), jnp.uint16),
        mission=jnp.asarray(missions, jnp.uint16),
        **located,
    )


@functools.partial(jax.jit, static_argnames="level")
def _play(
    level: Level, state: State, actions: Array, max_steps: Array, balls: tuple[Array, Array] | None
) -> dict[str, Array]:
    """Play actions u8[T, E]; every array of the result is [T, E, ...], states as before each action."""

    def step(state: State, given: tuple[Array, Any]) -> tuple[State, dict[str, Array]]:
        action, ball_cells = given
        view = see(level, state)
        now = {
            "cells": state.grid,
            "row": state.row,
            "column": state.column,
            "direction": state.direction,
            "carried": state.carried,
            "image": image_of(view),
            "visible": visible_of(view),
        }
        state, outcome = advance(level, state, action, max_steps=max_steps, ball_cells=ball_cells)
        now |= {"reward": outcome.reward, "terminated": outcome.terminated, "truncated": outcome.truncated}
        return state, now

    return jax.lax.scan(step, state, (actions, balls))[1]


def replay(level: Level, trace: Trace, missions: list[int]) -> dict[str, np.ndarray]:
    """Play a recording's actions from its first states.

    Args:
        level: what was played.
        trace: the recording.
        missions: each episode's mission, an index into the level's.

    Returns:
        Arrays as the recording's (grid, inside, agent_pos, agent_dir, carrying, image, visible by state;
        reward, terminated, truncated by step), worked out here.
    """
    steps = trace["steps"].astype(np.int64)
    n, longest = trace.n_episodes, int(steps.max()) + 1
    state_of_step = np.minimum(np.arange(longest)[:, None], steps[None])  # [T, E]
    rows = trace.first_state[None] + state_of_step
    last_step = trace.first_step + steps - 1
    played = np.minimum(trace.first_step[None] + np.arange(longest)[:, None], last_step[None])
    balls = None
    if level.n_balls:
        after = trace["obstacles"][np.minimum(rows + 1, trace.first_state + steps)].astype(np.uint8)
        balls = (jnp.asarray(after[..., 1]), jnp.asarray(after[..., 0]))
    actions = jnp.asarray(trace["action"][played], jnp.uint8)
    max_steps = jnp.asarray(trace["max_steps"], jnp.int32)
    out = _play(level, first_states(level, trace, missions), actions, max_steps, balls)
    out = {name: np.asarray(values) for name, values in out.items()}

    episode = np.repeat(np.arange(n), steps + 1)
    number = np.concatenate([np.arange(count + 1) for count in steps])
    by_state = {name: values[number, episode] for name, values in out.items()}
    moves = number < steps[episode]
    cells = by_state["cells"].reshape(-1, level.height, level.width).transpose(0, 2, 1)
    carried = by_state["carried"].astype(np.uint16)
    parts = (carried & 15, carried >> 4 & 7, carried >> 8 & 15, carried >> 12 & 7)
    return {
        "grid": np.stack(k.channels(cells), axis=-1),
        "inside": _contents(cells),
        "agent_pos": np.stack([by_state["column"], by_state["row"]], axis=-1),
        "agent_dir": by_state["direction"],
        "carrying": np.stack(parts, axis=-1),
        "image": by_state["image"],
        "visible": by_state["visible"],
        **{name: by_state[name][moves] for name in ("reward", "terminated", "truncated")},
    }


def _contents(cells: np.ndarray) -> np.ndarray:
    """Kind and colour of what boxes hold, u16[..., 2], from codes."""
    held = cells.astype(np.uint16) >> 8
    return np.stack([held & 15, held >> 4 & 7], axis=-1)


def compare(trace: Trace, ours: dict[str, np.ndarray]) -> dict[str, int]:
    """Count the states, or steps, in which the replay differs from the recording."""

    def differing(name: str) -> np.ndarray:
        different = trace[name] != ours[name]
        return different.reshape(len(different), -1).any(axis=1)

    counts = {name: int(differing(name).sum()) for name in ("grid", "inside", "carrying", "image", "visible")}
    counts["pose"] = int((differing("agent_pos") | differing("agent_dir")).sum())
    counts["reward"] = int((np.abs(trace["reward"] - ours["reward"]) > REWARD_TOLERANCE).sum())
    counts |= {name: int(differing(name).sum()) for name in ("terminated", "truncated")}
    return counts
