"""MiniGrid's levels as tasks: the protocol, what students read, renewal, refusals."""

import dataclasses
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.tasks.checks import check_task
from jaxteach.tasks.registry import load_features
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.features import COLOURS, KINDS, Legend
from jaxteach.worlds.minigrid.kinds import channels
from jaxteach.worlds.minigrid.levels import LEVELS, level_of
from jaxteach.worlds.minigrid.levels.static import FourRooms
from jaxteach.worlds.minigrid.palette import ALL
from jaxteach.worlds.minigrid.task import LevelTask, _words_now
from tests.commands import here

EMPTY = "MiniGrid-Empty-5x5-v0"
# Few missions and many; doors and none; fixed and moving things; an odd shape; boxes that hold things.
SOME = (
    EMPTY,
    "MiniGrid-DoorKey-6x6-v0",
    "MiniGrid-Fetch-5x5-N2-v0",
    "MiniGrid-PutNear-6x6-N2-v0",
    "MiniGrid-KeyCorridorS3R1-v0",
    "MiniGrid-Dynamic-Obstacles-5x5-v0",
    "MiniGrid-ObstructedMaze-1Dlh-v0",
)
LEFT, RIGHT, FORWARD = range(3)
FRESH = jnp.array([7, 11], jnp.uint32)


@pytest.mark.parametrize("observation", ["seen", "view"])
@pytest.mark.parametrize("name", SOME)
def test_a_level_keeps_the_protocol(name, observation):
    task = make_task(name, observation=observation)
    check_task(task, name)
    level = level_of(name)
    assert (task.max_steps, len(task.action_names)) == (level.max_steps, level.n_actions)
    assert task == make_task(f"{name}:view" if observation == "view" else name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVELS)
def test_every_level_keeps_the_protocol(name):
    check_task(make_task(name), name)


def test_actions_have_minigrids_names_as_many_as_there_are():
    names = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
    assert make_task("MiniGrid-DoorKey-6x6-v0").action_names == names
    assert make_task("MiniGrid-Dynamic-Obstacles-5x5-v0").action_names == names[:3]


def walk(task, actions):
    """Play one episode; the states and outcomes of every step."""
    step = jax.jit(lambda state, action: task.step(task.update_seen(state), action))
    state, outcomes = task.reset(FRESH), []
    for action in actions:
        state, outcome = step(state, jnp.int32(action))
        outcomes.append(outcome)
    return state, outcomes


def test_success_and_reward_are_the_levels_own():
    _, outcomes = walk(make_task(EMPTY), [FORWARD, FORWARD, RIGHT, FORWARD, FORWARD])
    assert [bool(o.success) for o in outcomes] == [False] * 4 + [True]
    assert bool(outcomes[-1].terminated) and not bool(outcomes[-1].truncated)
    np.testing.assert_allclose(outcomes[-1].reward, 1 - 0.9 * 5 / 100, rtol=1e-6)


def test_an_episode_is_cut_off_at_the_variants_max_steps():
    _, outcomes = walk(make_task(EMPTY, max_steps=3), [LEFT, LEFT, LEFT])
    assert [bool(o.truncated) for o in outcomes] == [False, False, True]
    assert not any(bool(o.success) for o in outcomes)


def test_a_seen_map_remembers_what_the_view_forgets():
    """A small room, seen in full at the start; the agent then turns to the corner behind it."""
    seen, view = (make_task(EMPTY, observation=o) for o in ("seen", "view"))
    after, _ = walk(seen, [LEFT, LEFT])
    cells = seen.observe(seen.update_seen(after))["cells"]
    assert cells[3, 3, 0] == KINDS["goal"][0]
    assert cells[1, 1, 3] == 2, "the agent's direction"
    after, _ = walk(view, [LEFT, LEFT])
    shown = view.observe(after)
    assert shown["image"].shape == (7, 7, 3) and shown["direction"] == 2
    assert not (shown["image"][..., 0] == KINDS["goal"][0]).any()


# ---- what students read ------------------------------------------------------------------


def observations(task, n=16):
    """Random observations of a task, [n, ...], in NumPy, of every kind and colour, not only the level's."""
    rng = np.random.default_rng(0)
    shapes = task.features("compact").observed
    obs = {"mission": rng.integers(0, len(task.level.missions), n).astype(np.uint16)}
    cells = shapes.get("cells", (7, 7, 3))
    drawn = np.stack([rng.integers(0, most, (n, *cells[:2])) for most in (10, 6, 3)], axis=-1)
    if "image" in shapes:
        return {**obs, "image": drawn.astype(np.uint8), "direction": rng.integers(0, 4, n).astype(np.uint8)}
    agent = np.full((n, *cells[:2], 1), 4)
    rows, columns = (rng.integers(1, side - 1, n) for side in cells[:2])
    agent[np.arange(n), rows, columns, 0] = rng.integers(0, 4, n)
    return {**obs, "cells": np.concatenate([drawn, agent], axis=-1).astype(np.uint8)}


@pytest.mark.parametrize("kind", ["compact", "map"])
@pytest.mark.parametrize("observation", ["seen", "view"])
@pytest.mark.parametrize("name", ["MiniGrid-PutNear-6x6-N2-v0", "MiniGrid-ObstructedMaze-1Dlh-v0"])
def test_features_are_the_same_in_jax_in_numpy_and_out_of_config_json(name, observation, kind):
    task = make_task(name, observation=observation)
    features, obs = task.features(kind), observations(task)
    read = features.read(obs, np)
    assert read.shape == (16, features.size) and read.dtype == np.uint8
    assert features.size == np.prod(features.shape)
    in_jax = features.read(jax.tree.map(jnp.asarray, obs), jnp)
    assert in_jax.dtype == jnp.uint8
    np.testing.assert_array_equal(in_jax, read)
    restored = load_features(json.loads(json.dumps(features.described())), "config.json: features")
    assert restored == features


def test_the_map_seen_is_read_from_the_agent_on():
    """Facing south, what lies two rows down is two ahead; the mission follows the map."""
    legend = Legend(5, 5, ("empty", "key"), ("red", "green"), ("a", "b", "c"))
    features = load_features(
        {"reader": "seen_map", "legend": dataclasses.asdict(legend) | lists(legend)}, "here"
    )
    cells = np.zeros((1, 5, 5, 4), np.uint8)
    cells[..., 3] = 4
    cells[0, 1, 1] = (1, 0, 0, 1)
    cells[0, 3, 1] = (5, 1, 0, 4)  # a green key
    read = features.read({"cells": cells, "mission": np.array([2], np.uint16)}, np)[0]
    near = read[: 49 * 4].reshape(7, 7, 4)  # [forward, right, class]
    assert near[3, 3].tolist() == [1, 0, 0, 0]
    assert near[5, 3].tolist() == [0, 1, 0, 1]
    assert near.sum() == 3
    assert read[-3:].tolist() == [0, 0, 1]


def lists(legend):
    """A legend's tuples as JSON has them."""
    return {k: list(v) for k, v in dataclasses.asdict(legend).items() if isinstance(v, tuple)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kinds": ["wall", "dragon"]}, "dragon"),
        ({"colours": ["pink"]}, "pink"),
        ({"kinds": []}, "kinds"),
        ({"height": 1}, "sides"),
        ({"height": "5"}, "height"),
        ({"more": 1}, "more"),
    ],
)
def test_a_damaged_legend_is_refused(change, said):
    described = make_task("MiniGrid-Fetch-5x5-N2-v0").features("compact").described()
    with pytest.raises(UserError, match=said):
        load_features({**described, "legend": {**described["legend"], **change}}, "config.json: features")


def check_palette(name, n):
    """Whether all that lies in n resets is in the level's palette."""
    level = level_of(name)
    palette = level.palette
    words = jax.random.bits(jax.random.key(1), (n, 2))
    state = jax.jit(jax.vmap(LevelTask(name, level, "view").reset))(words)
    codes = np.asarray(state.env.grid)
    kind, colour, status = channels(codes)
    known = [KINDS[k] for k in palette.kinds]
    cells = set(zip(kind.ravel().tolist(), status.ravel().tolist(), strict=True))
    for number, state_of_door in cells:
        assert (number, None) in known or (number, state_of_door) in known, (number, state_of_door)
    colours = {COLOURS[c] for c in np.unique(colour[(kind >= 4) & (kind <= 7)])}
    if palette.colours:
        assert colours <= set(palette.colours)
    else:
        assert len(colours) <= 1
    if codes.dtype == np.uint16:
        assert not (codes >> 8).any() or "key" in palette.kinds
    assert set(palette.kinds) <= set(ALL.kinds)


@pytest.mark.parametrize("name", ["MiniGrid-DoorKey-6x6-v0", "MiniGrid-Fetch-5x5-N2-v0"])
def test_a_palette_has_all_that_lies_in_a_level(name):
    check_palette(name, 64)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVELS)
def test_every_palette_has_all_that_lies_in_its_level(name):
    assert level_of(name).palette != ALL
    check_palette(name, 256)


# ---- renewal -----------------------------------------------------------------------------

generated: list[int] = []


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counted(FourRooms):
    """A level that tells when it is generated."""

    def generate(self, draws):
        jax.debug.callback(lambda: generated.append(1))
        return super().generate(draws)


def test_levels_are_generated_only_where_episodes_ended():
    """Under two maps, of seeds and environments: once for each ended episode, and nothing else changes."""
    task = LevelTask("MiniGrid-Counted-v0", Counted(height=7, width=7, max_steps=100))
    words = jax.random.bits(jax.random.key(0), (2, 2, 3, 2))
    each = lambda function: jax.jit(jax.vmap(jax.vmap(function)))  # noqa: E731
    before = each(task.reset)(words[0])
    jax.effects_barrier()
    generated.clear()
    done = jnp.array([[True, False, False], [False, True, True]])
    after = each(task.renew)(words[1], before, done)
    jax.effects_barrier()
    assert len(generated) == 3
    fresh = each(task.reset)(words[1])
    expected = jax.tree.map(
        lambda new, old: jnp.where(done.reshape(2, 3, *[1] * (new.ndim - 2)), new, old), fresh, before
    )
    jax.tree.map(np.testing.assert_array_equal, after, expected)


def test_balls_move_by_the_episodes_own_key():
    task = make_task("MiniGrid-Dynamic-Obstacles-5x5-v0", observation="view")
    words = jax.random.bits(jax.random.key(2), (2, 2))
    state = task.reset(words[0])
    assert state.key.tolist() == words[0].tolist()
    assert task.renew(words[1], state, jnp.array(True)).key.tolist() == words[1].tolist()
    assert task.renew(words[1], state, jnp.array(False)).key.tolist() == words[0].tolist()
    assert make_task(EMPTY).reset(words[0]).key is None


def test_no_two_steps_draw_the_same_words():
    clock = jnp.arange(20_000, dtype=jnp.uint16)
    drawn = np.asarray(_words_now(jnp.broadcast_to(FRESH, (20_000, 2)), clock))
    assert len(np.unique(drawn, axis=0)) == 20_000
    bits = np.unpackbits(drawn.view(np.uint8)).mean()
    assert abs(bits - 0.5) < 5 * 0.5 / np.sqrt(drawn.size * 32)


# ---- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "MiniGrid-WFC-MazeSimple-v0"], "WFC levels are not here"),
        (["--task", "BabyAI-GoToObj-v0"], "BabyAI levels are not here"),
        (["--task", "MiniGrid-DorKey-8x8-v0"], "did you mean 'MiniGrid-DoorKey-8x8-v0'?"),
        (["--task", "MiniGrid-DoorKey-8x8"], "did you mean 'MiniGrid-DoorKey-8x8-v0'?"),
        (["--task", "minigrid-doorkey-8x8-v0"], "did you mean 'MiniGrid-DoorKey-8x8-v0'?"),
        (["--task", f"{EMPTY}:large"], "unknown variant 'large'"),
        (["--task", EMPTY, "--variant.room-min", "5"], "no --variant.room-min"),
        (["--task", EMPTY, "--variant.max-steps", "0"], "from 1 to 65535"),
        (["--task", EMPTY, "--variant.max-steps", "65536"], "from 1 to 65535"),
        (["--task", EMPTY, "--teacher", "chatglm"], "chatglm"),
        (["--task", EMPTY, "--method", "hierarchical"], "--teacher none"),
        (["--task", "simple_door_key", "--variant.observation", "view"], "unknown parameter 'observation'"),
    ],
)
def test_what_levels_cannot_do_is_refused_in_a_line(arguments, said, tmp_path):
    teacher = [] if "--teacher" in arguments or "hierarchical" in arguments else ["--teacher", "none"]
    done = here("run", *arguments, *teacher, "--out", tmp_path / "run")
    assert done.status == 2
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_level_needs_no_navix():
    code = (
        "import sys, jaxteach\n"
        f"env = jaxteach.make('{EMPTY}')\n"
        f"task = jaxteach.make_task('{EMPTY}')\n"
        "assert 'navix' not in sys.modules and 'minigrid' not in sys.modules\n"
        "print(env.max_steps, task.max_steps)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["100", "100"]


def test_features_and_facts_are_there_without_jax():
    code = (
        "import sys\n"
        "import jaxteach.worlds.minigrid.features, jaxteach.worlds.minigrid.paper.features\n"
        "assert 'jax' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_a_pool_of_layouts_serves_an_update(tmp_path):
    task = make_task("MiniGrid-FourRooms-v0", pool=3)
    assert task.pool_size == 3 and make_task("MiniGrid-FourRooms-v0").pool_size == 0
    flags = "--teacher none --seeds 1 --env-steps 512 --eval-episodes 4 --student.hidden 8 --rollout.envs 8"
    more = "--variant.pool 3 --variant.max-steps 20 --ppo.minibatch 32 --ppo.epochs 1"
    done = here(
        "run", "--task", "MiniGrid-FourRooms-v0", *flags.split(), *more.split(), "--out", tmp_path / "run"
    )
    assert done.status == 0, done.err
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert config["variant"]["pool"] == 3


@pytest.mark.parametrize("pool", [-1, 2**50])
def test_a_pool_larger_than_memory_is_refused(pool):
    with pytest.raises(UserError, match=rf"--variant.pool {pool}: MiniGrid-FourRooms-v0 takes from 0 to \d+"):
        make_task("MiniGrid-FourRooms-v0", pool=pool)
