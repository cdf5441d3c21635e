"""ColoredDoorKey: two keys, of which only one has the door's colour."""

import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.facts.colored_door_key import KEY_COLOURS, ColoredDoorKeyFacts
from jaxteach.worlds.minigrid.paper.layout import Draws, Layout, door_in_wall, draw_room, free_cell
from jaxteach.worlds.minigrid.paper.task import Task


class ColoredDoorKey(ColoredDoorKeyFacts, Task):
    """A blue door, a blue key and a red key; one item can be carried at a time."""

    def layout(self, draws: Draws) -> Layout:
        """Room, door, agent, then the keys and lava; no key lies right before the door."""
        room = draw_room(draws, self.room_min, self.room_max)
        door, before_door = door_in_wall(draws, room, draws.below(4))
        agent = free_cell(draws, room, [])
        things: list[Array] = []
        for _ in range(self.n_keys + self.n_lava):
            things.append(free_cell(draws, room, [agent, before_door, *things]))
        return Layout(
            room=room,
            agent=agent,
            direction=draws.below(4),
            keys=tuple(things[: self.n_keys]),
            key_colours=tuple(jnp.asarray(k, jnp.int32) for k in KEY_COLOURS[: self.n_keys]),
            doors=(door,),
            door_colours=(jnp.asarray(c.BLUE, jnp.int32),),
            lava=tuple(things[self.n_keys :]),
        )
