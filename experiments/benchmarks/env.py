"""Environments alone: random actions, resets, every byte of what is observed consumed."""

import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.timing import Variant, compiled
from jaxteach.student.networks import make_student
from jaxteach.tasks import make_task
from jaxteach.training.starts import fresh_starts, select

ENVS = PartitionSpec("env")


class Batch(Protocol):
    """Environments stepped side by side.

    Attributes:
        n_actions: how many actions there are to choose among.
    """

    n_actions: int

    def reset(self, key: Array, n: int) -> Any:
        """The state of n environments."""

    def step(self, key: Array, state: Any, action: Array) -> tuple[Any, Array]:
        """One step of all: the state after, and uint8[n, ...], all that is to be consumed."""


class Ours:
    """A task of this library, stepped as in training: state first, one look, one random word a reset.

    Args:
        name: the task's.
        student: consume the features that this student reads; None for the documented uint8[H, W, 4].
    """

    def __init__(self, name: str, student: str | None = None) -> None:
        self.task = make_task(name)
        self.n_actions = len(self.task.action_names)
        self.student = None if student is None else make_student(student, 64, self.task)

    def reset(self, key: Array, n: int) -> Any:
        """As `training.state.init_seed` does; beside the state the sum of all rewards."""
        return jax.vmap(self.task.update_seen)(fresh_starts(self.task, key, n)), jnp.zeros((n,))

    def step(self, key: Array, state: Any, action: Array) -> tuple[Any, Array]:
        """As `training.rollout` does. The reward is summed up, or XLA would leave it out."""
        env, total = state
        moved, outcome = jax.vmap(self.task.step)(env, action)
        following = select(outcome.done, fresh_starts(self.task, key, action.shape[0]), moved)
        following = jax.vmap(self.task.update_seen)(following)
        seen = jax.vmap(self.task.observe)(following)
        if self.student is not None:
            seen = self.student.features(jax.lax.optimization_barrier(seen))
        return (following, total + outcome.reward), seen


def stepping(batch: Batch, n_steps: int, key: Array, state: Any, total: Array) -> tuple[Any, Array]:
    """Step environments at random.

    Args:
        batch: the environments.
        n_steps: how many times (static).
        key: a PRNG key.
        state: their state, [env, ...].
        total: u32[env], of all steps so far, each the sum of the bytes observed, modulo 256.

    Returns:
        The state and the sums after.
    """
    action_key, reset_key = jax.random.split(key)

    def step(carry: tuple[Any, Array], t: Array) -> tuple[tuple[Any, Array], None]:
        state, total = carry
        words = jax.random.bits(jax.random.fold_in(action_key, t), total.shape)
        action = (words % batch.n_actions).astype(jnp.int32)
        state, seen = batch.step(jax.random.fold_in(reset_key, t), state, action)
        # Over the axes as they are: XLA computes flattened ones cell by cell, at half the speed for some. As
        # bytes: adding them up as words took half of a step of the smallest levels.
        read = jnp.sum(seen, axis=tuple(range(1, seen.ndim)), dtype=jnp.uint8)
        return (state, total + read), None

    return jax.lax.scan(step, (state, total), jnp.arange(n_steps))[0]


def random_play(batch: Batch, n_envs: int, n_steps: int, devices: int) -> Variant:
    """A batch of environments as something to be timed, split over devices.

    Args:
        batch: the environments.
        n_envs: how many, a multiple of `devices`.
        n_steps: environment steps each takes in a call.
        devices: over how many devices they are split.

    Returns:
        A call continues where the one before ended, so that the clocks do not all run out at once.
    """
    mesh = Mesh(np.asarray(jax.local_devices()[:devices]), ("env",))
    by_env = NamedSharding(mesh, ENVS)

    def run(key: Array, state: Any, total: Array) -> tuple[Any, Array]:
        own = jax.random.fold_in(key, jax.lax.axis_index("env"))
        return stepping(batch, n_steps, own, state, total)

    sharded = jax.shard_map(
        run, mesh=mesh, in_specs=(PartitionSpec(), ENVS, ENVS), out_specs=ENVS, check_vma=False
    )
    state = jax.jit(functools.partial(batch.reset, n=n_envs))(jax.random.key(0))
    carry = [jax.device_put(x, by_env) for x in (state, jnp.zeros((n_envs,), jnp.uint32))]
    keys = jax.device_put(jax.random.key(1), NamedSharding(mesh, PartitionSpec()))
    program, seconds = compiled(jax.jit(sharded, donate_argnums=(1, 2)), keys, *carry)

    def call() -> None:
        carry[:] = jax.block_until_ready(program(keys, *jax.device_put(carry, by_env)))

    return Variant(call, float(n_envs * n_steps), seconds, devices)
