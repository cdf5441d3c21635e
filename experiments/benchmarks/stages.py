"""Stages of training, each to be timed by itself: rollouts, the teacher, the update, and all of it."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from benchmarks.chunk import EVERYWHERE, STACKED, Chunk, update_keys
from benchmarks.flops import update_flops
from benchmarks.timing import Variant, compiled, repeated
from jaxteach.config.pytree import Hyper
from jaxteach.training.loop import ask_teacher, run_updates
from jaxteach.training.ppo import learn, targets
from jaxteach.training.program import SEEDS
from jaxteach.training.rollout import Rollout, collect
from jaxteach.training.state import SeedState


def training(chunk: Chunk, n_updates: int) -> Variant:
    """Whole updates: rollout, teacher, targets, epochs of minibatches.

    Args:
        chunk: the seeds.
        n_updates: in a call, from the first.

    Returns:
        A unit is an environment step.
    """
    run = chunk.split(
        functools.partial(run_updates, chunk.plan, n_updates),
        (SEEDS, SEEDS, SEEDS, EVERYWHERE, EVERYWHERE),
        (SEEDS, STACKED),
    )
    arguments = (chunk.state(), chunk.ids, chunk.hyper, chunk.teacher, chunk.first)
    return timed_over(chunk, run, arguments, float(chunk.env_steps * n_updates))


def rollouts(chunk: Chunk, n_updates: int) -> Variant:
    """Rollouts one after another, with the teacher's answers if there is one; nothing is learnt.

    Args:
        chunk: the seeds.
        n_updates: how many rollouts in a call.

    Returns:
        A unit is an environment step.
    """
    plan = chunk.plan

    def segment(state: SeedState, ids: Array, teacher: Any) -> Any:
        def update(carry: Any, number: Array) -> tuple[Any, None]:
            keys = update_keys(ids, number, 2)
            active = jnp.ones(ids.shape, bool)
            state, rollout = collect_all(plan, carry[0], keys[0], number, active)
            # Traced, as in training: so that the answers stay behind a branch.
            q = ask_teacher(plan, teacher, rollout, jnp.ones(ids.shape) + number, keys[1])
            return (state, kept(rollout), q), None

        # The last rollout is a result: XLA drops what is not read.
        shapes = jax.eval_shape(lambda s: update((s,), jnp.int32(0))[0][1:], state)
        blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        return jax.lax.scan(update, (state, *blank), jnp.arange(n_updates))[0]

    run = chunk.split(segment, (SEEDS, SEEDS, EVERYWHERE))
    arguments = (chunk.state(), chunk.ids, chunk.teacher)
    return timed_over(chunk, run, arguments, float(chunk.env_steps * n_updates))


def updates(chunk: Chunk, n_updates: int) -> Variant:
    """Targets and epochs of minibatches, over and over on one rollout.

    Args:
        chunk: the seeds.
        n_updates: in a call.

    Returns:
        A unit is a useful floating point operation, see `benchmarks.flops`.
    """
    plan = chunk.plan

    def segment(state: SeedState, ids: Array, hyper: Hyper, rollout: Rollout, taught: Array) -> Any:
        def update(state: SeedState, number: Array) -> Any:
            batch = jax.vmap(functools.partial(targets, plan))(rollout, taught, hyper)
            keys, weight = update_keys(ids, number, 1)[0], jnp.ones(ids.shape)
            return jax.vmap(functools.partial(learn, plan))(state, rollout, batch, weight, keys, hyper)

        return jax.lax.scan(update, state, jnp.arange(n_updates))

    state = chunk.state()
    keys, active = update_keys(chunk.ids, jnp.int32(0), 1)[0], jnp.ones(chunk.ids.shape, bool)
    _, rollout = jax.jit(functools.partial(collect_all, plan))(state, keys, jnp.int32(0), active)
    taught = jnp.full((*rollout.rows.action.shape, plan.student.n_actions), 1.0 / plan.student.n_actions)
    run = chunk.split(segment, (SEEDS,) * 5, (SEEDS, STACKED))
    arguments = (state, chunk.ids, chunk.hyper, *chunk.put((kept(rollout), taught)))
    return timed_over(
        chunk, run, arguments, update_flops(plan.config, plan.student) * chunk.width * n_updates
    )


def collect_all(plan: Any, *arguments: Any) -> tuple[SeedState, Rollout]:
    """`collect` for every seed; the update's number is shared."""
    return jax.vmap(functools.partial(collect, plan), in_axes=(0, 0, None, 0))(*arguments)


def kept(rollout: Rollout) -> Rollout:
    """A rollout without what only the teacher reads."""
    return rollout.replace(rows=rollout.rows.replace(obs=None, memory=None))


def timed_over(chunk: Chunk, run: Any, arguments: tuple[Any, ...], units: float) -> Variant:
    """A jitted function of a chunk as something to be timed."""
    program, seconds = compiled(run, *arguments)
    return repeated(program, *arguments, units=units, seconds=seconds, devices=chunk.devices)
