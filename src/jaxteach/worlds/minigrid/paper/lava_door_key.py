"""LavaDoorKey: SimpleDoorKey with lava that captions do not mention."""

from jaxteach.worlds.minigrid.paper.facts.lava_door_key import LavaDoorKeyFacts
from jaxteach.worlds.minigrid.paper.simple_door_key import SimpleDoorKey


class LavaDoorKey(LavaDoorKeyFacts, SimpleDoorKey):
    """As SimpleDoorKey, plus one lava cell; stepping into it ends the episode with nothing.

    Captions, facts and plans are SimpleDoorKey's: the student has to learn of lava from reward.
    """
