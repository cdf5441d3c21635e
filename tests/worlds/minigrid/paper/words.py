"""The words of the four tasks, written down here once more: tests hold them against what the tasks say."""

from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary

SIMPLE = Vocabulary(("key",), ("door",))
COLORED = Vocabulary(("blue key", "red key"), ("blue door",), recoloured=True)
TWO_DOOR = Vocabulary(("key",), ("door1", "door2"))
VOCABULARIES = (SIMPLE, COLORED, TWO_DOOR)
