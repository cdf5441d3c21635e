"""SimpleDoorKey: one room, a key, and the locked door it opens."""

from jax import Array

from jaxteach.worlds.minigrid.paper.facts.simple_door_key import SimpleDoorKeyFacts
from jaxteach.worlds.minigrid.paper.layout import Draws, Layout, door_in_wall, draw_room, free_cell
from jaxteach.worlds.minigrid.paper.task import Task


class SimpleDoorKey(SimpleDoorKeyFacts, Task):
    """A room with sides 5..10, a locked door of random colour in a random wall, and its key."""

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
