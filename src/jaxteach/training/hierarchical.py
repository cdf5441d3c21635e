"""Hierarchical reinforcement learning: the student chooses among options, which then run by themselves.

A semi-Markov decision process: an option that runs for k environment steps earns their discounted
rewards, and what follows it is discounted by gamma to the k. Rows of a rollout are environment steps
all the same; only those at which an option was chosen are learnt from.

Options that may be left at every step, and actions beside them, are chosen anew at each: a plain Markov
decision process, of which nothing here but `follow` is needed.
"""

import functools
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.tasks.protocol import Teachable

NO_OPTION = -1
"""What runs where no option does."""


def execute(
    task: Teachable, obs: Any, memory: Any, first: Array, running: Array, chosen: Array
) -> tuple[Array, Array, Array]:
    """Continue the options that run, and begin the chosen ones where none does.

    Args:
        task: static.
        obs: [N, ...].
        memory: [N, ...], see `Teachable.recall`.
        first: bool[N], an episode begins at this step.
        running: i32[N], what runs: an option and its subject in one number, `NO_OPTION` for nothing.
        chosen: i32[N], the student's choice, should one be needed.

    Returns:
        The actions i32[N]; where the choice was taken up, bool[N]; and what runs on, i32[N]: not options that
        take a single step, nor one that had to wait.
    """
    chex.assert_equal_shape([first, running, chosen])
    n_options = len(task.language.options)
    state, view = task.perceive(obs, memory)
    before = jnp.maximum(running, 0) % n_options
    _, over = _now(task, state, view, before)
    # The subject is part of what runs: an option whose object took another name would turn to the object
    # that took its own.
    renamed = running != before + n_options * task.subject(view, before)
    decides = first | (running == NO_OPTION) | over | renamed
    option = jnp.where(decides, chosen, before)
    action, _ = _now(task, state, view, option)
    single = _fixed(task, state, option) >= 0
    runs_on = option + n_options * task.subject(view, option)
    return action, decides, jnp.where(single | (action == task.no_op), NO_OPTION, runs_on)


def follow(task: Teachable, obs: Any, memory: Any, chosen: Array) -> Array:
    """One step of what was chosen among options and actions.

    Args:
        task: static.
        obs: [N, ...].
        memory: [N, ...], see `Teachable.recall`.
        chosen: i32[N], an option, or the number of options and an action.

    Returns:
        The actions i32[N]; an option that cannot be followed now, or has ended, waits.
    """
    n_options = len(task.language.options)
    state, view = task.perceive(obs, memory)
    action, _ = _now(task, state, view, jnp.minimum(chosen, n_options - 1))
    return jnp.where(chosen < n_options, action, chosen - n_options)


def _now(task: Teachable, state: Array, view: Any, option: Array) -> tuple[Array, Array]:
    """What options do now, i32[N], and whether those begun earlier have ended, bool[N]; then they wait."""
    fixed = _fixed(task, state, option)
    action = jnp.where(fixed >= 0, fixed, task.no_op)
    over = jnp.ones(option.shape, bool)
    for g, group in enumerate(task.option_groups):
        found, ended = task.act(view, g, option[None])
        decides = (fixed < 0) & jnp.any(option[:, None] == jnp.asarray(group)[None, :], axis=1)
        action = jnp.where(decides & ~ended[0], found[0], action)
        over = jnp.where(decides, ended[0], over)
    return action, over


def _fixed(task: Teachable, state: Array, option: Array) -> Array:
    """The action of options that take a single step, i32[N]; -1 for those that `act` decides."""
    table = fixed_actions(task)  # [states + 1, options]
    return jnp.asarray(table.reshape(-1))[(state % table.shape[0]) * table.shape[1] + option]


@functools.lru_cache(maxsize=64)
def fixed_actions(task: Teachable) -> np.ndarray:
    """The task's fixed actions i32[states + 1, options], -1 where `act` decides; waiting in the last row.

    The last row is of states not listed, which are numbered -1.
    """
    options = task.language.options
    rows = [[task.fixed_action(s, option) for option in options] for s in range(len(task.language.states))]
    known = [[-1 if action is None else action for action in row] for row in rows]
    return np.array([*known, [task.no_op] * len(options)], np.int32)


def semi_markov_gae(
    rewards: Array,
    values: Array,
    bootstrap: Array,
    terminated: Array,
    truncated: Array,
    decides: Array,
    gamma: Array | float,
    gae_lambda: Array | float,
) -> Array:
    """Generalised advantage estimates of choices that last for several environment steps.

    Between two choices rewards are only discounted; at a choice GAE mixes the value of the state with
    what was earned after it, as between any two steps of plain GAE. An option still running where the
    window or a truncated episode ends is bootstrapped from the state reached.

    Args:
        rewards: f32[T, E], r_t.
        values: f32[T, E], V(s_t).
        bootstrap: f32[T, E], from `next_values`.
        terminated: bool[T, E]; nothing follows.
        truncated: bool[T, E]; the value of the last state stands for the rest.
        decides: bool[T, E], an option was chosen at this step.
        gamma: discount per environment step.
        gae_lambda: GAE's lambda, per choice.

    Returns:
        f32[T, E]; of meaning where an option was chosen.
    """
    chex.assert_equal_shape([rewards, values, bootstrap, terminated, truncated, decides])

    def back(following: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
        reward, value, state_after, final, cut, decided = step
        after = jnp.where(cut, state_after, following)
        worth = reward + gamma * jnp.where(final, 0.0, after)  # of continuing from here
        return jnp.where(decided, value + gae_lambda * (worth - value), worth), worth - value

    steps = (rewards, values, bootstrap, terminated, truncated, decides)
    _, advantages = jax.lax.scan(back, bootstrap[-1], steps, reverse=True)
    return advantages
