"""The state of a batch of MiniGrid environments."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.worlds.minigrid.kinds import EAST


class State(struct.PyTreeNode):
    """N environments of one level, the batch first; a level's generator makes one, without the axis N.

    Code means u8, or u16 in levels whose boxes hold things. What a level does not need is None.

    Attributes:
        grid: code[N, H * W], every cell without the agent, row by row.
        row: u8[N], the agent's row.
        column: u8[N].
        direction: u8[N], 0 east, 1 south, 2 west, 3 north.
        carried: code[N], what the agent holds, 0 for nothing.
        clock: u16[N], environment steps taken in this episode.
        mission: u16[N], an index into the level's missions.
        layout: u8[N], which of the level's layouts the grid is, in levels with a list of them.
        target: u8[N], the looks of what the mission wants taken.
        place_row: u8[N], row of the cell that the mission is about: where a thing to go to first lay,
            where the memory hall ends in success, where the red door stands.
        place_column: u8[N].
        ball_rows: u8[N, B], where the moving balls are, in the order in which they move.
        ball_columns: u8[N, B].
        seen: u32[N, H + 2 (V - 1)], the seen-map with V - 1 rows more above and below, a bit a column;
            None unless the environment keeps one.
    """

    grid: Array
    row: Array
    column: Array
    direction: Array
    carried: Array
    clock: Array
    mission: Array
    layout: Array | None = None
    target: Array | None = None
    place_row: Array | None = None
    place_column: Array | None = None
    ball_rows: Array | None = None
    ball_columns: Array | None = None
    seen: Array | None = None


def compute_once[Tree](tree: Tree) -> Tree:
    """Values that XLA must compute before anything that reads them.

    Without this barrier XLA on CPU fuses shared logic into every one of its readers and computes it
    again there, at worst once a cell of the view.
    """
    return jax.lax.optimization_barrier(tree)


def start(
    grid: Array, row: Array | int, column: Array | int, direction: Array | int = EAST, **more: Any
) -> State:
    """The state an episode begins in: empty hands, the clock at 0.

    Args:
        grid: code[H, W].
        row: i32[] or int, the agent's.
        column: i32[] or int.
        direction: i32[] or int.
        **more: other fields of the state: mission, layout, target, place_row, ...

    Returns:
        One environment's state, the axis N missing.
    """
    small = {name: jnp.asarray(value).astype(jnp.uint8) for name, value in more.items() if name != "mission"}
    return State(
        grid=grid.reshape(-1),
        row=jnp.asarray(row).astype(jnp.uint8),
        column=jnp.asarray(column).astype(jnp.uint8),
        direction=jnp.asarray(direction).astype(jnp.uint8),
        carried=jnp.zeros((), grid.dtype),
        clock=jnp.zeros((), jnp.uint16),
        mission=jnp.asarray(more.get("mission", 0)).astype(jnp.uint16),
        **small,
    )


def ahead_of(direction: Array) -> tuple[Array, Array]:
    """One step's offset in rows and in columns, each of direction's type (255 stands for -1 in u8)."""
    number = direction.dtype.type
    south, north = (direction == 1).astype(number), (direction == 3).astype(number)
    east, west = (direction == 0).astype(number), (direction == 2).astype(number)
    return south - north, east - west
