"""TwoDoor's facts."""

from typing import Any, ClassVar

from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary
from jaxteach.worlds.minigrid.paper.facts.base import Facts


class TwoDoorFacts(Facts):
    """One kind of key, two doors."""

    name = "two_door"
    facts = (
        "The agent is in a large closed room. A key lies on the floor. There are two locked doors in the "
        "walls, and the key opens either. The agent sees only what is near and in front of it, so it may "
        "have to look around before it has found them. Its goal is to open one of the doors, whichever."
    )
    defaults: ClassVar[dict[str, Any]] = {
        "height": 20,
        "width": 20,
        "max_steps": 150,
        "room_min": 20,
        "room_max": 20,
    }
    env_steps = 983_040
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "small_rooms": {"room_min": 10, "room_max": 12},
        "medium_rooms": {"room_min": 13, "room_max": 16},
        "with_lava": {"n_lava": 1},
    }

    @property
    def vocabulary(self) -> Vocabulary:
        """One kind of key; doors are numbered among those seen."""
        return Vocabulary(("key",), ("door1", "door2"), keys_in_class=self.n_keys)

    def check(self) -> None:
        """The middle 2x2 cells must hold the keys."""
        super().check()
        self.require(self.n_keys <= 4, f"{self.n_keys} keys, at most 4 fit in the middle of the room")
        self.require(self.room_min >= 6, f"room side {self.room_min}, at least 6 has a middle")
