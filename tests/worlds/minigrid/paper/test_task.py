"""A door/key task: its rules through the protocol, its variants, and which of them are impossible."""

import functools

import jax
import numpy as np
import pytest

from jaxteach.tasks import make_task, task_names
from jaxteach.tasks.protocol import Outcome
from jaxteach.tasks.registry import task_class
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.constants import DONE, LEFT, LOCKED, OPEN, PICKUP, TOGGLE
from jaxteach.worlds.minigrid.paper.state import GridState
from jaxteach.worlds.minigrid.paper.task import Task
from tests.worlds.minigrid.paper.play import draw_layouts
from tests.worlds.minigrid.paper.scenes import DOOR_AND_KEY, start


@functools.partial(jax.jit, static_argnums=0)
def step(task: Task, state: GridState, action: int) -> tuple[GridState, Outcome]:
    """One step and the look around after it."""
    state, outcome = task.step(state, action)
    return task.update_seen(state), outcome


def walk(task: Task, actions: list[int]) -> tuple[list[GridState], list[Outcome]]:
    """The states, from the start on, and what each action gave."""
    states, outcomes = [task.from_grid(*start(DOOR_AND_KEY))], []
    for action in actions:
        state, outcome = step(task, states[-1], action)
        states.append(state)
        outcomes.append(outcome)
    return states, outcomes


def flags(outcome: Outcome) -> tuple[bool, bool, bool]:
    return bool(outcome.terminated), bool(outcome.truncated), bool(outcome.success)


def test_opening_a_door() -> None:
    task = make_task("simple_door_key", max_steps=30)
    states, outcomes = walk(task, [PICKUP, LEFT, TOGGLE])
    assert [flags(o) for o in outcomes] == [(False, False, False)] * 2 + [(True, False, True)]
    assert [int(state.clock) for state in states] == [0, 1, 2, 3]
    np.testing.assert_allclose([float(o.reward) for o in outcomes], [0, 0, 1 - 0.9 * 3 / 30], atol=1e-6)
    doors = [int(task.observe(state)[0, 2, 2]) for state in states]
    assert doors == [LOCKED, LOCKED, LOCKED, OPEN]


def test_both_flags_on_the_last_step() -> None:
    last = walk(make_task("simple_door_key", max_steps=3), [PICKUP, LEFT, TOGGLE])[1][-1]
    assert flags(last) == (True, True, True) and bool(last.done)
    assert float(last.reward) == pytest.approx(0.1)


def test_time_runs_out() -> None:
    last = walk(make_task("simple_door_key", max_steps=3), [PICKUP, LEFT, DONE])[1][-1]
    assert flags(last) == (False, True, False) and bool(last.done) and float(last.reward) == 0


@pytest.mark.parametrize("name", task_names())
def test_reset_is_drawn_from_its_words(name: str) -> None:
    task = make_task(name)

    @jax.jit
    def first(key: jax.Array) -> jax.Array:
        return task.observe(task.update_seen(task.reset(jax.random.bits(key, (task.n_draws,)))))

    one, again, other = (np.asarray(first(jax.random.key(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert one.shape == (task.height, task.width, 4) and one.dtype == np.uint8


def test_equal_tasks_are_one_static_argument() -> None:
    """Two tasks alike must not compile twice, two that differ must not share a program."""
    name = "lava_door_key"
    assert make_task(name) == make_task(name) and hash(make_task(name)) == hash(make_task(name))
    changes = [
        {"n_lava": 2},
        {"n_keys": 2},
        {"view_size": 5},
        {"max_steps": 9},
        {"room_min": 6},
        {"room_max": 9},
    ]
    tasks = [
        make_task(name),
        make_task("simple_door_key", n_lava=1),
        *(make_task(name, **c) for c in changes),
    ]
    assert len(set(tasks)) == len(tasks)


@pytest.mark.parametrize("name", [f"{n}:{v}" for n in task_names() for v in task_class(n).variants])
def test_every_variant_differs_from_its_task(name: str) -> None:
    base, variant = name.split(":")
    task = make_task(name)
    assert task != make_task(base)
    for parameter, value in task_class(base).variants[variant].items():
        assert getattr(task, parameter) == value


@pytest.mark.parametrize("name", task_names())
def test_every_task_has_two_variants_with_the_words_of_its_table(name: str) -> None:
    """A student is tried on variants its teacher's table still describes."""
    words = make_task(name).language
    alike = [v for v in task_class(name).variants if make_task(f"{name}:{v}").language == words]
    assert len(alike) >= 2


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("simple_door_key", {"view_size": 4}, "view size 4, it must be odd"),
        ("simple_door_key", {"view_size": 1}, "view size 1"),
        ("simple_door_key", {"view_size": 33}, "view size 33"),
        ("simple_door_key", {"room_min": 3}, "room sides 3..10"),
        ("simple_door_key", {"room_min": 9, "room_max": 6}, "room sides 9..6"),
        ("simple_door_key", {"room_max": 11}, "room side 11 does not fit the 10x10 grid"),
        ("simple_door_key", {"height": 40, "width": 40}, "40x40 grid, sides can be at most 32"),
        ("simple_door_key", {"max_steps": 0}, "0 steps"),
        ("simple_door_key", {"n_keys": 0}, "0 keys"),
        ("simple_door_key", {"n_lava": -1}, "-1 lava cells"),
        ("lava_door_key", {"n_lava": 7}, "its objects need 10"),
        ("colored_door_key", {"n_keys": 4}, "4 keys, at most 3"),
        ("two_door", {"n_keys": 5}, "5 keys, at most 4"),
        ("two_door", {"room_min": 5}, "room side 5, at least 6"),
    ],
)
def test_impossible_variants_are_refused_in_one_line(
    name: str, parameters: dict[str, int], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        make_task(name, **parameters)
    assert str(caught.value).startswith(f"impossible variant of {name}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("simple_door_key", {"room_min": 4, "room_max": 4, "n_lava": 1}),
        ("lava_door_key", {"room_min": 5, "room_max": 5, "n_lava": 6}),
        ("colored_door_key", {"room_min": 4, "room_max": 4}),
        ("two_door", {"room_min": 6, "room_max": 6, "n_keys": 4}),
    ],
)
def test_the_fullest_variants_still_fit(name: str, parameters: dict[str, int]) -> None:
    task = make_task(name, **parameters)
    drawn = jax.tree.map(np.asarray, draw_layouts(task, 0, 256))
    cells = np.stack([drawn["agent"], *drawn["keys"], *drawn["lava"]], axis=1)  # [256, things, 2]
    assert (cells >= 1).all() and (cells <= drawn["room"][:, None] - 2).all()
    assert all(len({tuple(cell) for cell in lane.tolist()}) == cells.shape[1] for lane in cells)
