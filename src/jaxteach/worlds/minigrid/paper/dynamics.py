"""MiniGrid's rules as one fused transition: no switch, no gather, only comparisons."""

import jax.numpy as jnp
from jax import Array

from jaxteach.tasks.protocol import Outcome
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.state import (
    EMPTY_HANDED,
    OFF_GRID,
    GridState,
    compute_once,
    heading,
    is_at,
    on_wall,
)


def step(state: GridState, action: Array, max_steps: int) -> tuple[GridState, Outcome]:
    """Apply one action; what the agent sees is updated apart, by `visibility.update_seen`.

    Args:
        state: the state before.
        action: i32[], one of the seven.
        max_steps: environment steps an episode may last.

    Returns:
        The state after and its outcome. Reward is 1 - 0.9 t / max_steps where this step opened a
        door, else 0 (reference behaviour: shared semantics of the four tasks).
    """
    keys, doors = state.keys, state.doors
    step_row, step_column = heading(state.direction)
    row, column = state.position[0] + step_row, state.position[1] + step_column  # the cell ahead
    key_ahead = is_at(keys.position, row, column)  # [K]
    door_ahead = is_at(doors.position, row, column)  # [D]
    lava_ahead = jnp.any(is_at(state.lava, row, column))
    doorway = jnp.any(door_ahead & (doors.open == 1))
    blocked = (on_wall(state.room, row, column) & ~doorway) | jnp.any(key_ahead)

    held = jnp.arange(keys.colour.shape[0]) == state.pocket  # [K]
    fits = jnp.any(held[:, None] & (keys.colour[:, None] == doors.colour[None, :]), axis=0)  # [D]
    moves = (action == c.FORWARD) & ~blocked
    picks = (action == c.PICKUP) & (state.pocket == EMPTY_HANDED) & key_ahead  # [K]
    drops = (action == c.DROP) & held & ~blocked & ~lava_ahead & ~doorway  # [K]
    opens = (action == c.TOGGLE) & door_ahead & fits & (doors.open == 0)  # [D]
    burns = moves & lava_ahead
    moves, picks, drops, opens, burns, row, column = compute_once(
        (moves, picks, drops, opens, burns, row, column)
    )

    ahead = jnp.stack([row, column])
    turn = (action == c.RIGHT).astype(jnp.int32) - (action == c.LEFT).astype(jnp.int32)
    key_positions = jnp.where(picks[:, None], jnp.asarray(OFF_GRID)[None], keys.position)
    key_positions = jnp.where(drops[:, None], ahead[None], key_positions)
    picked = jnp.sum(jnp.where(picks, jnp.arange(keys.colour.shape[0]), 0))
    pocket = jnp.where(jnp.any(picks), picked, jnp.where(jnp.any(drops), EMPTY_HANDED, state.pocket))
    clock = state.clock + 1
    opened = jnp.any(opens)
    outcome = Outcome(
        reward=jnp.where(opened, 1.0 - 0.9 * clock.astype(jnp.float32) / max_steps, 0.0),
        terminated=opened | burns,
        truncated=clock >= max_steps,
        success=opened,
    )
    after = state.replace(
        position=jnp.where(moves, ahead, state.position),
        direction=(state.direction + turn) & 3,
        pocket=pocket,
        keys=keys.replace(position=key_positions),
        doors=doors.replace(open=jnp.where(opens, 1, doors.open)),
        clock=clock,
    )
    return after, outcome
