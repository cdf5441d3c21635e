"""The nouns of the taught families: what there is to be told of a level. No JAX."""

import dataclasses
from dataclasses import dataclass

UNKNOWN, FAR, NEAR, BESIDE, SEEN = range(5)
REACH = ("not seen", "out of reach", "in reach", "beside it", "seen")
"""What is known of a thing."""
GOAL, TARGET, KEY, LOCKED, BLOCKER, BOX = "goal", "target", "key", "locked door", "blocker", "box"
MARKED, RED, OPENED, BLUE = "marked door", "red door", "open red door", "blue door"
PLACE, OTHER, CUE, MATCH = "place", "other thing", "cue", "matching thing"
NOTHING = "nothing"
"""What hands hold that hold nothing."""


@dataclass(frozen=True)
class Thing:
    """A role that something in a level plays.

    Attributes:
        name: of the role.
        verbs: what can be done with it.
        values: what is told of it, of the indices of `REACH`, the first being `UNKNOWN`.
    """

    name: str
    verbs: tuple[str, ...] = ("go to",)
    values: tuple[int, ...] = (UNKNOWN, FAR, NEAR)

    def telling(self, *values: int) -> "Thing":
        """The same of which less, or more, is told."""
        return dataclasses.replace(self, values=(UNKNOWN, *values))

    def only(self, *verbs: str) -> "Thing":
        """The same with which other things are done."""
        return dataclasses.replace(self, verbs=verbs)


goal = Thing(GOAL)
target = Thing(TARGET, ("go to", "pick up"))
"""What the mission names first: the thing it wants held, moved or stood beside."""
key = Thing(KEY, ("go to", "pick up"))
"""A key that opens a locked door that was seen; any, before one was."""
locked = Thing(LOCKED, ("go to", "open"))
"""A locked door; with a key in hand, one that it opens."""
blocker = Thing(BLOCKER, ("go to", "pick up"))
"""A thing that lies before a door."""
box = Thing(BOX, ("go to", "open"))
"""A closed box."""
marked = Thing(MARKED, ("go to", "open"))
"""The closed door of the room where the mission says that the key lies."""
red, blue = Thing(RED, ("go to", "open")), Thing(BLUE, ("go to", "open"))
"""The doors that the mission names first and second, while they are closed."""
opened = Thing(OPENED, (), (UNKNOWN, SEEN))
"""The door that the mission names first, open."""
place = Thing(PLACE, ("go to", "put near"))
"""What the mission names second: next to it a thing is to be put."""
other = Thing(OTHER)
"""A thing that is not, or not known to be, what the mission is about."""
cue = Thing(CUE, (), (UNKNOWN, SEEN))
"""The thing at the start of a hall."""
match = Thing(MATCH)
"""The thing at the end of the hall that is of the cue's kind."""
