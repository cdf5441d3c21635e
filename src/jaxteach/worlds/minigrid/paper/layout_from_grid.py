"""Layouts read off recorded grids: for replays and differential tests."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.layout import Layout

if TYPE_CHECKING:
    from jaxteach.worlds.minigrid.paper.facts.base import Facts


def layout_from_grid(task: "Facts", grid: np.ndarray, position: tuple[int, int], direction: int) -> Layout:
    """Read a layout off a MiniGrid grid, in NumPy alone: the layouts of a thousand episodes take no time.

    Args:
        task: whose layout it should be.
        grid: u8[H, W, 3] (row, column): object, colour and state; the agent is not drawn.
        position: the agent's (row, column).
        direction: the agent's direction.

    Returns:
        The layout, keys in the order of `task.key_classes`, doors in caption order; its leaves are
        NumPy arrays.

    Raises:
        UserError: if the grid is not a layout of this task.
    """

    def require(holds: bool | np.bool_, otherwise: str) -> None:
        if not holds:
            raise UserError(f"{task.name}: {otherwise}")

    require(
        grid.shape == (task.height, task.width, 3), f"grid {grid.shape} is not {task.height, task.width, 3}"
    )
    kind = grid[..., 0]
    strange = kind[~np.isin(kind, (c.EMPTY, c.WALL, c.DOOR, c.KEY, c.LAVA))]
    require(not strange.size, f"the grid holds objects of kind {strange[:1]}, which the task does not have")
    solid = np.isin(kind, (c.WALL, c.DOOR))
    rows, columns = (int(np.flatnonzero(solid.any(axis)).max(initial=-1)) + 1 for axis in (1, 0))
    inside = np.zeros_like(solid)
    inside[1 : rows - 1, 1 : columns - 1] = True
    room = np.zeros_like(solid)
    room[:rows, :columns] = True
    is_room = min(rows, columns) >= 3 and np.array_equal(solid, room & ~inside)
    require(is_room, "the grid's walls are not one room with its corner at (0, 0)")
    corners = kind[[0, 0, rows - 1, rows - 1], [0, columns - 1, 0, columns - 1]]
    require((corners == c.WALL).all(), "a door stands in a corner of the room")
    require((grid[kind == c.DOOR][:, 2] == c.LOCKED).all(), "a door is not locked when the episode starts")
    things = np.isin(kind, (c.KEY, c.LAVA))
    require(not (things & ~inside).any(), "a key or lava lies outside the room")
    row, column = position
    on_grid = 0 <= row < task.height and 0 <= column < task.width
    stands = on_grid and inside[row, column] and not things[row, column]
    require(stands, f"the agent's cell (row {row}, column {column}) is not a free cell of the room")
    require(0 <= direction < 4, f"the agent's direction is {direction}, not 0..3")

    def cells(wanted: int) -> list[tuple[int, int]]:
        found = np.argwhere(kind == wanted)
        return sorted(((int(r), int(q)) for r, q in found), key=lambda cell: (cell[1], cell[0]))

    keys, doors, lava = cells(c.KEY), cells(c.DOOR), cells(c.LAVA)
    found, expected = (
        (len(keys), len(doors), len(lava)),
        (task.n_keys, len(task.vocabulary.doors), task.n_lava),
    )
    counts = ", ".join(f"{n} {what}" for n, what in zip(found, ("keys", "doors", "lava cells"), strict=True))
    require(found == expected, f"the grid has {counts}; expected {', '.join(map(str, expected))}")
    colours = [int(grid[cell][1]) for cell in keys]
    ordered: list[int] = []
    for wanted in task.key_classes:
        colour = task.key_class_colours[wanted]
        fits = [k for k in range(len(keys)) if k not in ordered and colour in (None, colours[k])]
        require(bool(fits), f"no {task.vocabulary.key_classes[wanted]} in the grid")
        ordered.append(fits[0])

    def leaf(value: Any) -> Any:
        return np.asarray(value, np.int32)

    return Layout(
        room=leaf((rows, columns)),
        agent=leaf(position),
        direction=leaf(direction),
        keys=tuple(leaf(keys[k]) for k in ordered),
        key_colours=tuple(leaf(colours[k]) for k in ordered),
        doors=tuple(leaf(cell) for cell in doors),
        door_colours=tuple(leaf(grid[cell][1]) for cell in doors),
        lava=tuple(leaf(cell) for cell in lava),
    )
