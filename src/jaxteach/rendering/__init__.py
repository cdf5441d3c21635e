"""Episodes as moving pictures: played step by step, drawn, written as GIF."""

from jaxteach.rendering.episode import Episode, Moment, play_episode
from jaxteach.rendering.frame import draw_frame
from jaxteach.rendering.gif import write_gif

__all__ = ["Episode", "Moment", "draw_frame", "play_episode", "write_gif"]
