"""Every stream of random numbers, by name; no key is made anywhere else.

Keys name their generator, whatever JAX's default is: the default follows the environment. All of a
seed's randomness follows from its id, and from there from counters:

    key(0) -> seed -> 2**31: parameters; 2**31 + 1: the first layouts
                   -> 2**31 + 2 -> environment -> episode: the plans that a teacher holds
                   -> update -> rollout -> layouts at its start; layouts by step; actions by step
                             -> learning -> shuffle by epoch
                             -> teacher -> plans drawn; errors drawn
    key(1) -> seed (a teacher's: the number asked for) -> step -> actions; layouts; 2**31: the first layouts
                                                                  -> layouts -> 2**31: a pool of starts
                                                                  -> actions -> 2**31: plans held
    key(2) -> number of a drawn episode: its layout

Actions of drawn episodes and everything else on the host follow from NumPy's generators, which no
setting changes. Fewer than 2**31 updates are possible, and steps of evaluation, so that the folds of
2**31 and above stay apart from them.
"""

from typing import NamedTuple

import jax
from jax import Array

IMPLEMENTATION = "threefry2x32"
TRAINING, EVALUATION, RENDERING = 0, 1, 2
PARAMETERS = FIRST_LAYOUTS = 2**31
TRAINING_LAYOUTS = 2**31 + 1
HELD_PLANS = 2**31 + 2
POOL = PLAYED_PLANS = 2**31


def root(number: int) -> Array:
    """The key that a family of streams branches off.

    Args:
        number: `TRAINING`, `EVALUATION` or `RENDERING`.
    """
    return jax.random.key(number, impl=IMPLEMENTATION)


def seed_key(seed_id: Array | int) -> Array:
    """The root of a seed's training.

    Args:
        seed_id: u32[].
    """
    return jax.random.fold_in(root(TRAINING), seed_id)


def parameters_key(seed_id: Array | int) -> Array:
    """A student's first parameters."""
    return jax.random.fold_in(seed_key(seed_id), PARAMETERS)


def layouts_key(seed_id: Array | int) -> Array:
    """The layouts that training begins with."""
    return jax.random.fold_in(seed_key(seed_id), TRAINING_LAYOUTS)


class UpdateKeys(NamedTuple):
    """The streams of one update of one seed: its rollout, its learning, its teacher."""

    rollout: Array
    learn: Array
    teacher: Array


def update_keys(seed_id: Array | int, update: Array | int) -> UpdateKeys:
    """The streams of one update.

    Args:
        seed_id: u32[].
        update: i32[], the update's number.
    """
    rollout, learn, teacher = jax.random.split(jax.random.fold_in(seed_key(seed_id), update), 3)
    return UpdateKeys(rollout, learn, teacher)


class RolloutKeys(NamedTuple):
    """The streams of one rollout: layouts at its start, and by step layouts after an end, and actions."""

    start: Array
    layouts: Array
    actions: Array


def rollout_keys(key: Array) -> RolloutKeys:
    """The streams of one rollout.

    Args:
        key: from `update_keys`.
    """
    start, layouts, actions = jax.random.split(key, 3)
    return RolloutKeys(start, layouts, actions)


def by_step(key: Array, t: Array | int) -> Array:
    """A stream's key at a step, or at an epoch.

    Args:
        key: the stream's.
        t: i32[], the number of the step.
    """
    return jax.random.fold_in(key, t)


class TeacherKeys(NamedTuple):
    """The streams of a teacher during one update: plans drawn by a hard teacher, errors of a noisy one."""

    plans: Array
    errors: Array


def teacher_keys(key: Array) -> TeacherKeys:
    """The streams of a teacher during one update.

    Args:
        key: from `update_keys`.
    """
    plans, errors = jax.random.split(key)
    return TeacherKeys(plans, errors)


def held_draws(seed_id: Array | int, episodes: Array, n_states: int) -> Array:
    """What a teacher that holds its plans draws in each episode, for each abstract state.

    Args:
        seed_id: u32[].
        episodes: u32[T, E], a number for each row that tells its environment's episodes apart.
        n_states: S.

    Returns:
        f32[T, E, S], uniform in [0, 1), the same in all rows of an episode.
    """
    key = jax.random.fold_in(seed_key(seed_id), HELD_PLANS)

    def draw(env: Array, episode: Array) -> Array:
        return jax.random.uniform(jax.random.fold_in(jax.random.fold_in(key, env), episode), (n_states,))

    envs = jax.numpy.arange(episodes.shape[1])
    return jax.vmap(jax.vmap(draw), in_axes=(None, 0))(envs, episodes)


def evaluation_key(seed_id: Array | int) -> Array:
    """The root of an evaluation, apart from training.

    Args:
        seed_id: u32[], a student's seed, or a number for a teacher's episodes.
    """
    return jax.random.fold_in(root(EVALUATION), seed_id)


def first_layouts_key(key: Array) -> Array:
    """The layouts an evaluation begins with.

    Args:
        key: from `evaluation_key`.
    """
    return jax.random.fold_in(key, FIRST_LAYOUTS)


class PlayKeys(NamedTuple):
    """The streams of one step of an evaluation: actions, and layouts after an end."""

    actions: Array
    layouts: Array


def play_keys(key: Array, t: Array | int) -> PlayKeys:
    """The streams of one step of an evaluation.

    Args:
        key: from `evaluation_key`.
        t: i32[], the number of the step.
    """
    actions, layouts = jax.random.split(jax.random.fold_in(key, t))
    return PlayKeys(actions, layouts)


def pool_key(key: Array, t: Array | int) -> Array:
    """The pool of starts that an evaluation draws from, where a reset is dear.

    Args:
        key: from `evaluation_key`.
        t: i32[], the number of the pool's first step.
    """
    return jax.random.fold_in(play_keys(key, t).layouts, POOL)


def played_plans(actions: Array, n_lanes: int, n_states: int) -> Array:
    """What a teacher that holds its plans draws for episodes of an evaluation that begin at a step.

    Args:
        actions: from `play_keys`.
        n_lanes: episodes side by side.
        n_states: S.

    Returns:
        f32[lane, S], uniform in [0, 1).
    """
    return jax.random.uniform(jax.random.fold_in(actions, PLAYED_PLANS), (n_lanes, n_states))


def drawn_episode_key(number: int) -> Array:
    """The layout of an episode drawn as a picture.

    Args:
        number: of the episode; the same layout for every student.
    """
    return jax.random.fold_in(root(RENDERING), number)
