"""Layouts read off recorded grids: for replays and differential tests."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from jaxteach.errors import UserError
from jaxteach.tasks.engine import constants as c
from jaxteach.tasks.engine.layout import Layout, point

if TYPE_CHECKING:
    from jaxteach.tasks.engine.task import Task


def read_grid(task: "Task", grid: np.ndarray, position: tuple[int, int], direction: int) -> Layout:
    """Read a layout off a MiniGrid grid.

    Args:
        task: whose layout it should be.
        grid: u8[H, W, 3] (row, column): object, colour and state; the agent is not drawn.
        position: the agent's (row, column).
        direction: the agent's direction.

    Returns:
        The layout, keys in the order of `task.key_classes`, doors in caption order.

    Raises:
        UserError: if the grid is not a layout of this task.
    """
    if grid.shape != (task.height, task.width, 3):
        raise UserError(f"{task.name}: grid {grid.shape} is not {(task.height, task.width, 3)}")
    solid = np.isin(grid[..., 0], (c.WALL, c.DOOR))
    rows, columns = (int(np.flatnonzero(solid.any(axis)).max(initial=-1)) + 1 for axis in (1, 0))
    expected = np.zeros_like(solid)
    expected[:rows, :columns] = True
    expected[1 : rows - 1, 1 : columns - 1] = False
    if min(rows, columns) < 3 or not np.array_equal(solid, expected):
        raise UserError(f"{task.name}: the grid's walls are not one room with its corner at (0, 0)")

    def cells(kind: int) -> list[tuple[int, int]]:
        found = np.argwhere(grid[..., 0] == kind)
        return sorted(((int(r), int(q)) for r, q in found), key=lambda cell: (cell[1], cell[0]))

    keys, doors, lava = cells(c.KEY), cells(c.DOOR), cells(c.LAVA)
    if len(keys) != task.n_keys or len(doors) != len(task.vocabulary.doors) or len(lava) != task.n_lava:
        raise UserError(
            f"{task.name}: the grid has {len(keys)} keys, {len(doors)} doors, {len(lava)} lava cells; "
            f"expected {task.n_keys}, {len(task.vocabulary.doors)}, {task.n_lava}"
        )
    colours = [int(grid[cell][1]) for cell in keys]
    ordered: list[int] = []
    for wanted in task.key_classes:
        colour = task.key_class_colours[wanted]
        fits = [k for k in range(len(keys)) if k not in ordered and colour in (None, colours[k])]
        if not fits:
            raise UserError(f"{task.name}: no {task.vocabulary.key_classes[wanted]} in the grid")
        ordered.append(fits[0])
    return Layout(
        room=point(rows, columns),
        agent=point(*position),
        direction=jnp.asarray(direction, jnp.int32),
        keys=tuple(point(*keys[k]) for k in ordered),
        key_colours=tuple(jnp.asarray(colours[k], jnp.int32) for k in ordered),
        doors=tuple(point(*cell) for cell in doors),
        door_colours=tuple(jnp.asarray(int(grid[cell][1]), jnp.int32) for cell in doors),
        lava=tuple(point(*cell) for cell in lava),
    )
