"""What can lie in a level, so that students read no input for what cannot."""

import dataclasses

from jaxteach.worlds.minigrid.kinds import COLOURS
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels import (
    doors,
    dynamic_obstacles,
    errands,
    key_corridor,
    memory,
    multi_room,
    obstructed_maze,
    playground,
    static,
    unlock,
)

_ROOM = ("empty", "wall")
_DOOR = ("open door", "closed door")
_LOCKED = (*_DOOR, "locked door")
_THINGS = ("key", "ball", "box")


@dataclasses.dataclass(frozen=True)
class Palette:
    """What a student tells apart in a level.

    Attributes:
        kinds: kinds of cell, doors by their state, in the order of the inputs.
        colours: of doors, keys, balls and boxes, in that order; none where one colour is all there is.
    """

    kinds: tuple[str, ...]
    colours: tuple[str, ...] = ()


ALL = Palette((*_ROOM, "floor", *_LOCKED, *_THINGS, "goal", "lava"), COLOURS)
"""For a level of which nothing is known."""

_GOAL = Palette((*_ROOM, "goal"))
_LAVA = Palette((*_ROOM, "goal", "lava"))
_BY_CLASS: dict[type[Level], Palette] = {
    static.Empty: _GOAL,
    static.DistShift: _LAVA,
    static.LavaGap: _LAVA,
    static.Crossing: _LAVA,
    static.FourRooms: _GOAL,
    doors.DoorKey: Palette((*_ROOM, *_LOCKED, "key", "goal")),
    doors.LockedRoom: Palette((*_ROOM, *_LOCKED, "key", "goal"), COLOURS),
    doors.RedBlueDoors: Palette((*_ROOM, *_DOOR), ("red", "blue")),
    unlock.Unlock: Palette((*_ROOM, *_LOCKED, "key"), COLOURS),
    unlock.UnlockPickup: Palette((*_ROOM, *_LOCKED, *_THINGS), COLOURS),
    key_corridor.KeyCorridor: Palette((*_ROOM, *_LOCKED, "key", "ball"), COLOURS),
    multi_room.MultiRoom: Palette((*_ROOM, *_DOOR, "goal"), COLOURS),
    obstructed_maze.ObstructedMaze: Palette((*_ROOM, *_LOCKED, *_THINGS), COLOURS),
    memory.Memory: Palette((*_ROOM, "key", "ball")),
    dynamic_obstacles.DynamicObstacles: Palette((*_ROOM, "ball", "goal")),
    errands.Fetch: Palette((*_ROOM, "key", "ball"), COLOURS),
    errands.GoToDoor: Palette((*_ROOM, *_DOOR), COLOURS),
    errands.GoToObject: Palette((*_ROOM, *_THINGS), COLOURS),
    errands.PutNear: Palette((*_ROOM, *_THINGS), COLOURS),
    playground.Playground: Palette((*_ROOM, *_DOOR, *_THINGS), COLOURS),
}


def palette_of(level: Level) -> Palette:
    """What a level can have; all there is for a level that no family here has."""
    palette = _BY_CLASS.get(type(level), ALL)
    absent = set()
    if isinstance(level, static.Crossing):
        absent = set() if level.lava else {"lava"}
    elif isinstance(level, unlock.UnlockPickup):
        absent = set() if level.blocked else {"ball"}
    elif isinstance(level, obstructed_maze.ObstructedMaze):
        absent = set() if level.boxed else {"box"}
    return dataclasses.replace(palette, kinds=tuple(kind for kind in palette.kinds if kind not in absent))
