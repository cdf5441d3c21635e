"""MiniGrid levels as environments: plain functions of one environment, to be mapped over many."""

import dataclasses

import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.tasks.protocol import Outcome
from jaxteach.worlds.minigrid import engine
from jaxteach.worlds.minigrid.batch import merged
from jaxteach.worlds.minigrid.draws import words_of
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels import level_of
from jaxteach.worlds.minigrid.state import State
from jaxteach.worlds.minigrid.view import image_of, map_of


class Observation(struct.PyTreeNode):
    """What Farama's environment shows.

    Attributes:
        image: u8[7, 7, 3], indexed [x, y], the agent at [3, 6]: kind, colour, state.
        direction: u8[], 0 east, 1 south, 2 west, 3 north.
        mission: u16[], an index into the environment's missions.
    """

    image: Array
    direction: Array
    mission: Array


@dataclasses.dataclass(frozen=True)
class Environment:
    """One of Farama's environments, exact to the step; methods are of one environment, made for `jax.vmap`.

    Attributes:
        id: Farama's id.
        level: the level.
        autoreset: whether `step` begins a new episode where one ends; its outcome still tells the end.
        remember: whether states carry a map of what has been seen.
    """

    id: str
    level: Level
    autoreset: bool = False
    remember: bool = False

    @property
    def n_actions(self) -> int:
        """How many actions there are."""
        return self.level.n_actions

    @property
    def max_steps(self) -> int:
        """Environment steps an episode may last."""
        return self.level.max_steps

    def mission_text(self, mission: int | Array) -> str:
        """The words of a mission."""
        return self.level.missions[int(mission)]

    def reset(self, key: Array) -> State:
        """A new episode's first state.

        Args:
            key: a PRNG key; every episode follows from its own.
        """

        def batch(words: Array) -> State:
            return self._look(engine.fresh(self.level, words, self.remember))

        state: State = merged(batch)(words_of(key))
        return state

    def step(self, key: Array, state: State, action: Array) -> tuple[State, Outcome]:
        """One environment step.

        Args:
            key: a PRNG key; read where balls move, and for the new episode under `autoreset`.
            state: the state before.
            action: i32[], one of Farama's seven.

        Returns:
            The state after (under `autoreset`, the next episode's first where one ended) and what the
            step gave.
        """

        def batch(words: Array, state: State, action: Array) -> tuple[State, Outcome]:
            state, outcome = engine.advance(self.level, state, action, words)
            if self.autoreset:
                # Other words than those the balls moved by.
                state = engine.renew(self.level, state, outcome.done, words ^ jnp.uint32(0x5BD1E995))
            return self._look(state), outcome

        result: tuple[State, Outcome] = merged(batch)(words_of(key), state, jnp.asarray(action))
        return result

    def renew(self, key: Array, state: State, done: Array) -> State:
        """A new episode's first state if the last has ended (done bool[]), the given state if not.

        Mapped over many environments, levels are generated only for those that ended.
        """

        def batch(words: Array, state: State, done: Array) -> State:
            return self._look(engine.renew(self.level, state, done, words))

        renewed: State = merged(batch)(words_of(key), state, jnp.asarray(done))
        return renewed

    def observe(self, state: State) -> Observation:
        """What the agent sees, as Farama shows it."""
        image = merged(lambda state: image_of(engine.see(self.level, state)))(state)
        return Observation(image=image, direction=state.direction, mission=state.mission)

    def known(self, state: State) -> Array:
        """Everything seen so far in this episode, as it is now.

        Returns:
            u8[H, W, 4], indexed [row, column]: kind, colour and state, (0, 0, 0) where nothing was seen; what
            is held, else empty, in the agent's cell; the agent's direction there, 4 elsewhere.
        """
        assert self.remember, "the environment was made without `remember`"
        cells: Array = merged(lambda state: map_of(state, self.level.height, self.level.width))(state)
        return cells

    def _look(self, state: State) -> State:
        """The states with what is visible added to their maps, if they keep one."""
        return engine.remembered(self.level, state, engine.see(self.level, state)) if self.remember else state


def make(name: str, *, autoreset: bool = False, remember: bool = False) -> Environment:
    """One of Farama's environments by its id.

    Args:
        name: such as "MiniGrid-DoorKey-8x8-v0".
        autoreset: whether `step` begins a new episode where one ends.
        remember: whether states carry a map of what has been seen.

    Raises:
        UserError: the id is unknown, or of a family that is not here.
    """
    return Environment(name, level_of(name), autoreset, remember)
