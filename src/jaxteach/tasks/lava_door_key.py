"""LavaDoorKey: SimpleDoorKey with lava the teacher is told nothing of."""

from typing import Any, ClassVar

from jaxteach.tasks.simple_door_key import SimpleDoorKey


class LavaDoorKey(SimpleDoorKey):
    """As SimpleDoorKey, plus one lava cell; stepping into it ends the episode with nothing.

    Captions, facts and plans are SimpleDoorKey's: the student has to learn of lava from reward.
    """

    name = "lava_door_key"
    defaults: ClassVar[dict[str, Any]] = {**SimpleDoorKey.defaults, "n_lava": 1}
    env_steps = 327_680
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "small_rooms": {"room_min": 5, "room_max": 7},
        "large_rooms": {"room_min": 8, "room_max": 10},
        "no_lava": {"n_lava": 0},
        "more_lava": {"n_lava": 2},
    }
