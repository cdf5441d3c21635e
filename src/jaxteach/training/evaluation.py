"""Fresh episodes of a student or of the teacher, counted without favour to short ones."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jax.sharding import NamedSharding
from jax.stages import Compiled

from jaxteach.config import BY_OPTIONS
from jaxteach.student.networks import Student
from jaxteach.tasks.protocol import State, Task, Teachable
from jaxteach.teacher.corruption import AnyTeacher, mean_policy
from jaxteach.teacher.success import Success
from jaxteach.training.carries import own
from jaxteach.training.hierarchical import NO_OPTION, execute, follow
from jaxteach.training.rollout import sample
from jaxteach.training.starts import begin_anew, fresh_starts, select
from jaxteach.training.streams import (
    evaluation_key,
    first_layouts_key,
    parameters_key,
    play_keys,
    played_plans,
    pool_key,
)
from jaxteach.utils.numerics import as_fixed
from jaxteach.utils.on_host import on_host

SIDE_BY_SIDE = 128
"""Episodes run side by side; each lane plays a fixed share, so that no episode is left out for being long."""

POOL_STEPS = 16
"""Environment steps that a pool of starts serves, where a reset is dear."""

Act = Callable[[Array, State, Array, Any], tuple[Array, Any]]


class Episodes(struct.PyTreeNode):
    """Outcomes of n episodes, each field f32[] a mean over them.

    Attributes:
        success: share that solved the task.
        reward: mean return, the sum of an episode's rewards.
        length: mean length, in environment steps.
    """

    success: Array
    reward: Array
    length: Array


class _Carry(struct.PyTreeNode):
    env: State  # as the last step left it: where an episode ended, the next has not begun yet
    ended: Array  # bool[lane], there
    layouts: Array  # the key of the layouts that begin there
    memory: Any
    earned: Array  # f32[lane], rewards of the running episode
    clock: Array  # i32[lane], environment steps of the running episode
    left: Array  # i32[lane], episodes still to play
    sums: Array  # f32[3]
    t: Array


def play(task: Task, act: Act, memory: Any, key: Array, n_episodes: int) -> Episodes:
    """Play episodes from fresh layouts until each lane has played its share.

    Args:
        task: the task (static).
        act: `(key, state [lane], first bool[lane], memory) -> actions i32[lane], memory`; first where an
            episode begins.
        memory: the actor's blank memory, [lane, ...]; its first axis sets the number of lanes.
        key: a PRNG key.
        n_episodes: how many episodes in all (static).

    Returns:
        Means over the episodes.
    """
    n_lanes = jax.tree.leaves(memory)[0].shape[0]
    share = n_episodes // n_lanes + (jnp.arange(n_lanes) < n_episodes % n_lanes)

    def step(carry: _Carry, pool: State | None) -> _Carry:
        keys = play_keys(key, carry.t)
        # Begun here and not at the end of a step, so that a reset is compiled once, the first one included.
        begun = begin_anew(task, carry.layouts, carry.ended, carry.env, pool)
        env = jax.vmap(task.update_seen)(begun)
        action, memory = act(keys.actions, env, carry.clock == 0, carry.memory)
        moved, outcome = jax.vmap(task.step)(env, action)
        ended = outcome.done & (carry.left > 0)
        earned, length = carry.earned + outcome.reward, carry.clock + 1
        facts = jnp.stack([outcome.success, earned, length])  # [3, lane]
        return _Carry(
            env=moved,
            ended=outcome.done,
            layouts=keys.layouts,
            memory=memory,
            earned=jnp.where(outcome.done, 0.0, earned),
            clock=jnp.where(outcome.done, 0, length),
            left=carry.left - ended,
            sums=carry.sums + jnp.sum(jnp.where(ended[None], facts, 0.0), axis=1),
            t=carry.t + 1,
        )

    def steps(carry: _Carry) -> _Carry:
        if not task.pool_size:
            return step(carry, None)
        # Steps beyond the last episode's end count for nothing.
        pool = fresh_starts(task, pool_key(key, carry.t), n_lanes)
        # The first episodes take one each.
        begins = jnp.broadcast_to(carry.t == 0, (n_lanes,))
        carry = carry.replace(env=select(begins, pool, carry.env), ended=carry.ended & ~begins)
        return jax.lax.fori_loop(0, POOL_STEPS, lambda _, carry: step(carry, pool), carry)

    layouts = first_layouts_key(key)
    shapes = jax.eval_shape(lambda: fresh_starts(task, layouts, n_lanes))
    start = _Carry(
        env=jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes),
        ended=jnp.ones((n_lanes,), bool),
        layouts=layouts,
        memory=memory,
        earned=jnp.zeros((n_lanes,)),
        clock=jnp.zeros((n_lanes,), jnp.int32),
        left=share,
        sums=jnp.zeros((3,)),
        t=jnp.zeros((), jnp.int32),
    )
    sums = jax.lax.while_loop(lambda carry: jnp.any(carry.left > 0), steps, own(start, key)).sums
    return Episodes(*(sums / n_episodes))


@as_fixed
@functools.partial(jax.jit, static_argnums=(0, 1, 4, 5, 6))
def play_students(
    task: Teachable,
    student: Student,
    params: Any,
    seed_ids: Array,
    n_episodes: int,
    greedy: bool,
    method: str = "llm4teach",
) -> Episodes:
    """Evaluate a chunk of students, each on its own episodes.

    Args:
        task: the task (static).
        student: the network (static).
        params: [seed, ...].
        seed_ids: u32[seed]; the episodes follow from the id alone.
        n_episodes: episodes a seed (static).
        greedy: take the likeliest action instead of sampling (static).
        method: what they choose among, as `Config.method` says (static).

    Returns:
        Means, f32[seed] each.
    """
    lanes = min(SIDE_BY_SIDE, n_episodes)

    def one(params: Any, seed_id: Array) -> Episodes:
        def choose(key: Array, env: State, first: Array, memory: tuple[Array, Array]) -> tuple[Array, Any]:
            hidden, option = memory
            obs = jax.lax.optimization_barrier(jax.vmap(task.observe)(env))
            logits, _, hidden = student.apply(params, student.features(obs), hidden, first)
            action = jnp.argmax(logits, axis=-1).astype(jnp.int32) if greedy else sample(key, logits)[0]
            recalled = jax.vmap(task.recall)(env) if method in BY_OPTIONS else None
            if method == "hierarchical":
                action, _, option = execute(task, obs, recalled, first, option, action)
            elif method == "interruptible":
                action = follow(task, obs, recalled, action)
            return action, (hidden, option)

        blank = student.blank(lanes), jnp.full((lanes,), NO_OPTION, jnp.int32)
        return play(task, choose, blank, evaluation_key(seed_id), n_episodes)

    return jax.vmap(one)(params, seed_ids)


def chunk_play(
    task: Teachable, student: Student, method: str, n_episodes: int, by_seed: NamedSharding
) -> Callable[..., Episodes]:
    """`play_students` for a chunk whose trials are split over devices: each plays its own, none waits.

    Args:
        task: the task.
        student: the network.
        method: see `play_students`.
        n_episodes: episodes a seed.
        by_seed: how trials lie on the devices.

    Returns:
        A function of params [trial, ...] and seed ids u32[trial], to means f32[trial].
    """
    trials = by_seed.spec
    return jax.shard_map(
        lambda params, ids: play_students(task, student, params, ids, n_episodes, False, method),
        mesh=by_seed.mesh,
        in_specs=(trials, trials),
        out_specs=trials,
        check_vma=False,
    )


@functools.cache
@as_fixed
def chunk_player(
    task: Teachable, student: Student, method: str, n_episodes: int, by_seed: NamedSharding, width: int
) -> Compiled:
    """`chunk_play`, compiled for so many trials."""
    params, ids = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((width, *x.shape), x.dtype, sharding=by_seed),
        (jax.eval_shape(student.init, parameters_key(0)), jax.ShapeDtypeStruct((), jnp.uint32)),
    )
    return jax.jit(chunk_play(task, student, method, n_episodes, by_seed)).lower(params, ids).compile()


@as_fixed
@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def play_teacher(
    task: Teachable, teacher: AnyTeacher, seed: Array, n_episodes: int, greedy: bool
) -> Episodes:
    """Evaluate the teacher alone, its actions sampled from q(a|s).

    Args:
        task: the task (static).
        teacher: the compiled table.
        seed: u32[], of its episodes.
        n_episodes: how many (static).
        greedy: take the likeliest action instead of sampling (static).
    """
    lanes = min(SIDE_BY_SIDE, n_episodes)
    holds = teacher.plans is not None
    n_states = len(task.language.states) if holds else 0

    def choose(key: Array, env: State, first: Array, memory: Array) -> tuple[Array, Array]:
        obs = jax.lax.optimization_barrier(jax.vmap(task.observe)(env))
        if holds:
            memory = jnp.where(first[:, None], played_plans(key, lanes, n_states), memory)
        q = mean_policy(teacher, task, obs, jax.vmap(task.recall)(env), memory if holds else None)
        if greedy:
            return jnp.argmax(q, axis=-1).astype(jnp.int32), memory
        return jax.random.categorical(key, jnp.log(q)).astype(jnp.int32), memory

    return play(task, choose, jnp.zeros((lanes, n_states)), evaluation_key(seed), n_episodes)


TEACHER_EPISODES = 1000
"""Episodes a teacher's success rate is measured on."""


def teacher_success(
    task: Teachable, teacher: AnyTeacher, compiled: Callable[..., Episodes] | None = None
) -> Success:
    """The success of the teacher alone, over `TEACHER_EPISODES` episodes, always the same ones.

    Args:
        task: the task.
        teacher: the compiled table.
        compiled: what plays it, (teacher, seed) to means, if it is compiled already.
    """
    seed = np.uint32(0)
    if compiled is None:
        played = play_teacher(task, teacher, seed, TEACHER_EPISODES, False)
    else:
        played = compiled(teacher, seed)
    return Success(float(played.success), TEACHER_EPISODES)


def summarise(per_seed: dict[str, np.ndarray]) -> dict[str, Any]:
    """Statistics of an evaluation as summary.json holds them: {mean, iqm, ci95, n, per_seed} each."""
    from jaxteach.analysis import statistic

    return {
        name: {**statistic(values), "per_seed": [float(value) for value in values]}
        for name, values in per_seed.items()
    }


def as_arrays(episodes: Episodes) -> dict[str, np.ndarray]:
    """success_rate, return and length as float64 arrays over seeds."""
    names = {"success_rate": episodes.success, "return": episodes.reward, "length": episodes.length}
    return {name: np.atleast_1d(on_host(value)).astype(np.float64) for name, value in names.items()}
