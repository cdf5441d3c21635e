"""Environments as a user has them: one, mapped, mapped twice, with and without autoreset."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid import engine
from jaxteach.worlds.minigrid.environment import make
from jaxteach.worlds.minigrid.levels import LEVELS
from jaxteach.worlds.minigrid.state import State

pytestmark = pytest.mark.unoptimised

DOOR_KEY = "MiniGrid-DoorKey-5x5-v0"


def equal(ours: object, theirs: object) -> None:
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize(
    "name",
    [
        "MiniGrid-Dynamic-Obstacles-5x5-v0",
        pytest.param("MiniGrid-ObstructedMaze-1Dlhb-v0", marks=pytest.mark.slow),
    ],
)
def test_one_mapped_and_mapped_twice_are_the_same(name: str) -> None:
    env = make(name, autoreset=True, remember=True)
    keys = jax.random.split(jax.random.key(3), 6)
    actions = jnp.asarray([2, 1, 2, 5, 3, 2])

    def play(key: jax.Array, action: jax.Array) -> tuple:
        state = env.reset(key)
        state, outcome = env.step(jax.random.fold_in(key, 1), state, action)
        return state, outcome, env.observe(state), env.known(state)

    mapped = jax.jit(jax.vmap(play))(keys, actions)
    twice = jax.jit(jax.vmap(jax.vmap(play)))(keys.reshape(2, 3), actions.reshape(2, 3))
    equal(jax.tree.map(lambda x: x.reshape(6, *x.shape[2:]), twice), mapped)
    equal(jax.jit(play)(keys[4], actions[4]), jax.tree.map(lambda x: x[4], mapped))


def test_shapes_and_types() -> None:
    env = make(DOOR_KEY, remember=True)
    state = env.reset(jax.random.key(0))
    seen = env.observe(state)
    assert (seen.image.shape, seen.image.dtype) == ((7, 7, 3), jnp.uint8)
    assert (seen.direction.shape, seen.mission.shape) == ((), ())
    assert env.mission_text(seen.mission) == "use the key to open the door and then get to the goal"
    assert env.known(state).shape == (5, 5, 4)
    assert (env.n_actions, env.max_steps) == (7, 250)
    state, outcome = env.step(jax.random.key(1), state, 2)
    assert outcome.reward.dtype == jnp.float32 and int(state.clock) == 1


def test_autoreset_begins_a_new_episode_where_one_ends_and_only_there() -> None:
    env, manual = make(DOOR_KEY, autoreset=True), make(DOOR_KEY)
    keys = jax.random.split(jax.random.key(0), 8)
    state = jax.vmap(env.reset)(keys)
    late = jnp.where(jnp.arange(8) % 2 == 0, env.max_steps - 1, 0).astype(jnp.uint16)
    state = state.replace(clock=late)
    after, outcome = jax.jit(jax.vmap(env.step))(keys, state, jnp.zeros(8, jnp.int32))
    expected, same = jax.vmap(manual.step)(keys, state, jnp.zeros(8, jnp.int32))
    equal(outcome, same)
    assert outcome.truncated.tolist() == [True, False] * 4
    assert after.clock.tolist() == [0, 1] * 4
    equal(jax.tree.map(lambda x: x[1::2], after), jax.tree.map(lambda x: x[1::2], expected))
    assert len({bytes(np.asarray(grid)) for grid in after.grid[::2]}) > 1


@pytest.mark.parametrize("name", ["MiniGrid-Dynamic-Obstacles-5x5-v0", "MiniGrid-PutNear-6x6-N2-v0"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_ended_environments_are_renewed_alike_one_by_one_and_in_blocks(name: str, share: float) -> None:
    level, n = LEVELS[name], 70
    rng = np.random.default_rng(1)
    first, second = (jnp.asarray(rng.integers(0, 2**32, (n, 2), np.uint32)) for _ in range(2))
    state = engine.fresh(level, first, remember=True)
    state = state.replace(seen=state.seen + jnp.uint32(1))
    done = jnp.asarray(rng.random(n) < share)
    new = engine.fresh(level, second, remember=True)

    def chosen(a: jax.Array, b: jax.Array) -> np.ndarray:
        return np.where(np.asarray(done).reshape(-1, *[1] * (a.ndim - 1)), a, b)

    expected: State = jax.tree.map(chosen, new, state)
    for how in ("one", "blocks"):
        renew = jax.jit(lambda *args, how=how: engine.renew(level, *args, how))
        equal(renew(state, done, second), expected)


@pytest.mark.parametrize("name", ["MiniGrid-LavaGapS5-v0", "MiniGrid-MultiRoom-N2-S4-v0"])
def test_levels_differ_by_key_alone(name: str) -> None:
    env = make(name)
    keys = jax.random.split(jax.random.key(9), 5)
    together = jax.jit(jax.vmap(env.reset))(keys)
    equal(jax.tree.map(lambda x: x[3], together), env.reset(keys[3]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MiniGrid-DoorKey-8x8", "did you mean 'MiniGrid-DoorKey-8x8-v0'"),
        ("MiniGrid-WFC-MazeSimple-v0", "WFC levels are not here"),
        ("BabyAI-GoToRedBall-v0", "BabyAI levels are not here"),
        ("", "unknown level ''"),
    ],
)
def test_other_ids_are_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        make(name)
    assert "\n" not in str(error.value)
