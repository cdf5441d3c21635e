"""TwoDoor: a large room with two locked doors on opposite walls; either one will do."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jax import Array

from jaxteach.tasks.engine.captions import Vocabulary
from jaxteach.tasks.engine.layout import Draws, Layout, door_in_wall, draw_room, free_cell, point
from jaxteach.tasks.engine.task import Task


class TwoDoor(Task):
    """A 20x20 room, the key in its middle 2x2 cells, doors on two opposite walls ("DivergedDoorKey")."""

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
