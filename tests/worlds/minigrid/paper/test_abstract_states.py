"""Abstract states: rollouts search for one that is not listed, or whose caption is not what is seen."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from jaxteach.tasks import make_task, task_names
from jaxteach.tasks.registry import task_class
from jaxteach.teacher import load_table, table_names
from jaxteach.teacher.policy import Teacher, compile_teacher, teacher_policy
from jaxteach.worlds.minigrid.paper.constants import COLOUR_NAMES, DOOR, KEY, NO_AGENT
from jaxteach.worlds.minigrid.paper.layout import Layout
from jaxteach.worlds.minigrid.paper.state import GridState
from jaxteach.worlds.minigrid.paper.task import Task
from tests.worlds.minigrid.paper.play import draw_layouts

pytestmark = pytest.mark.unoptimised

LANES, STEPS = 256, 150
VARIANTS = [f"{name}:{variant}" for name in task_names() for variant in task_class(name).variants]
SMALL = {"simple_door_key": 5, "lava_door_key": 5, "colored_door_key": 5, "two_door": 6}
PROBABILITIES = (0.16, 0.16, 0.34, 0.2, 0.1, 0.02, 0.02)  # random play that handles things, but spares doors


def plain_caption(task: Task, obs: np.ndarray) -> str:
    """The caption of an observation, from semantics alone: keys, then doors, each by column, then row."""
    vocabulary = task.vocabulary
    here = obs[..., 3] != NO_AGENT

    def name(kind: str, colour: int) -> str:
        coloured = f"{COLOUR_NAMES[colour]} {kind}"
        return coloured if coloured in (*vocabulary.key_classes, *vocabulary.doors) else kind

    cells = sorted((int(x), int(y)) for y, x in np.argwhere(np.isin(obs[..., 0], (KEY, DOOR)) & ~here))
    keys = [name("key", obs[y, x, 1]) for x, y in cells if obs[y, x, 0] == KEY]
    doors = [name("door", obs[y, x, 1]) for x, y in cells if obs[y, x, 0] == DOOR]
    if len(vocabulary.doors) > 1:
        doors = [f"door{i}" for i, _ in enumerate(doors, start=1)]
    kind, colour = (int(v) for v in obs[here][0, :2])
    held = name("key", colour) if kind == KEY else "nothing"
    seen = list(dict.fromkeys(keys)) + doors
    text = f"Agent sees {', '.join(f'<{thing}>' for thing in seen) or '<nothing>'}, holds <{held}>."
    if vocabulary.recoloured:
        colours = list(dict.fromkeys(thing.split()[0] for thing in [*seen, held] if thing != "nothing"))
        for i, colour_name in enumerate(colours, start=1):
            text = text.replace(f"<{colour_name} ", f"<c{i} ")
    return text


@functools.partial(jax.jit, static_argnums=0)
def survey(
    task: Task, layouts: dict[str, Any], actions: Array, teacher: Teacher | None, key: Array
) -> dict[str, Array]:
    """Play actions i32[T, n], or a teacher's where there is one; observations and indices [T, n, ...]."""

    def step(states: GridState, now: tuple[Array, Array]) -> tuple[GridState, dict[str, Array]]:
        action, key = now
        states = jax.vmap(task.update_seen)(states)
        obs = jax.vmap(task.observe)(states)
        if teacher is not None:
            q = teacher_policy(teacher, task, obs, states.memory)
            action = jax.random.categorical(key, jnp.log(q))
        then, outcome = jax.vmap(task.step)(states, action)
        return then, {"obs": obs, "index": task.perceive(obs, states.memory)[0], "done": outcome.done}

    states = jax.vmap(lambda layout: task.state_of(Layout(**layout)))(layouts)
    return jax.lax.scan(step, states, (actions, jax.random.split(key, len(actions))))[1]


def explored(task: Task, seed: int, taught: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Observations of live episodes and the indices our code gives them."""
    layouts = draw_layouts(task, seed, LANES)
    # Rules and captions do not depend on the rooms' sizes: variants of those share a program.
    engine = make_task(task.name, n_keys=task.n_keys, n_lava=task.n_lava)
    teacher = None
    if taught:
        table = table_names(task.name)[0]  # chatglm, where there is one
        teacher = compile_teacher(load_table(table, task.name, task.language), task)
    actions = np.random.default_rng(seed).choice(7, p=PROBABILITIES, size=(STEPS, LANES))
    seen = jax.tree.map(np.asarray, survey(engine, layouts, actions, teacher, jax.random.key(seed)))
    alive = np.cumsum(seen["done"], axis=0) - seen["done"] == 0  # up to the step that ends the episode
    return seen["obs"][alive], seen["index"][alive]


def assert_all_listed(task: Task, obs: np.ndarray, indices: np.ndarray) -> None:
    """No observation is without a state, and every state's caption is the plain one."""
    unlisted = np.flatnonzero(indices < 0)
    assert not unlisted.size, f"not listed: {plain_caption(task, obs[unlisted[0]])}"
    picked = np.random.default_rng(0).choice(len(obs), 800)
    rare = [np.flatnonzero(indices == index)[0] for index in np.unique(indices)]
    for i in [*picked, *rare]:
        assert task.language.states[int(indices[i])].text == plain_caption(task, obs[i])


@pytest.mark.parametrize("name", [*task_names(), *VARIANTS])
def test_random_play_finds_no_unlisted_state(name: str) -> None:
    task = make_task(name)
    obs, indices = explored(task, seed=11)
    assert len(obs) > 5000
    assert_all_listed(task, obs, indices)


@pytest.mark.parametrize("name", [name for name in task_names() if table_names(name)])
def test_teacher_play_finds_no_unlisted_state(name: str) -> None:
    task = make_task(name)
    assert_all_listed(task, *explored(task, seed=12, taught=True))


@pytest.mark.parametrize(
    ("name", "parameters", "n_states"),
    [
        ("simple_door_key", {}, 6),
        ("lava_door_key", {}, 6),
        ("colored_door_key", {}, 14),
        ("two_door", {}, 9),
        ("simple_door_key", {"n_keys": 2}, 8),
        ("colored_door_key", {"n_keys": 1}, 6),
        ("colored_door_key", {"n_keys": 3}, None),
    ],
)
def test_every_listed_state_is_reached(name: str, parameters: dict[str, int], n_states: int | None) -> None:
    """Exactly the reachable states are listed: in small rooms random play meets them all."""
    side = SMALL[name]
    task = make_task(name, room_min=side, room_max=side, **parameters)
    met: set[int] = set()
    for seed in range(4):
        met |= {int(i) for i in explored(task, seed)[1]}
    missed = [state.text for i, state in enumerate(task.language.states) if i not in met]
    assert missed == []
    assert n_states in (None, len(task.language.states))


def test_colored_captions_in_real_colours_are_eighteen() -> None:
    vocabulary = make_task("colored_door_key").vocabulary
    assert len({vocabulary.real_state(situation) for situation in vocabulary.situations()}) == 18
