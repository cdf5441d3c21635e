"""SimpleDoorKey's facts."""

from typing import Any, ClassVar

from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary
from jaxteach.worlds.minigrid.paper.facts.base import Facts


class SimpleDoorKeyFacts(Facts):
    """One key, one door."""

    name = "simple_door_key"
    facts = (
        "The agent is in a closed room. Somewhere on the floor lies a key, and in one of the walls is a "
        "locked door that only this key opens. The agent sees only what is near and in front of it, so it "
        "may have to look around before it has found them. Its goal is to open the door."
    )
    defaults: ClassVar[dict[str, Any]] = {
        "height": 10,
        "width": 10,
        "max_steps": 150,
        "room_min": 5,
        "room_max": 10,
    }
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "small_rooms": {"room_min": 5, "room_max": 7},
        "large_rooms": {"room_min": 8, "room_max": 10},
        "with_lava": {"n_lava": 1},
        "extra_key": {"n_keys": 2},
    }

    @property
    def vocabulary(self) -> Vocabulary:
        """One kind of key, one door."""
        return Vocabulary(("key",), ("door",), keys_in_class=self.n_keys)
