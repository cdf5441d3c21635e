"""TwoDoor: a large room with two locked doors on opposite walls; either one will do."""

import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid.paper.facts.two_door import TwoDoorFacts
from jaxteach.worlds.minigrid.paper.layout import Draws, Layout, door_in_wall, draw_room, free_cell, point
from jaxteach.worlds.minigrid.paper.task import Task


class TwoDoor(TwoDoorFacts, Task):
    """A 20x20 room, the key in its middle 2x2 cells, doors on two opposite walls ("DivergedDoorKey")."""

    def layout(self, draws: Draws) -> Layout:
        """Room, doors in two opposite walls, keys in the middle, then lava and the agent."""
        room = draw_room(draws, self.room_min, self.room_max)
        colour = draws.below(6)
        sideways = draws.below(2) == 1
        # Caption order is by column, then row: west before east always, north before south by column.
        near, before_near = door_in_wall(draws, room, jnp.where(sideways, 2, 3))
        far, before_far = door_in_wall(draws, room, jnp.where(sideways, 0, 1))
        swap = far[1] < near[1]
        doors = (jnp.where(swap, far, near), jnp.where(swap, near, far))
        corner = room // 2 - 1
        middle = point(4, 4)  # a 2x2 interior: free_cell draws within it
        keys: list[Array] = []
        for _ in range(self.n_keys):
            cell = free_cell(draws, middle, [key - corner + 1 for key in keys])
            keys.append(cell + corner - 1)
        lava: list[Array] = []
        for _ in range(self.n_lava):
            lava.append(free_cell(draws, room, [before_near, before_far, *keys, *lava]))
        return Layout(
            room=room,
            agent=free_cell(draws, room, [*keys, *lava]),
            direction=draws.below(4),
            keys=tuple(keys),
            key_colours=(colour,) * self.n_keys,
            doors=doors,
            door_colours=(colour, colour),
            lava=tuple(lava),
        )
