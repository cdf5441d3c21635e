"""The levels by Farama's ids, one file a family."""

from jaxteach.utils.errors import UserError, nearest
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels import (
    doors,
    dynamic_obstacles,
    errands,
    key_corridor,
    memory,
    multi_room,
    obstructed_maze,
    playground,
    static,
    unlock,
)

_FAMILIES = (
    doors,
    dynamic_obstacles,
    errands,
    key_corridor,
    memory,
    multi_room,
    obstructed_maze,
    playground,
    static,
    unlock,
)
LEVELS: dict[str, Level] = dict(sorted(pair for family in _FAMILIES for pair in family.LEVELS.items()))


def level_of(name: str) -> Level:
    """The level of one of Farama's ids.

    Raises:
        UserError: the id is unknown, or of a family that is not here.
    """
    if name in LEVELS:
        return LEVELS[name]
    if name.startswith("MiniGrid-WFC"):
        raise UserError(f"{name}: WFC levels are not here: wave function collapse takes seconds a layout")
    if name.startswith("BabyAI"):
        raise UserError(f"{name}: BabyAI levels are not here: their instructions need a verifier")
    raise UserError(f"unknown level '{name}': {nearest(name, LEVELS)}")
