"""A small environment of gymnax's interface with dense rewards, as a plugin; and its rules in NumPy."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxteach.worlds.gymnax import GymnaxTask

SIZE, MAX_STEPS = 12, 20
ACTIONS = ("step left", "stay", "step right")
STATES = (
    "The target is far to the left.",
    "The target is near on the left.",
    "The target is near on the right.",
    "The target is far to the right.",
)
PLANS = ("step left", "step left, stay", "step right, stay", "step right")
"""A good plan for each state; the second options never count, for the first has an action."""


class State(NamedTuple):
    """Positions on a line, the way the target drifts, and which episode it is: i32[] each, the last u32[]."""

    agent: jax.Array
    target: jax.Array
    drift: jax.Array
    clock: jax.Array
    episode: jax.Array


class Params(NamedTuple):
    """Parameters, as environments of this interface have them."""

    cost: float = 0.125


class Chase:
    """The agent follows a target that moves every third step and turns at the ends.

    Args:
        record: `(episode, clock, agent, target, drift, action)`, called at every step taken.
    """

    default_params = Params()

    def __init__(self, record: Callable[..., None] | None = None) -> None:
        self._record = record

    def reset(self, key: jax.Array, params: Params | None = None) -> tuple[jax.Array, State]:
        """Agent and target on different cells."""
        keys = jax.random.split(key, 4)
        agent = jax.random.randint(keys[0], (), 0, SIZE)
        target = (agent + jax.random.randint(keys[1], (), 1, SIZE)) % SIZE
        drift = jax.random.choice(keys[2], jnp.array([-1, 1]))
        state = State(agent, target, drift, jnp.int32(0), jax.random.bits(keys[3]))
        return self._observe(state), state

    def step(
        self, key: jax.Array, state: State, action: jax.Array, params: Params | None = None
    ) -> tuple[jax.Array, State, jax.Array, jax.Array, dict[str, Any]]:
        """Closer is better, moving costs; it ends where the agent stands on the target."""
        assert params is not None
        if self._record is not None:
            jax.debug.callback(self._record, state.episode, state.clock, *state[:3], action)
        agent = jnp.clip(state.agent + action - 1, 0, SIZE - 1)
        drift = jnp.where(
            (state.target + state.drift) % SIZE == state.target + state.drift, state.drift, -state.drift
        )
        clock = state.clock + 1
        target = jnp.where(clock % 3 == 0, state.target + drift, state.target)
        gap = jnp.abs(agent - target)
        reward = 1.0 / (1.0 + gap) - params.cost * (action != 1)
        state = State(agent, target, drift, clock, state.episode)
        caught = gap == 0
        return self._observe(state), state, reward, caught | (clock >= MAX_STEPS), {"success": caught}

    @staticmethod
    def _observe(state: State) -> jax.Array:
        return jnp.stack([state.target - state.agent, state.drift, state.agent]) / SIZE


def observe(agent: int, target: int, drift: int) -> np.ndarray:
    """The observation, in NumPy."""
    return (np.array([target - agent, drift, agent]) / SIZE).astype(np.float32)


def replay(start: tuple[int, int, int], choose: Callable[[int, np.ndarray], int]) -> tuple[float, int, bool]:
    """An episode by the same rules in NumPy.

    Args:
        start: agent, target, drift.
        choose: `(clock, observation) -> action`.

    Returns:
        The sum of its rewards, its length, whether the target was caught.
    """
    agent, target, drift = start
    earned = 0.0
    for clock in range(1, MAX_STEPS + 1):
        action = choose(clock - 1, observe(agent, target, drift))
        agent = min(max(agent + action - 1, 0), SIZE - 1)
        if not 0 <= target + drift < SIZE:
            drift = -drift
        if clock % 3 == 0:
            target += drift
        gap = abs(agent - target)
        earned += 1.0 / (1.0 + gap) - 0.125 * (action != 1)
        if gap == 0:
            return earned, clock, True
    return earned, MAX_STEPS, False


def abstract(obs: jax.Array) -> jax.Array:
    """The row of the state that an observation is in."""
    gap = obs[0] * SIZE
    return jnp.where(gap < -3, 0, jnp.where(gap < 0, 1, jnp.where(gap <= 3, 2, 3)))


def make_task(**changes: Any) -> GymnaxTask:
    """The environment as a task that can be taught."""
    settings = {
        "action_names": ACTIONS,
        "states": STATES,
        "abstract": abstract,
        "facts": "An agent on a line of cells follows a target that drifts.",
        "no_op": 1,
        "pool_size": 0,
        "env_steps": 4096,
    }
    env = changes.pop("env", Chase())
    return GymnaxTask("chase", env, 3, MAX_STEPS, **{**settings, **changes})


task = make_task()
