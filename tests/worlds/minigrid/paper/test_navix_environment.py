"""The task as a navix environment: its interface, and what of it can be changed."""

import functools

import jax
import jax.numpy as jnp
import navix
import numpy as np
import pytest
from navix.environments.environment import StepType, Timestep

from jaxteach.tasks import task_names
from jaxteach.tasks.registry import task_class
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.constants import DONE, FORWARD, LEFT, LOCKED, OPEN, PICKUP, TOGGLE
from jaxteach.worlds.minigrid.paper.navix_environment import TaskEnvironment, make_environment
from jaxteach.worlds.minigrid.paper.simple_door_key import SimpleDoorKey
from jaxteach.worlds.minigrid.paper.two_door import TwoDoor
from tests.worlds.minigrid.paper.scenes import DOOR_AND_KEY, start


@functools.partial(jax.jit, static_argnums=0)
def step(environment: TaskEnvironment, timestep: Timestep, action: int) -> Timestep:
    return environment.step(timestep, action)


def walk(environment: TaskEnvironment, actions: list[int]) -> list[Timestep]:
    game = environment.task.from_grid(*start(DOOR_AND_KEY))
    timesteps = [environment.timestep(game, jax.random.key(0))]
    for action in actions:
        timesteps.append(step(environment, timesteps[-1], action))
    return timesteps


def flags(timestep: Timestep) -> tuple[bool, bool]:
    return bool(timestep.info["terminated"]), bool(timestep.info["truncated"])


def test_opening_a_door_through_navix() -> None:
    timesteps = walk(make_environment(SimpleDoorKey, max_steps=30), [PICKUP, LEFT, TOGGLE])
    assert [flags(t) for t in timesteps] == [(False, False)] * 3 + [(True, False)]
    assert [bool(t.info["success"]) for t in timesteps] == [False] * 3 + [True]
    assert [int(t.t) for t in timesteps] == [0, 1, 2, 3]
    np.testing.assert_allclose([float(t.reward) for t in timesteps], [0, 0, 0, 1 - 0.9 * 3 / 30], atol=1e-6)
    assert timesteps[-1].step_type == StepType.TERMINATION
    assert float(timesteps[-1].info["return"]) == pytest.approx(0.91)
    doors = [int(t.observation[0, 2, 2]) for t in timesteps]
    assert doors == [LOCKED, LOCKED, LOCKED, OPEN]


def test_both_flags_on_the_last_step() -> None:
    last = walk(make_environment(SimpleDoorKey, max_steps=3), [PICKUP, LEFT, TOGGLE])[-1]
    assert flags(last) == (True, True)
    assert float(last.reward) == pytest.approx(0.1)
    assert last.step_type == StepType.TERMINATION  # navix has room for one of them


def test_time_runs_out() -> None:
    last = walk(make_environment(SimpleDoorKey, max_steps=3), [PICKUP, LEFT, DONE])[-1]
    assert flags(last) == (False, True) and float(last.reward) == 0
    assert last.step_type == StepType.TRUNCATION


def test_the_step_after_the_end_is_a_reset() -> None:
    """navix's convention: one call late, from the state's own key, whatever the action."""
    environment = make_environment(SimpleDoorKey, max_steps=3)
    last = walk(environment, [PICKUP, LEFT, DONE])[-1]
    fresh, expected = step(environment, last, FORWARD), environment.reset(last.state.key)
    assert int(fresh.t) == 0 and not fresh.is_done() and int(fresh.state.game.clock) == 0
    np.testing.assert_array_equal(fresh.observation, expected.observation)
    assert flags(fresh) == (False, False) and float(fresh.info["return"]) == 0


@pytest.mark.parametrize("name", task_names())
def test_reset_is_drawn_from_its_key(name: str) -> None:
    environment = make_environment(task_class(name))
    reset = jax.jit(lambda key: environment.reset(key).observation)
    one, again, other = (np.asarray(reset(jax.random.key(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert one.shape == environment.observation_space.shape and one.dtype == np.uint8


@pytest.mark.parametrize(
    "parameter",
    [
        *("reward_fn", "termination_fn", "transitions_fn", "action_set", "penalty_coeff"),
        *("action_space", "reward_space"),
    ],
)
def test_what_a_task_would_pass_over_is_refused(parameter: str) -> None:
    other = 0.5 if parameter == "penalty_coeff" else (lambda *arguments: 0.0)
    with pytest.raises(UserError, match=f"{parameter} of simple_door_key cannot be changed"):
        make_environment(SimpleDoorKey, **{parameter: other})


@pytest.mark.parametrize("parameter", ["reward_fn", "termination_fn", "transitions_fn", "action_set"])
def test_nor_can_it_be_changed_afterwards(parameter: str) -> None:
    with pytest.raises(UserError, match=f"{parameter} of two_door cannot be changed"):
        make_environment(TwoDoor).replace(**{parameter: lambda *arguments: 0.0})


def test_unknown_parameters_are_named() -> None:
    with pytest.raises(UserError, match="unknown parameter 'room_mxa' of two_door: did you mean 'room_max'"):
        make_environment(TwoDoor, room_mxa=8)
    with pytest.raises(UserError, match="goes with an observation_fn"):
        make_environment(TwoDoor, observation_space=navix.spaces.Discrete.create(3))


def test_what_an_agent_reads_off_a_task_is_kept_and_tells_environments_apart() -> None:
    space = navix.spaces.Discrete.create(9, (4,), jnp.uint8)
    own = {"observation_fn": lambda state: 0, "observation_space": space, "gamma": 0.5}
    environment = make_environment(SimpleDoorKey, **own)
    assert (environment.gamma, environment.observation_space) == (0.5, space)
    halved, plain, again = (make_environment(TwoDoor, **gamma) for gamma in ({"gamma": 0.5}, {}, {}))
    assert halved != plain == again and hash(plain) == hash(again)
    assert len({plain, make_environment(TwoDoor, room_min=10), make_environment(SimpleDoorKey)}) == 3
