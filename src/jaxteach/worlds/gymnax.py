"""Any environment of gymnax's interface as a task: an object with `reset(key, params)` and `step(...)`."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.tasks.language import AbstractState, Language, NamedState, Option, plain_language
from jaxteach.tasks.protocol import Defaults, Features, Outcome
from jaxteach.utils.errors import UserError
from jaxteach.worlds.vectors import Map, Vector

Abstract = Callable[[Any], Array]
"""From one observation to the row of its abstract state, i32[]; -1 for none."""


class GymnaxState(struct.PyTreeNode):
    """One environment.

    Attributes:
        env: the environment's own state.
        obs: what it shows.
        key: u32[2], of its random numbers.
        clock: i32[], environment steps taken in this episode.
    """

    env: Any
    obs: Any
    key: Array
    clock: Array


def solved(reward: Array, done: Array, info: dict[str, Any]) -> Array:
    """Success by default: `info["success"]`, or without it a positive last reward, for sparse ones."""
    return jnp.asarray(info["success"], bool) if "success" in info else done & (reward > 0)


class GymnaxTask(Defaults):
    """An environment of gymnax's interface; a task, and what makes it.

    The environment's own `step_env` and `reset_env` are used where its class has them, for its `step` resets
    by itself. Environments of this interface count their own time limit as `done`: an episode is cut off
    where `info["truncated"]` says so, or without it where `done` falls on `max_steps`; any other
    `done` ends it.

    Args:
        name: what users write after `--task`.
        env: the environment: `reset(key[, params])` and `step(key, state, action[, params])`, giving
            (obs, state) and (obs, state, reward, done, info).
        n_actions: how many discrete actions it has.
        max_steps: environment steps an episode may last.
        params: its parameters; by default its `default_params`, if it has any.
        action_names: of its actions, in order; by default "action 0", "action 1", ...
        success: `(reward, done, info) -> bool[]`, the task's word on success; see `solved`.
        pool_size: see `Task`; 0 for a reset of a few operations.
        states: abstract states for a teacher, in words; none for a task that is not taught.
        abstract: from one observation to its state's place in `states`.
        facts: the world in a few sentences, for an LLM.
        no_op: the action of a teacher who waits.
        env_steps: how many environment steps a seed trains for by default.

    Raises:
        UserError: the environment does not keep to the interface, or states and abstract do not go together.
    """

    n_draws = 2
    variants: dict[str, dict[str, Any]] = {}  # noqa: RUF012 - a class constant of the factory protocol

    def __init__(
        self,
        name: str,
        env: Any,
        n_actions: int,
        max_steps: int,
        *,
        params: Any = None,
        action_names: Sequence[str] = (),
        success: Callable[[Array, Array, dict[str, Any]], Array] = solved,
        pool_size: int = 32,
        states: Sequence[str | AbstractState] = (),
        abstract: Abstract | None = None,
        facts: str = "",
        no_op: int = 0,
        env_steps: int = 49_152,
    ) -> None:
        self.name, self.env, self.max_steps, self.env_steps = name, env, max_steps, env_steps
        self.action_names = tuple(action_names) or tuple(f"action {i}" for i in range(n_actions))
        self.pool_size, self.facts, self.no_op = pool_size, facts, no_op
        self._params = getattr(env, "default_params", None) if params is None else params
        self._success, self._abstract = success, abstract
        options = tuple(Option(action) for action in self.action_names)
        named = tuple(NamedState(state) if isinstance(state, str) else state for state in states)
        try:
            self.language: Language = plain_language(named, options)
        except ValueError as error:
            raise UserError(f"task {name}: its action names: {error}") from error
        # A wrapper passes these two through to what it wraps, and with them by what it changes itself.
        pure = all(hasattr(type(env), method) for method in ("reset_env", "step_env"))
        self._reset = self._method("reset_env" if pure else "reset", 1)
        self._step = self._method("step_env" if pure else "step", 3)
        self._require(bool(states) == (abstract is not None), "give states and abstract together, or neither")
        self._require(
            len(self.action_names) == n_actions, f"{len(self.action_names)} names, {n_actions} actions"
        )
        self._require(0 <= no_op < n_actions, f"no_op {no_op} is no action: 0..{n_actions - 1}")

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise UserError(f"task {self.name}: {otherwise}")

    def _method(self, name: str, n_arguments: int) -> Callable[..., Any]:
        """The environment's method, given its parameters if it takes any."""
        method = getattr(self.env, name, None)
        self._require(callable(method), f"{type(self.env).__name__} has no {name}(): not gymnax's interface")
        assert method is not None
        if len(inspect.signature(method).parameters) == n_arguments:
            return method
        return lambda *given: method(*given, self._params)

    # ---- what makes it -------------------------------------------------------------------

    def make(self) -> Self:
        """The task itself: it has no parameters to change."""
        return self

    # ---- Task ----------------------------------------------------------------------------

    def reset(self, words: Array) -> GymnaxState:
        """See `Task.reset`."""
        key = jax.random.wrap_key_data(words, impl="threefry2x32")
        now, later = jax.random.split(key)
        obs, env = self._reset(now)
        return GymnaxState(env, obs, jax.random.key_data(later), jnp.zeros((), jnp.int32))

    def step(self, state: GymnaxState, action: Array) -> tuple[GymnaxState, Outcome]:
        """See `Task.step`."""
        now, later = jax.random.split(jax.random.wrap_key_data(state.key, impl="threefry2x32"))
        obs, env, reward, done, info = self._step(now, state.env, action)
        clock = state.clock + 1
        reward = jnp.asarray(reward, jnp.float32).reshape(())
        done = jnp.asarray(done, bool).reshape(())
        late = clock >= self.max_steps
        terminated = done & ~jnp.asarray(info.get("truncated", late), bool)
        outcome = Outcome(
            reward=reward,
            terminated=terminated,
            truncated=(done | late) & ~terminated,
            success=jnp.asarray(self._success(reward, done, info), bool).reshape(()),
        )
        return GymnaxState(env, obs, jax.random.key_data(later), clock), outcome

    def observe(self, state: GymnaxState) -> Any:
        """What the environment shows."""
        return state.obs

    def features(self, kind: str) -> Features:
        """The observation flattened; or as a map, if it has the axes of one."""
        seen = jax.eval_shape(self.reset, jax.ShapeDtypeStruct((self.n_draws,), jnp.uint32)).obs
        self._require(
            hasattr(seen, "shape"), "its observation is no single array: give the task its own features"
        )
        if kind == "map":
            self._require(
                len(seen.shape) == 3, f"its observations {seen.shape} are no maps: choose --student ego"
            )
            return Map(*seen.shape)
        return Vector(tuple(seen.shape))

    # ---- Teachable -----------------------------------------------------------------------

    def perceive(self, obs: Any, memory: Any) -> tuple[Array, tuple[()]]:
        """The abstract states of observations [N, ...], i32[N]; -1 for a row that the table does not have."""
        self._require(self._abstract is not None, "it has no abstract states, so no teacher: --teacher none")
        assert self._abstract is not None
        rows = jnp.asarray(jax.vmap(self._abstract)(obs), jnp.int32)
        return jnp.where((rows >= 0) & (rows < len(self.language.states)), rows, -1), ()

    def fixed_action(self, state: int, option: Option) -> int | None:
        """The action of that name; `no_op` for a wait."""
        return self.action_names.index(option.kind) if option.kind in self.action_names else self.no_op
