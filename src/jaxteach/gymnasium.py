"""Students in Farama's MiniGrid: `SeenMap(env)` shows what they read, `play` plays episodes of one."""

from jaxteach.worlds.minigrid.farama import SeenMap, play

__all__ = ["SeenMap", "play"]
