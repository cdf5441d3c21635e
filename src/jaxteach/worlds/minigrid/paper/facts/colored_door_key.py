"""ColoredDoorKey's facts."""

from typing import Any, ClassVar

from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary
from jaxteach.worlds.minigrid.paper.facts.base import Facts

# The first opens the door; the others only look like it.
KEY_COLOURS = (c.BLUE, c.RED, c.GREEN)


class ColoredDoorKeyFacts(Facts):
    """A key of each of the first colours, and a blue door."""

    name = "colored_door_key"
    facts = (
        "The agent is in a closed room. Keys of different colours lie on the floor, and in one of the walls "
        "is a locked door that only the key of the door's own colour opens. The agent can carry one item at "
        "a time: to pick up another it must first drop what it holds. It sees only what is near and in front "
        "of it, so it may have to look around. Its goal is to open the door."
    )
    defaults: ClassVar[dict[str, Any]] = {
        "height": 10,
        "width": 10,
        "max_steps": 150,
        "room_min": 5,
        "room_max": 10,
        "n_keys": 2,
    }
    env_steps = 491_520
    variants: ClassVar[dict[str, dict[str, Any]]] = {
        "small_rooms": {"room_min": 5, "room_max": 7},
        "large_rooms": {"room_min": 8, "room_max": 10},
        "with_lava": {"n_lava": 1},
        "one_key": {"n_keys": 1},
        "three_keys": {"n_keys": 3},
    }

    @property
    def vocabulary(self) -> Vocabulary:
        """A class for each key's colour; captions rename colours in order of mention."""
        names = tuple(f"{c.COLOUR_NAMES[colour]} key" for colour in KEY_COLOURS[: self.n_keys])
        return Vocabulary(names, (f"{c.COLOUR_NAMES[c.BLUE]} door",), recoloured=True)

    @property
    def key_classes(self) -> tuple[int, ...]:
        """Each key has its own class."""
        return tuple(range(self.n_keys))

    @property
    def key_class_colours(self) -> tuple[int | None, ...]:
        """Keys are told apart by colour."""
        return KEY_COLOURS[: self.n_keys]

    def check(self) -> None:
        """At most as many keys as there are colours for them."""
        super().check()
        self.require(self.n_keys <= len(KEY_COLOURS), f"{self.n_keys} keys, at most {len(KEY_COLOURS)}")
