"""Episodes of a student beside its teacher: as it acts by itself, and made to follow or to depart.

An episode is known by a number, from which its layout and all its random draws follow. Two plays of one
episode are the same up to the first step at which one of them is made to act otherwise, so that the
difference of their outcomes is that of the acts.
"""

import functools
from dataclasses import dataclass
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from flax import struct
from jax import Array

from jaxteach.student.networks import Student
from jaxteach.tasks.protocol import State, Teachable
from jaxteach.teacher.corruption import AnyTeacher, mean_policy
from jaxteach.training.streams import by_step, evaluation_key
from jaxteach.utils.numerics import as_fixed

LANES = 128
"""Episodes played side by side: one shape for all, compiled once."""
BLOCK = 32
"""Environment steps between two looks whether all episodes have ended."""
NOWHERE = -2
"""An abstract state that no observation has: whoever is to act otherwise there acts as ever."""
AUDIT = 0x417544
"""Set apart from the seeds and numbers of other evaluations."""

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Steps:
    """Episodes of one student, step by step; steps beyond an episode's end are not live.

    Attributes:
        live: bool[step, episode].
        state: i32[step, episode], the abstract state before the step, -1 where it is not listed.
        teacher: f32[step, episode, action], q(a|s).
        student: f32[step, episode, action], its log-probabilities.
        success: bool[episode].
        reward: f32[episode], returns.
    """

    live: npt.NDArray[np.bool_]
    state: npt.NDArray[np.int32]
    teacher: FloatArray
    student: FloatArray
    success: npt.NDArray[np.bool_]
    reward: FloatArray


class _Carry(struct.PyTreeNode):
    env: State
    hidden: Array  # f32[lane, state_size]
    live: Array  # bool[lane]
    reward: Array  # f32[lane]
    success: Array  # bool[lane]


@as_fixed
def play_episodes(
    task: Teachable,
    student: Student,
    teacher: AnyTeacher,
    params: Any,
    numbers: IntArray,
    where: IntArray | None = None,
    follow: npt.NDArray[np.bool_] | None = None,
) -> Steps:
    """Play episodes of one student.

    Args:
        task: the task.
        student: the network.
        teacher: its teacher, errors included.
        params: its parameters.
        numbers: int[episode], which episodes.
        where: int[episode], the abstract state in which the student is made to act otherwise; by default
            nowhere.
        follow: bool[episode], what it does there: it takes an action of the teacher's, or any but that, drawn
            from its own policy.

    Returns:
        The episodes, all of them ended.
    """
    chex.assert_rank(numbers, 1)
    n = len(numbers)
    at = np.full(n, NOWHERE) if where is None else where
    do = np.zeros(n, bool) if follow is None else follow
    parts = [
        _play(task, student, teacher, params, numbers[i : i + LANES], at[i : i + LANES], do[i : i + LANES])
        for i in range(0, n, LANES)
    ]
    length = max(len(part.live) for part in parts)

    def joined(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        if arrays[0].ndim > 1:
            arrays = [np.pad(x, [(0, length - len(x))] + [(0, 0)] * (x.ndim - 1)) for x in arrays]
            return np.concatenate(arrays, axis=1)
        return np.concatenate(arrays)

    return Steps(*(joined(name) for name in Steps.__dataclass_fields__))


def _play(
    task: Teachable,
    student: Student,
    teacher: AnyTeacher,
    params: Any,
    numbers: IntArray,
    where: IntArray,
    follow: npt.NDArray[np.bool_],
) -> Steps:
    """`play_episodes` for at most `LANES` of them."""
    n = len(numbers)
    lanes = np.resize(numbers, LANES).astype(np.uint32)  # filled up by repeating
    places, acts = (np.resize(x, LANES) for x in (where.astype(np.int32), follow))
    carry = _begin(task, student, lanes)
    blocks: list[Any] = []
    while bool(np.any(carry.live)):
        start = np.int32(BLOCK * len(blocks))
        carry, rows = _block(task, student, teacher, params, carry, lanes, places, acts, start)
        blocks.append(jax.device_get(rows))
    live, state, q, logits = (np.concatenate(parts)[:, :n] for parts in zip(*blocks, strict=True))
    return Steps(live, state, q, logits, np.asarray(carry.success)[:n], np.asarray(carry.reward)[:n])


@functools.partial(jax.jit, static_argnums=(0, 1))
def _begin(task: Teachable, student: Student, numbers: Array) -> _Carry:
    words = jax.vmap(lambda i: jax.random.bits(_layout_key(i), (task.n_draws,)))(numbers)
    env = jax.vmap(task.update_seen)(jax.vmap(task.reset)(words))
    false = jnp.zeros(numbers.shape, bool)
    return _Carry(env, student.blank(len(numbers)), ~false, jnp.zeros(numbers.shape), false)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _block(
    task: Teachable,
    student: Student,
    teacher: AnyTeacher,
    params: Any,
    carry: _Carry,
    numbers: Array,
    where: Array,
    follow: Array,
    start: Array,
) -> tuple[_Carry, tuple[Array, Array, Array, Array]]:
    """Some steps of every lane."""

    def step(carry: _Carry, t: Array) -> tuple[_Carry, tuple[Array, Array, Array, Array]]:
        # Barrier: otherwise XLA recomputes `observe` in every consumer.
        obs = jax.lax.optimization_barrier(jax.vmap(task.observe)(carry.env))
        memory = jax.vmap(task.recall)(carry.env)
        state = task.perceive(obs, memory)[0]
        q = mean_policy(teacher, task, obs, memory)
        first = jnp.full(numbers.shape, t == 0)
        logits, _, hidden = student.apply(params, student.features(obs), carry.hidden, first)
        own = jax.nn.log_softmax(logits)
        # Departing: what is left of the student's draws once those that agree with the teacher's are refused.
        otherwise = jnp.where(follow[:, None], jnp.log(q), own + jnp.log1p(-jnp.minimum(q, 1.0)))
        chosen = jnp.where((state == where)[:, None], otherwise, own)
        keys = jax.vmap(lambda i: by_step(_actions_key(i), t))(numbers)
        action = jax.vmap(jax.random.categorical)(keys, chosen).astype(jnp.int32)
        moved, outcome = jax.vmap(task.step)(carry.env, action)
        live = carry.live
        following = _Carry(
            env=jax.vmap(task.update_seen)(moved),
            hidden=hidden,
            live=live & ~outcome.done,
            reward=carry.reward + jnp.where(live, outcome.reward, 0.0),
            success=carry.success | (live & outcome.success),
        )
        return following, (live, state, q, own)

    return jax.lax.scan(step, carry, start + jnp.arange(BLOCK))


def _layout_key(number: Array) -> Array:
    return jax.random.fold_in(jax.random.fold_in(evaluation_key(AUDIT), number), 0)


def _actions_key(number: Array) -> Array:
    return jax.random.fold_in(jax.random.fold_in(evaluation_key(AUDIT), number), 1)
