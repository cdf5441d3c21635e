"""What can lie in a level, so that students read no input for what cannot."""

import dataclasses

from jaxteach.worlds.minigrid.kinds import COLOURS

ROOM = ("empty", "wall")
DOOR = ("open door", "closed door")
LOCKED = (*DOOR, "locked door")
THINGS = ("key", "ball", "box")
STILL = (*ROOM, "floor", "goal", "lava")


@dataclasses.dataclass(frozen=True)
class Palette:
    """What a student tells apart in a level.

    Attributes:
        kinds: kinds of cell, doors by their state, in the order of the inputs.
        colours: of doors, keys, balls and boxes, in that order; none where one colour is all there is.
    """

    kinds: tuple[str, ...]
    colours: tuple[str, ...] = ()


ALL = Palette((*ROOM, "floor", *LOCKED, *THINGS, "goal", "lava"), COLOURS)
"""For a level of which nothing is known."""
