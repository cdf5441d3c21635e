"""A task behind navix's interface: for navix's agents and `navix.make`. Its rules are its own, and fixed."""

import abc
import dataclasses
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from navix.environments.environment import Environment, StepType, Timestep
from navix.rendering.cache import RenderingCache
from navix.states import State

from jaxteach.tasks.protocol import Task
from jaxteach.utils.errors import UserError

FIXED = ("reward_fn", "termination_fn", "transitions_fn", "action_set", "penalty_coeff")
"""Fields of a navix environment that stand for its rules: those of a task are MiniGrid's, and fixed."""
SPACES = ("observation_space", "action_space", "reward_space")
"""Fields that hold arrays."""


class FixedRules(Environment):
    """A task behind navix's interface.

    Attributes:
        task: the task.
    """

    task: Task = struct.field(pytree_node=False, default=None)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Without eq=False each subclass would get field-wise equality, which fails on the spaces' arrays.
        super().__init_subclass__(eq=False, **kwargs)

    def __post_init__(self) -> None:
        # Here, for `replace` as well. The task never calls these functions: others would be passed over, and
        # an agent would learn what its user did not ask for.
        for field in dataclasses.fields(self):
            if field.name in FIXED and getattr(self, field.name) is not field.default:
                refuse(self.task.name, field.name)

    def _identity(self) -> tuple[Any, ...]:
        # The spaces follow from the rest, or from the observation function.
        values = [getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in SPACES]
        return (type(self), *values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FixedRules) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    @abc.abstractmethod
    def as_state(self, game: Any, key: Array, before: State | None) -> State:
        """A completed state of the task as navix's; its `game` is the task's own again.

        Args:
            game: the task's.
            key: navix's.
            before: the episode's state before; None at its beginning.
        """

    def timestep(self, game: Any, key: Array) -> Timestep:
        """The first timestep of an episode that begins in a completed state."""
        state = self.as_state(game, key, None)
        false = jnp.zeros((), bool)
        return Timestep(
            t=jnp.zeros((), jnp.int32),
            observation=self.observation_fn(state),
            action=jnp.zeros((), jnp.int32),
            reward=jnp.zeros((), jnp.float32),
            step_type=jnp.zeros((), jnp.int32),
            state=state,
            info={"return": jnp.zeros(()), "terminated": false, "truncated": false, "success": false},
        )

    def _reset(self, key: Array, cache: RenderingCache | None = None) -> Timestep:
        # An old cache is of another layout: walls would be drawn where they were last episode.
        del cache
        game = self.task.reset(jax.random.bits(key, (self.task.n_draws,)))
        return self.timestep(self.task.update_seen(game), key)

    def step(self, timestep: Timestep, action: Array) -> Timestep:
        """navix's step; mapped over many environments, layouts are drawn only where an episode has ended."""
        moved = self._step(timestep, action)
        if self.disable_autoreset:
            return moved
        ended = timestep.step_type > 0
        # As `Environment.reset` splits its key.
        now, later = jax.random.split(timestep.state.key)
        game = self.task.renew(jax.random.bits(now, (self.task.n_draws,)), timestep.state.game, ended)
        begun = self.timestep(self.task.update_seen(game), later)
        return jax.tree.map(lambda new, old: jnp.where(ended, new, old), begun, moved)

    def _step(self, timestep: Timestep, action: Array) -> Timestep:
        action = jnp.asarray(action, jnp.int32)
        before = timestep.state
        game, outcome = self.task.step(before.game, action)
        after = self.as_state(self.task.update_seen(game), before.key, before)
        # step_type holds one flag; the pair is in `info`.
        ended = jnp.where(outcome.truncated, StepType.TRUNCATION, StepType.TRANSITION)
        return Timestep(
            t=timestep.t + 1,
            observation=self.observation_fn(after),
            action=action,
            reward=outcome.reward,
            step_type=jnp.where(outcome.terminated, StepType.TERMINATION, ended),
            state=after,
            info={
                "return": timestep.info["return"] + outcome.reward,
                "terminated": outcome.terminated,
                "truncated": outcome.truncated,
                "success": outcome.success,
            },
        )


def check_parameters(name: str, given: dict[str, Any]) -> None:
    """Refuse parameters of `navix.make` that cannot be changed.

    Args:
        name: the task's.
        given: the parameters.

    Raises:
        UserError: naming the first of them; or a space without its function.
    """
    for parameter in given:
        if parameter in {*FIXED, "action_space", "reward_space"}:
            refuse(name, parameter)
    if given.get("observation_space") is not None and given.get("observation_fn") is None:
        raise UserError(f"observation_space of {name} goes with an observation_fn: give both")


def refuse(name: str, parameter: str) -> NoReturn:
    """Raise a UserError for a parameter that cannot be changed."""
    raise UserError(
        f"{parameter} of {name} cannot be changed, its rules are MiniGrid's: change rewards, endings "
        "or moves in your own environment around it"
    )
