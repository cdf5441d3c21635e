"""SimpleDoorKey: one room, a key, and the locked door it opens."""

from typing import Any, ClassVar

from jax import Array

from jaxteach.tasks.engine.captions import Vocabulary
from jaxteach.tasks.engine.layout import Draws, Layout, door_in_wall, draw_room, free_cell
from jaxteach.tasks.engine.task import Task


class SimpleDoorKey(Task):
    """A room with sides 5..10, a locked door of random colour in a random wall, and its key."""

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

    def layout(self, draws: Draws) -> Layout:
        """Room, door, agent, then keys and lava on the cells still free."""
        room = draw_room(draws, self.room_min, self.room_max)
        colour = draws.below(6)
        door, before_door = door_in_wall(draws, room, draws.below(4))
        agent = free_cell(draws, room, [])
        keys: list[Array] = []
        for _ in range(self.n_keys):
            keys.append(free_cell(draws, room, [agent, *keys]))
        lava: list[Array] = []
        for _ in range(self.n_lava):
            # Lava right before the door would make the task impossible.
            lava.append(free_cell(draws, room, [agent, before_door, *keys, *lava]))
        return Layout(
            room=room,
            agent=agent,
            direction=draws.below(4),
            keys=tuple(keys),
            key_colours=(colour,) * self.n_keys,
            doors=(door,),
            door_colours=(colour,),
            lava=tuple(lava),
        )
