"""Hierarchical reinforcement learning: the student chooses among options, which then run by themselves.

A semi-Markov decision process: an option that runs for k environment steps earns their discounted
rewards, and what follows it is discounted by gamma to the k. Rows of a rollout are environment steps
all the same; only those at which an option was chosen are learnt from.
"""

import chex
import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.menu import (
    NO_OPTION,
    Menu,
    action_of,
    has_ended,
    is_renamed,
    look_around,
    option_of,
    running_option,
)


def act(
    menu: Menu, obs: Array, memory: Array, first: Array, running: Array, chosen: Array
) -> tuple[Array, Array, Array]:
    """Go on with the options that run, and begin the chosen ones where none does.

    Args:
        menu: static.
        obs: u8[N, H, W, 4].
        memory: i32[N, C, 2], where a key of each class was last seen lying.
        first: bool[N], an episode begins at this step.
        running: i32[N], what runs, see `running_option`; `NO_OPTION` where nothing does.
        chosen: i32[N], the student's choice, should one be needed.

    Returns:
        The actions i32[N]; where the choice was taken up, bool[N]; and what runs on, i32[N]: not
        options that take a single step, nor one that had to wait.
    """
    chex.assert_equal_shape([first, running, chosen])
    scene = look_around(menu, obs, memory)
    before = option_of(menu, running)
    # An option whose object has got another name would turn to the object that has got its own.
    ended = has_ended(menu, scene, before) | is_renamed(menu, scene, running)
    decides = first | (running == NO_OPTION) | ended
    option = jnp.where(decides, chosen, before)
    action = action_of(menu, scene, option)
    single = jnp.asarray(menu.fixed_action)[option] >= 0
    runs_on = running_option(menu, scene, option)
    return action, decides, jnp.where(single | (action == c.DONE), NO_OPTION, runs_on)


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
        worth = reward + gamma * jnp.where(final, 0.0, after)  # of going on from here
        return jnp.where(decided, value + gae_lambda * (worth - value), worth), worth - value

    steps = (rewards, values, bootstrap, terminated, truncated, decides)
    _, advantages = jax.lax.scan(back, bootstrap[-1], steps, reverse=True)
    return advantages
