"""The training loop: init, then updates of rollout -> teacher -> targets -> learn -> metrics."""

import functools

import chex
import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.config import Decay
from jaxteach.config.pytree import Hyper, TracedMoment, at_moments
from jaxteach.student.decay import at_pace, recent_success, weight_at
from jaxteach.student.losses import Batch
from jaxteach.teacher.corruption import AnyTeacher, answers
from jaxteach.training.divergence import keep_finite
from jaxteach.training.ppo import learn, targets
from jaxteach.training.rollout import Rollout, collect
from jaxteach.training.state import Plan, SeedState, init_seed
from jaxteach.training.streams import held_draws, teacher_keys, update_keys

Metrics = dict[str, Array]


def init_chunk(plan: Plan, seed_ids: Array) -> SeedState:
    """The state of a chunk of seeds before the first update, [seed, ...]."""
    return jax.vmap(functools.partial(init_seed, plan))(seed_ids)


def run_segment(
    plan: Plan,
    n_updates: int,
    together: int,
    state: SeedState,
    seed_ids: Array,
    hyper: Hyper,
    teacher: AnyTeacher | None,
    first_update: Array,
) -> tuple[SeedState, Metrics]:
    """K updates of a chunk of seeds, to be jitted with the state donated.

    Seeds are trained in groups: side by side within a group, one group after another.

    Args:
        plan: static.
        n_updates: K (static).
        together: seeds of a group (static), which divides the seeds.
        state: [seed, ...].
        seed_ids: u32[seed].
        hyper: f32[seed] each.
        teacher: the compiled table, or None.
        first_update: i32[], the number of the first of these updates.

    Returns:
        The state after, and metrics [K, seed, ...].
    """
    n_seeds = seed_ids.shape[0]
    chex.assert_is_divisible(n_seeds, together)
    n_groups = n_seeds // together
    if n_groups == 1:
        return run_updates(plan, n_updates, state, seed_ids, hyper, teacher, first_update)
    # [seed, ...] -> [group, seed, ...]
    trials = jax.tree.map(lambda x: x.reshape(n_groups, together, *x.shape[1:]), (state, seed_ids, hyper))

    def train_group(group: tuple[SeedState, Array, Hyper]) -> tuple[SeedState, Metrics]:
        return run_updates(plan, n_updates, *group, teacher, first_update)

    state, metrics = jax.lax.map(train_group, trials)
    # State [group, seed, ...] -> [seed, ...], metrics [group, K, seed, ...] -> [K, seed, ...]
    state = jax.tree.map(lambda x: x.reshape(n_seeds, *x.shape[2:]), state)
    metrics = jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(n_updates, n_seeds, *x.shape[3:]), metrics)
    return state, metrics


def run_updates(
    plan: Plan,
    n_updates: int,
    state: SeedState,
    seed_ids: Array,
    hyper: Hyper,
    teacher: AnyTeacher | None,
    first_update: Array,
) -> tuple[SeedState, Metrics]:
    """K updates of seeds side by side.

    Args:
        plan: static.
        n_updates: K (static).
        state: [seed, ...].
        seed_ids: u32[seed].
        hyper: f32[seed] each.
        teacher: the compiled table, or None.
        first_update: i32[], the number of the first of these updates.

    Returns:
        The state after, and metrics [K, seed, ...].
    """

    def update(state: SeedState, number: Array) -> tuple[SeedState, Metrics]:
        return run_update(plan, state, seed_ids, hyper, teacher, number)

    return jax.lax.scan(update, state, first_update + jnp.arange(n_updates))


def run_update(
    plan: Plan, state: SeedState, seed_ids: Array, hyper: Hyper, teacher: AnyTeacher | None, update: Array
) -> tuple[SeedState, Metrics]:
    """One update of a chunk of seeds.

    Args:
        plan: static.
        state: [seed, ...].
        seed_ids: u32[seed].
        hyper: f32[seed] each.
        teacher: the compiled table, or None.
        update: i32[], the update's number; never batched, so that branches on it stay branches.

    Returns:
        The state after, and metrics [seed, ...].
    """
    keys = jax.vmap(update_keys, in_axes=(0, None))(seed_ids, update)  # [seed] each
    active = state.env_steps < plan.env_steps  # [seed]
    progress = progress_of(plan, update, state.env_steps)

    step = functools.partial(collect, plan)
    state, rollout = jax.vmap(step, in_axes=(0, 0, None, 0))(state, keys.rollout, update, active)

    ended, succeeded = rollout.outcomes[:, :, 0].sum(axis=1), rollout.outcomes[:, :, 1].sum(axis=1)
    state = state.replace(success=recent_success(state.success, ended, succeeded))
    weigh = jax.vmap(weight_at, in_axes=(None, 0, 0, 0))
    decay = decay_at(plan, hyper, update, progress)
    weight = weigh(update, decay, state.success, hyper.teacher_success)  # [seed]
    # Without a teacher the schedule weighs nothing.
    weight = weight if plan.taught else jnp.zeros_like(weight)
    held = held_of(plan, rollout, seed_ids, update)
    taught = ask_teacher(plan, teacher, rollout, weight, keys.teacher, held)
    batch: Batch = jax.vmap(functools.partial(targets, plan))(rollout, taught, hyper)
    hyper = hyper.changed({"ppo.lr": learning_rate(progress, hyper)})
    learnt, losses = jax.vmap(functools.partial(learn, plan))(
        state, rollout, batch, weight, keys.learn, hyper
    )
    state, losses = jax.vmap(keep_finite)(state, learnt, losses)
    metrics = {
        **losses,
        "alive": state.alive,
        "lambda": weight,
        "unlisted": unlisted(taught, rollout.rows.valid, weight),
        "env_steps": state.env_steps,
        "started": rollout.started,
        "outcomes": rollout.outcomes,
    }
    return state, metrics


def unlisted(taught: Array, valid: Array, weight: Array) -> Array:
    """Environment steps in states that the table does not list: the teacher says nothing there.

    Args:
        taught: f32[seed, time, env, A], see `ask_teacher`.
        valid: bool[seed, time, env].
        weight: f32[seed], lambda.

    Returns:
        i32[seed]; 0 where lambda is 0.
    """
    silent = valid & ~jnp.any(taught > 0.0, axis=-1)
    return jnp.sum(silent & (weight > 0.0)[:, None, None], axis=(1, 2), dtype=jnp.int32)


def progress_of(plan: Plan, update: Array, env_steps: Array) -> Array:
    """How much of the run lies before an update, 0 to 1.

    Args:
        plan: static.
        update: i32[], the update's number.
        env_steps: i32[seed], environment steps taken before it.

    Returns:
        f32[], as all seeds have come equally far; f32[seed] with whole episodes, which take as many
        updates as they take.
    """
    if plan.by_episodes:
        return jnp.minimum(env_steps / plan.env_steps, 1.0)
    return jnp.minimum(update / plan.n_updates, 1.0)


def decay_at(plan: Plan, hyper: Hyper, update: Array, progress: Array) -> Decay:
    """The schedule's parameters, its points in updates, f32[seed] each.

    Args:
        plan: static.
        hyper: f32[seed] each.
        update: i32[], the update's number.
        progress: see `progress_of`.
    """

    def resolve(moment: TracedMoment) -> Array:
        if not plan.by_episodes:
            return moment.updates
        return at_pace(moment, update, progress)

    return at_moments(hyper.config.decay, resolve)


def learning_rate(progress: Array, hyper: Hyper) -> Array:
    """Adam's learning rate at an update, f32[seed]: from `lr` straight to `lr_end` over the run.

    Args:
        progress: see `progress_of`.
        hyper: f32[seed] each.
    """
    ppo = hyper.config.ppo
    return ppo.lr + (ppo.lr_end - ppo.lr) * progress


def held_of(plan: Plan, rollout: Rollout, seed_ids: Array, update: Array) -> Array | None:
    """What a teacher that holds its plans draws in the episode of each row; None for any other teacher.

    Args:
        plan: static.
        rollout: [seed, time, env, ...].
        seed_ids: u32[seed].
        update: i32[], the update's number.

    Returns:
        f32[seed, time, env, S], see `teacher_policy`.
    """
    clock = rollout.rows.clock
    if clock is None:
        return None
    # An environment's rows are numbered through all updates: an episode goes by the number of its first.
    row = update.astype(jnp.uint32) * plan.n_steps + jnp.arange(clock.shape[1], dtype=jnp.uint32)
    episodes = row[None, :, None] - clock.astype(jnp.uint32)
    draw = functools.partial(held_draws, n_states=len(plan.task.language.states))
    return jax.vmap(draw)(seed_ids, episodes)


def ask_teacher(
    plan: Plan,
    teacher: AnyTeacher | None,
    rollout: Rollout,
    weight: Array,
    keys: Array,
    held: Array | None = None,
) -> Array:
    """The teacher's distribution on every row, computed only while some seed's lambda is positive.

    Args:
        plan: static.
        teacher: the compiled table, or None.
        rollout: [seed, time, env, ...].
        weight: f32[seed], lambda.
        keys: one for each seed, for a hard teacher's samples and for noise.
        held: f32[seed, time, env, S], for a teacher that holds its plans, see `held_of`.

    Returns:
        f32[seed, time, env, A]; zeros where lambda is 0.
    """
    rows = rollout.rows
    shape = rows.action.shape
    silence = jnp.zeros((*shape, plan.student.n_actions))
    if teacher is None:
        return silence
    n = shape[0] * shape[1] * shape[2]
    # [seed, time, env, ...] -> [seed * time * env, ...]
    seen = rows.obs, rows.memory, held
    obs, memory, held = jax.tree.map(lambda x: x.reshape(n, *x.shape[3:]), seen)

    say = functools.partial(answers, held=held) if plan.holds_plans else answers

    def speak() -> Array:
        streams = jax.vmap(teacher_keys)(keys)
        q = say(teacher, plan.task, obs, memory, streams.errors).reshape(silence.shape)
        # Zero q where lambda is 0: a seed's result must not depend on its chunk-mates.
        q = jnp.where(weight[:, None, None, None] > 0.0, q, 0.0)
        if plan.config.distill.teacher != "hard":
            return q
        # A plan drawn by its probability acts as an action drawn from the mixture over plans.
        drawn = jax.vmap(lambda key, p: jax.random.categorical(key, jnp.log(p)))(streams.plans, q)
        return jax.nn.one_hot(drawn, q.shape[-1]) * jnp.any(q > 0.0, axis=-1, keepdims=True)

    return jax.lax.cond(jnp.any(weight > 0.0), speak, lambda: silence)
