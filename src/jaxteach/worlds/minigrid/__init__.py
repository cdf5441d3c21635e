"""Farama's MiniGrid in JAX, exact to the step: `make(id)`."""

from jaxteach.worlds.minigrid.environment import Environment, Observation, make
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels import LEVELS, level_of
from jaxteach.worlds.minigrid.state import Outcome, State

__all__ = ["LEVELS", "Environment", "Level", "Observation", "Outcome", "State", "level_of", "make"]
