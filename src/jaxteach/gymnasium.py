"""Gymnasium: every task as an environment, one or many at a time; and students in Farama's own MiniGrid.

Importing this tells `gymnasium.make` and `gymnasium.make_vec` of `jaxteach/<task>`, such as
`jaxteach/lava_door_key`.
"""

from jaxteach.worlds.gymnasium_envs import TaskEnv, TaskVectorEnv, register
from jaxteach.worlds.minigrid.farama import SeenMap, play

__all__ = ["SeenMap", "TaskEnv", "TaskVectorEnv", "play"]

register()
