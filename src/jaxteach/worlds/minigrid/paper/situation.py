"""What a door/key room can show: the objects seen and the object held."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SeenAndHeld:
    """What the teacher knows: the objects seen, in caption order, and the object held.

    Attributes:
        sees: object names, keys first, then doors, each by column then row.
        holds: the name of the object held, or None.

    >>> SeenAndHeld(("key", "door"), None).text
    'Agent sees <key>, <door>, holds <nothing>.'
    """

    sees: tuple[str, ...]
    holds: str | None

    @property
    def text(self) -> str:
        """The caption, worded as the reference words it."""
        seen = ", ".join(f"<{name}>" for name in self.sees) or "<nothing>"
        return f"Agent sees {seen}, holds <{self.holds or 'nothing'}>."

    @property
    def fields(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {"sees": list(self.sees), "holds": self.holds}


@dataclass(frozen=True)
class Situation:
    """One combination of what can be seen and held, by entity class, before any renaming.

    Attributes:
        keys: key classes seen lying on the map, in caption order.
        doors: how many doors are seen.
        held: the key class in hand, or None.
    """

    keys: tuple[int, ...]
    doors: int
    held: int | None
