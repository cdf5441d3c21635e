"""Tasks by name, here and in navix: its rendering and its own PPO agent work on them."""

from typing import Any

import jax
import navix
import numpy as np
import pytest
from navix.agents.models import ActorCritic, ConvEncoder
from navix.agents.ppo import PPO, PPOHparams
from navix.rendering.registry import SPRITES_REGISTRY

from jaxteach import tasks
from jaxteach.tasks import registry
from jaxteach.tasks.checks import check_task
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.simple_door_key import SimpleDoorKey

pytestmark = pytest.mark.unoptimised

FOUR = ("colored_door_key", "lava_door_key", "simple_door_key", "two_door")


def test_the_four_tasks_are_found_by_name() -> None:
    assert set(FOUR) <= set(tasks.task_names())
    for name in FOUR:
        assert tasks.make_task(name).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("simple_dor_key", "unknown task 'simple_dor_key': did you mean 'simple_door_key'?"),
        ("lava", "choose from: colored_door_key, lava_door_key, simple_door_key, two_door"),
        ("registry", "unknown task 'registry'"),
        ("engine", "unknown task 'engine'"),
        (
            "two_door:smal_rooms",
            "unknown variant 'smal_rooms' of task 'two_door': did you mean 'small_rooms'?",
        ),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        tasks.make_task(name)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_parameters_left_at_none_are_the_defaults() -> None:
    assert tasks.make_task("two_door", n_lava=None) == tasks.make_task("two_door")
    assert tasks.make_task("two_door:small_rooms", room_max=11).room_max == 11


def test_a_task_defined_elsewhere_is_used_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._tasks, "_registered", {})

    @tasks.register_task
    class TinyDoorKey(SimpleDoorKey):
        """SimpleDoorKey in the smallest rooms."""

        name = "tiny_door_key"
        defaults = {**SimpleDoorKey.defaults, "room_max": 5}  # noqa: RUF012

    assert "tiny_door_key" in tasks.task_names()
    assert tasks.make_task("tiny_door_key").room_max == 5
    assert tasks.language("tiny_door_key") == tasks.language("simple_door_key")
    assert "Navix-TinyDoorKey-v0" in tasks.register_navix()
    assert navix.make("Navix-TinyDoorKey-v0").task.room_max == 5

    with pytest.raises(UserError, match="a task named 'two_door' exists already"):
        tasks.register_task(type("Impostor", (SimpleDoorKey,), {"name": "two_door"}))


def test_navix_draws_the_room_that_is_there() -> None:
    """Rooms differ in size from episode to episode; walls must not be drawn where they were last time."""
    tasks.register_navix()
    env = navix.make("Navix-SimpleDoorKey-v0", observation_fn=navix.observations.rgb, max_steps=1)
    step = jax.jit(env.step)
    timestep, rooms = jax.jit(env.reset)(jax.random.key(0)), set()
    for _ in range(12):  # every other step is a reset
        timestep = step(timestep, 0)
        picture = np.asarray(timestep.observation)
        assert picture.shape == env.observation_space.shape == (80, 80, 3)
        tiles = picture.reshape(10, 8, 10, 8, 3).swapaxes(1, 2)  # [row, column, 8, 8, 3]
        # navix shrinks its sprites when it is imported, and rounds them down: grey is 100 or 99.
        walls = (tiles == np.asarray(SPRITES_REGISTRY["wall"])).all(axis=(2, 3, 4))
        game = timestep.state.game
        grid, _ = env.task.grid_of(game)
        np.testing.assert_array_equal(walls, np.asarray(grid[..., 0]) == 2)
        row, column = game.position
        np.testing.assert_array_equal(tiles[row, column], SPRITES_REGISTRY["player"][game.direction])
        rooms.add(tuple(game.room.tolist()))
    assert len(rooms) >= 5


def navixs_agent() -> PPO:
    """navix's own, for three updates."""
    tasks.register_navix()
    env = navix.make("Navix-SimpleDoorKey-v0", rendering=False, max_steps=12)
    settings = PPOHparams(budget=3 * 8 * 16, num_envs=8, num_steps=16, num_minibatches=2)
    return PPO(hparams=settings, network=ActorCritic(7, ConvEncoder(), ConvEncoder()), env=env)


def test_navixs_own_agent_takes_a_registered_task() -> None:
    """All that it does with one is traced; what a step does is compared in test_navix_environment.py."""
    _, logs = jax.eval_shape(navixs_agent().train, jax.random.key(0))
    assert logs["agent/train/done_mask"].shape[0] == 3


@pytest.mark.slow
def test_navixs_own_agent_trains_on_a_registered_task() -> None:
    state, logs = jax.jit(navixs_agent().train)(jax.random.key(0))
    assert int(state.frames) == 3 * 8 * 16 and int(state.step) == 6
    assert np.isfinite(logs["agent/diagnostics/total_loss"]).all()
    assert logs["agent/train/lengths"].max() == 12  # episodes end, and begin again
    assert np.asarray(logs["agent/train/done_mask"]).sum() >= 3 * 8


@pytest.mark.parametrize("parameter", ["reward_fn", "action_space", "penalty_coeff"])
def test_what_a_task_would_pass_over_is_refused(parameter: str) -> None:
    tasks.register_navix()
    other = 0.5 if parameter == "penalty_coeff" else (lambda *arguments: 0.0)
    with pytest.raises(UserError, match=f"{parameter} of simple_door_key cannot be changed"):
        navix.make("Navix-SimpleDoorKey-v0", **{parameter: other})
    with pytest.raises(UserError, match=f"unknown parameter '{parameter}' of simple_door_key"):
        tasks.make_task("simple_door_key", **{parameter: other})


def test_unknown_parameters_are_named() -> None:
    with pytest.raises(UserError, match="unknown parameter 'room_mxa' of two_door: did you mean 'room_max'"):
        tasks.make_task("two_door", room_mxa=8)


@pytest.mark.parametrize("name", FOUR)
def test_the_package_s_own_tasks_keep_to_the_protocol(name: str) -> None:
    """Here, so that no command has to look."""
    check_task(tasks.make_task(name), f"task {name!r}")


def test_a_name_is_not_taken_from_a_task_that_is_not_imported_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._tasks, "_registered", {})
    own = registry._tasks.get("lava_door_key")
    monkeypatch.setattr(registry._tasks, "_registered", {})
    with pytest.raises(UserError, match="a task named 'lava_door_key' exists already"):
        tasks.register_task(type("Impostor", (SimpleDoorKey,), {"name": "lava_door_key"}))
    assert tasks.register_task(own) is own  # a task may say itself that it is one
    assert registry._tasks.get("lava_door_key") is own


def test_levels_share_the_tables_of_their_family() -> None:
    owners = registry.table_owners()
    assert set(tasks.task_names()) < set(owners) and "MiniGrid-KeyCorridor" in owners
    words = registry.language("MiniGrid-KeyCorridor")
    assert words.family == "MiniGrid-KeyCorridor"
    assert registry.language("MiniGrid-KeyCorridorS3R3-v0") is words
    assert not registry.needs_jax("MiniGrid-KeyCorridor") and registry.needs_jax(
        "MiniGrid-KeyCorridorS3R3-v0"
    )


@pytest.mark.parametrize("ask", [registry.task_facts, registry.facts_class, tasks.make_task])
@pytest.mark.parametrize("name", ["MiniGrid-KeyCorridor", "Navix-DoorKey"])
def test_a_family_is_no_task(ask: Any, name: str) -> None:
    with pytest.raises(UserError, match=f"'?{name}") as caught:
        ask(name)
    assert "\n" not in str(caught.value)
