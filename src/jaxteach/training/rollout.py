"""Experience: environments stepped side by side by the student, with the reset in the same step."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.tasks.protocol import Memory, Obs, Outcome, State
from jaxteach.training.bonus import visit
from jaxteach.training.carries import own
from jaxteach.training.hierarchical import execute, follow
from jaxteach.training.starts import begin_anew, fresh_starts, select
from jaxteach.training.state import Plan, SeedState
from jaxteach.training.streams import by_step, rollout_keys


class Rows(struct.PyTreeNode):
    """One update's experience, [time, env, ...].

    Attributes:
        features: [T, E, F], what the student read.
        first: bool[T, E], an episode begins at this step.
        action: i32[T, E], the student's choice: an action, or the number of an option; among both, options
            come first.
        log_prob: f32[T, E].
        value: f32[T, E].
        reward: f32[T, E].
        terminated: bool[T, E]; true in rows not taken.
        truncated: bool[T, E].
        valid: bool[T, E], there is something to learn: the step was taken (false where an environment
            waits for the others), and at it, if options are chosen among, a choice.
        obs: [T, E, ...], what the teacher reads; None without a teacher.
        memory: [T, E, ...], what the teacher remembers besides; None without a teacher.
        clock: i32[T, E], environment steps of the episode before this one; None unless the teacher holds its
            plans for an episode.
        visits: i32[T, E], how often the episode has shown this observation, this time included; None unless
            visits are counted.
    """

    features: Array
    first: Array
    action: Array
    log_prob: Array
    value: Array
    reward: Array
    terminated: Array
    truncated: Array
    valid: Array
    obs: Obs | None
    memory: Memory | None
    clock: Array | None
    visits: Array | None


class Rollout(struct.PyTreeNode):
    """An update's rows and what is needed to learn from them.

    Attributes:
        rows: the experience.
        hidden: f32[E, state_size], the hidden state the rows begin with.
        last_value: f32[E], V of the state after the last row.
        final_value: f32[E], V of the state in which the environment's truncated episode ended.
        started: i32[], episodes that began in this update.
        outcomes: f32[L, 4]: of episodes ended in this update, by how many updates ago they began:
            how many, how many succeeded, sum of returns, sum of lengths in environment steps.
        env_steps: i32[], environment steps taken.
        last_visits: i32[E], `Rows.visits` of the state after the last row; None unless visits are counted.
    """

    rows: Rows
    hidden: Array
    last_value: Array
    final_value: Array
    started: Array
    outcomes: Array
    env_steps: Array
    last_visits: Array | None


class _Carry(struct.PyTreeNode):
    env: State
    hidden: Array
    option: Array
    born: Array
    earned: Array  # f32[E], rewards of the running episode
    clock: Array  # i32[E], environment steps of the running episode
    busy: Array  # bool[E]
    taken: Array  # i32[E], steps each environment has taken
    collected: Array  # i32[], steps all have taken
    final_env: State  # where each environment's truncated episode ended
    final_hidden: Array
    started: Array
    outcomes: Array
    visited: Array | None  # u32[E, max_steps], see `bonus.visit`


KEPT = ("env", "hidden", "option", "born", "earned", "clock", "visited")
"""What a seed keeps of a rollout's carry."""


def sample(key: Array, logits: Array) -> tuple[Array, Array]:
    """Draw actions from a softmax by inverting its distribution function: one uniform an environment.

    Args:
        key: a PRNG key.
        logits: f32[N, n_actions].

    Returns:
        Actions i32[N] and their log-probabilities f32[N].
    """
    log_probs = jax.nn.log_softmax(logits)
    below = jnp.cumsum(jnp.exp(log_probs), axis=-1) <= jax.random.uniform(key, logits.shape[:1])[:, None]
    # Rounding may leave the last sum below 1, and the uniform above it.
    action = jnp.minimum(jnp.sum(below, axis=-1), logits.shape[-1] - 1).astype(jnp.int32)
    chosen = action[:, None] == jnp.arange(logits.shape[-1])[None, :]
    return action, jnp.sum(jnp.where(chosen, log_probs, 0.0), axis=-1)


def collect(
    plan: Plan, state: SeedState, key: Array, update: Array, active: Array
) -> tuple[SeedState, Rollout]:
    """Collect one update's experience for one seed.

    Args:
        plan: static.
        state: the seed's.
        key: this update's key.
        update: i32[], this update's number.
        active: bool[], false for a seed that has used up its environment steps.

    Returns:
        The state with its environments moved on, and the rollout.
    """
    task, student, n_envs = plan.task, plan.student, plan.config.rollout.envs
    keys = rollout_keys(key)
    env, hidden, clock = state.env, state.hidden, state.clock
    if plan.by_episodes:
        env = fresh_starts(task, keys.start, n_envs)
        clock = jnp.zeros((n_envs,), jnp.int32)
        hidden = student.blank(n_envs)
    pool = fresh_starts(task, keys.start, task.pool_size) if task.pool_size else None
    carry = _Carry(
        env=env,
        hidden=hidden,
        option=state.option,
        born=state.born,
        earned=state.earned,
        clock=clock,
        busy=jnp.full((n_envs,), active),
        taken=jnp.zeros((n_envs,), jnp.int32),
        collected=jnp.zeros((), jnp.int32),
        final_env=env,
        final_hidden=hidden,
        started=jnp.zeros((), jnp.int32),
        outcomes=jnp.zeros((plan.n_lags, 4)),
        visited=state.visited,
    )
    carry = own(carry, key)

    def step(carry: _Carry, t: Array) -> tuple[_Carry, Rows]:
        step_keys = by_step(keys.layouts, t), by_step(keys.actions, t)
        return _step(plan, state.params, pool, carry, update, *step_keys)

    if plan.by_episodes:
        carry, rows = fill_while(
            step, carry, plan.n_steps, lambda carry: jnp.any(carry.busy), lambda carry: carry.taken
        )
        # Nor must those that no step wrote to.
        missing = jnp.arange(plan.n_steps)[:, None] >= carry.taken[None, :]
        rows = rows.replace(terminated=rows.terminated | missing)
    else:
        carry, rows = jax.lax.scan(step, carry, jnp.arange(plan.n_steps))

    def look(end: tuple[State, Array, Array]) -> tuple[Obs | None, Array]:
        env, hidden, first = end
        obs = jax.vmap(task.observe)(jax.vmap(task.update_seen)(env))
        value = student.apply(state.params, student.features(obs), hidden, first)[1]
        return obs if plan.counts_visits else None, value

    # In a loop of two, so that what looks is compiled once.
    last = carry.env, carry.hidden, carry.clock == 0
    final = carry.final_env, carry.final_hidden, jnp.zeros((n_envs,), bool)
    ends = jax.tree.map(lambda *x: jnp.stack(x), last, final)  # [2, env, ...]
    obs, (last_value, final_value) = jax.lax.map(look, ends)
    last_obs = jax.tree.map(lambda x: x[0], obs)
    rollout = Rollout(
        rows=rows,
        hidden=hidden,
        last_value=last_value,
        final_value=final_value,
        started=carry.started,
        outcomes=carry.outcomes,
        env_steps=carry.collected,
        last_visits=None if carry.visited is None else visit(carry.visited, carry.clock, last_obs)[0],
    )
    kept = {name: getattr(carry, name) for name in KEPT}
    return state.replace(env_steps=state.env_steps + carry.collected, **kept), rollout


def _step(
    plan: Plan,
    params: Any,
    pool: State | None,
    carry: _Carry,
    update: Array,
    reset_key: Array,
    action_key: Array,
) -> tuple[_Carry, Rows]:
    """One environment step of every environment of one seed."""
    task, student = plan.task, plan.student
    # Here and not at the end of a step, so that it is not compiled for a seed's first state once more.
    env, busy = jax.vmap(task.update_seen)(carry.env), carry.busy
    # Barrier: otherwise XLA recomputes `observe` in every consumer.
    obs = jax.lax.optimization_barrier(jax.vmap(task.observe)(env))  # [E, ...]
    memory = jax.vmap(task.recall)(env) if plan.taught or plan.by_options else None
    features = student.features(obs)
    first = carry.clock == 0
    born = jnp.where(first, update, carry.born)
    logits, value, hidden = student.apply(params, features, carry.hidden, first)
    chosen, log_prob = sample(action_key, logits)
    action, option, valid = chosen, carry.option, busy
    if plan.semi_markov:
        action, decides, option = execute(task, obs, memory, first, carry.option, chosen)
        valid = busy & decides
    elif plan.by_options:
        action = follow(task, obs, memory, chosen)
    visits, visited = (None, None) if carry.visited is None else visit(carry.visited, carry.clock, obs)

    moved, outcome = jax.vmap(task.step)(env, action)
    length = carry.clock + 1
    earned = jnp.where(first, 0.0, carry.earned) + outcome.reward
    taken, collected = carry.taken + busy, carry.collected + jnp.sum(busy)
    over, still_busy = outcome.done, busy
    if plan.by_episodes:
        over = outcome.done | ~busy  # one that waits stands at the beginning of an episode
        still_busy = ~over | _begin_more(plan, ~over, taken, collected, length, jnp.any(busy))
    following = begin_anew(task, reset_key, over, moved, pool)
    rows = Rows(
        features=features,
        first=first,
        action=chosen,
        log_prob=log_prob,
        value=value,
        reward=outcome.reward,
        # A row not taken must pass nothing back to the rows before it.
        terminated=outcome.terminated | ~busy,
        truncated=outcome.truncated & busy,
        valid=valid,
        obs=obs if plan.taught else None,
        memory=memory if plan.taught else None,
        clock=carry.clock if plan.holds_plans else None,
        visits=visits,
    )
    ended_early = outcome.truncated & busy
    carry = _Carry(
        env=following,
        hidden=hidden,
        option=option,
        born=born,
        earned=earned,
        clock=jnp.where(over, 0, length),
        busy=still_busy,
        taken=taken,
        collected=collected,
        final_env=select(ended_early, moved, carry.final_env),
        final_hidden=select(ended_early, hidden, carry.final_hidden),
        started=carry.started + jnp.sum(first & busy),
        outcomes=carry.outcomes + _outcomes(plan, outcome, earned, length, update - born, busy),
        visited=visited,
    )
    return carry, rows


def _begin_more(
    plan: Plan, running: Array, taken: Array, collected: Array, clock: Array, going: Array
) -> Array:
    """Which idle environments begin another episode, bool[E]: those whose steps are certain to be needed.

    The reference plays one episode after another, the given number at least, until it has the steps it
    wants. Here the episodes are the same, but run side by side where even the longest episodes would
    leave the next one to be played.

    Args:
        plan: static.
        running: bool[E], an episode continues.
        taken: i32[E], steps each environment has taken.
        collected: i32[], steps all have taken.
        clock: i32[E], how long each episode has lasted.
        going: bool[], whether the seed takes part.
    """
    finished = collected - jnp.sum(jnp.where(running, clock, 0))
    # Those with the fewest steps come first: none takes more than its share and an episode (`Plan.n_steps`).
    turn = jnp.argsort(jnp.argsort(jnp.where(running, plan.n_steps, taken)))  # [E]
    most = finished + (jnp.sum(running) + turn) * plan.task.max_steps
    return going & ~running & (most < plan.config.rollout.min_env_steps)


def _outcomes(plan: Plan, outcome: Outcome, earned: Array, length: Array, lag: Array, busy: Array) -> Array:
    """Sum up the episodes that ended at this step by the update they began in, f32[L, 4]."""
    ended = (outcome.done & busy)[:, None] & (lag[:, None] == jnp.arange(plan.n_lags)[None, :])  # [E, L]
    facts = jnp.stack(
        [jnp.ones_like(earned), outcome.success * 1.0, earned, length.astype(jnp.float32)], axis=-1
    )  # [E, 4]
    return jnp.sum(jnp.where(ended[:, :, None], facts[:, None, :], 0.0), axis=0)


def fill_while(step: Any, carry: Any, length: int, going: Any, filled: Any) -> tuple[Any, Any]:
    """Step lanes until there is nothing left to do, each lane's rows one after another without a gap.

    Args:
        step: `(carry, t) -> (carry, row)`, the row's leaves [lane, ...].
        carry: the first carry.
        length: the most rows a lane can have.
        going: `carry -> bool[]`.
        filled: `carry -> i32[lane]`, rows each lane has; a lane's row of a step that does not add to
            them is written over by its next.

    Returns:
        The last carry and the rows [length, lane, ...]; what lies beyond those a lane has is of no meaning.
    """
    row = jax.eval_shape(lambda c: step(c, jnp.zeros((), jnp.int32))[1], carry)
    rows = jax.tree.map(lambda x: jnp.zeros((length, *x.shape), x.dtype), row)
    lanes = jnp.arange(filled(carry).shape[0])

    def body(state: tuple[Array, Any, Any]) -> tuple[Array, Any, Any]:
        t, carry, rows = state
        at = filled(carry)
        carry, row = step(carry, t)
        # A full lane's row lies beyond the end, and is dropped.
        rows = jax.tree.map(lambda x, one: x.at[at, lanes].set(one, mode="drop"), rows, row)
        return t + 1, carry, rows

    def more(state: tuple[Array, Any, Any]) -> Array:
        return going(state[1])

    _, carry, rows = jax.lax.while_loop(more, body, (jnp.zeros((), jnp.int32), carry, rows))
    return carry, rows
