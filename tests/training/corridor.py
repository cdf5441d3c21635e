"""A small world of another kind, for what training does with options of any task: quickly compiled."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import pytest
from flax import struct

from jaxteach.tasks import registry
from jaxteach.tasks.language import NamedState, Option, plain_language
from jaxteach.tasks.protocol import Defaults, Outcome
from jaxteach.worlds.vectors import Vector


class Place(struct.PyTreeNode):
    """Where the agent is, and environment steps taken: i32[] each."""

    place: jax.Array
    clock: jax.Array


class Corridor(Defaults):
    """Places 0..9 in a row: an episode ends at 9 with success, and begins in one of the others.

    `go to <mark>` walks to place 3 and `flee` to the far end at 9; `rest` and `jump` take one step, and who
    stands at 0 cannot jump. A place beyond the end has no abstract state.
    """

    name = "corridor"
    action_names = ("west", "east", "rest", "jump")
    max_steps = 20
    n_draws = 1
    no_op = 2
    facts = "A corridor."
    env_steps = 512
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    states: ClassVar = (NamedState("At the wall."), NamedState("In the corridor."))
    options: ClassVar = (Option("rest"), Option("go to", "mark"), Option("jump"), Option("flee"))
    language = plain_language(states, options)
    option_groups = ((1,), (3,))

    def make(self):
        """Itself: it has no parameters."""
        return self

    def reset(self, words):
        """A place that is not the end."""
        return Place((words[0] % 9).astype(jnp.int32), jnp.int32(0))

    def step(self, state, action):
        """A jump is two places, unless from the wall."""
        move = jnp.array([-1, 1, 0, 2])[action]
        move = jnp.where((action == 3) & (state.place == 0), 0, move)
        after = Place(jnp.clip(state.place + move, 0, 9), state.clock + 1)
        ended = after.place == 9
        reward = jnp.where(ended, 1 - 0.9 * after.clock / self.max_steps, 0).astype(jnp.float32)
        return after, Outcome(reward, ended, ~ended & (after.clock >= self.max_steps), ended)

    def observe(self, state):
        """The place."""
        return state.place

    def features(self, kind):
        """The place, as a vector of one number."""
        return Vector(())

    def perceive(self, obs, memory):
        """The place is all there is."""
        return jnp.where(obs > 9, -1, jnp.where(obs == 0, 0, 1)), obs

    def act(self, view, group, option):
        """Towards the group's place."""
        to = (3, 9)[group]
        action = jnp.where(view < to, 1, jnp.where(view > to, 0, self.no_op))
        return jnp.broadcast_to(action, option.shape), jnp.broadcast_to(view == to, option.shape)

    def fixed_action(self, state, option):
        """None for what `act` decides."""
        if option.kind == "jump":
            return self.no_op if state == 0 else 3
        return {"rest": 2}.get(option.kind)


CORRIDOR = Corridor()


@pytest.fixture(scope="module")
def corridor():
    """The task, known by its name while the tests of a file run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._tasks._registered, CORRIDOR.name, CORRIDOR)
        yield CORRIDOR
