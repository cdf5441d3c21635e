"""LavaDoorKey's facts: in words SimpleDoorKey's."""

from typing import Any, ClassVar

from jaxteach.worlds.minigrid.paper.facts.simple_door_key import SimpleDoorKeyFacts


class LavaDoorKeyFacts(SimpleDoorKeyFacts):
    """One key, one door, and lava that no caption mentions."""

    name = "lava_door_key"
    defaults: ClassVar[dict[str, Any]] = {**SimpleDoorKeyFacts.defaults, "n_lava": 1}
    env_steps = 327_680
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "small_rooms": {"room_min": 5, "room_max": 7},
        "large_rooms": {"room_min": 8, "room_max": 10},
        "no_lava": {"n_lava": 0},
        "more_lava": {"n_lava": 2},
    }
