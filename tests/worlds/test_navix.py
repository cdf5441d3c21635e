"""navix at the edge: its environments train here as they are, and no other task imports it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import navix
import numpy as np
import pytest

from jaxteach import make_task
from jaxteach.tasks import registry
from jaxteach.tasks.checks import check_task
from jaxteach.utils.errors import UserError
from jaxteach.worlds.navix import NavixTask
from jaxteach.worlds.vectors import Symbols
from tests.commands import here
from tests.plugins import command

pytestmark = pytest.mark.unoptimised

SMALL = (
    "--seeds 2 --seeds-per-chunk 2 --env-steps 1024 --eval-episodes 4 --student.hidden 8 --rollout.envs 8 "
)
SMALL += "--rollout.steps 16 --ppo.minibatch 32 --ppo.epochs 1 --host-devices 1"
TAUGHT = '''
"""A room of navix with a goal, taught in primitive actions."""
import jax.numpy as jnp
from jaxteach.worlds.navix import NavixTask

def abstract(obs):
    """Where the goal lies, seen from the player who faces east, south, west or north."""
    goal, player = obs[..., 0] == 8, obs[..., 0] == 10
    rows, columns = jnp.arange(obs.shape[0])[:, None], jnp.arange(obs.shape[1])[None]
    down = jnp.sum(jnp.where(goal, rows, 0)) - jnp.sum(jnp.where(player, rows, 0))
    right = jnp.sum(jnp.where(goal, columns, 0)) - jnp.sum(jnp.where(player, columns, 0))
    direction = jnp.sum(jnp.where(player, obs[..., 2], 0))
    ahead = jnp.stack([right, down, -right, -down])[direction]
    aside = jnp.stack([down, -right, -down, right])[direction]
    return jnp.where(ahead > 0, 0, jnp.where(aside > 0, 1, 2))

task = NavixTask(
    "goal_room", env_id="Navix-Empty-5x5-v0", max_steps=40, abstract=abstract,
    states=("The goal is ahead.", "The goal is not ahead, and to the right.", "The goal is elsewhere."),
    facts="The agent is in a closed room with a green goal. It reaches the goal by stepping onto it.",
)
'''
TABLE = {
    "schema_version": 1,
    "task": "goal_room",
    "name": "by-hand",
    "states": [
        {"text": state, "plans": [{"options": [{"option": kind}], "probability": 1.0, "count": None}]}
        for state, kind in (
            ("The goal is ahead.", "forward"),
            ("The goal is not ahead, and to the right.", "right"),
            ("The goal is elsewhere.", "left"),
        )
    ],
    "provenance": {"source": "written by hand"},
}
TRACES = """
import functools, sys
import jax, jax.numpy as jnp
import jaxteach, jaxteach.run
from jaxteach.training.compilation import outline_program
from jaxteach.training.evaluation import play_students
from jaxteach.training.loop import init_chunk, run_segment

config = jaxteach.config.resolve(jaxteach.Config(task="simple_door_key", seeds=1, seeds_per_chunk=1))
outline = outline_program(config, jaxteach.load_teacher("chatglm", "simple_door_key"))
plan, ids = outline.plan, jnp.zeros(1, jnp.uint32)
state = jax.eval_shape(functools.partial(init_chunk, plan), ids)
segment = functools.partial(run_segment, plan, 2, 1)
jax.eval_shape(segment, state, ids, outline.hyper, outline.teacher, jnp.int32(0))
play = functools.partial(play_students, plan.task, plan.student)
jax.eval_shape(lambda params, ids: play(params, ids, 8, False), state.params, ids)
assert not {"navix", "wandb"} & set(sys.modules)
"""


def test_training_a_task_of_the_paper_imports_no_navix(tmp_path: Path) -> None:
    """All programs of a run are traced, whatever they import on the way; none is compiled."""
    done = subprocess.run([sys.executable, "-c", TRACES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_navix_environment_is_navixs_own() -> None:
    """The same states, observations, rewards and endings as navix gives for the same key and actions."""
    task = make_task("Navix-FourRooms-v0", max_steps=25)
    env = navix.make("Navix-FourRooms-v0", max_steps=25, observation_fn=navix.observations.symbolic)
    step, theirs = jax.jit(task.step), jax.jit(env.step)
    state = jax.jit(task.reset)(jnp.array([3, 4], jnp.uint32))
    timestep = env.reset(jax.random.split(jax.random.wrap_key_data(jnp.array([3, 4], jnp.uint32)))[0])
    for action in np.random.default_rng(0).integers(0, 7, 25):
        np.testing.assert_array_equal(task.observe(state), timestep.observation)
        state, outcome = step(state, jnp.int32(action))
        timestep = theirs(timestep, jnp.int32(action))
        assert outcome.reward == timestep.reward
        assert bool(outcome.terminated) == bool(timestep.is_termination())
        assert bool(outcome.truncated) == bool(timestep.is_truncation())
        if outcome.done:
            break
    assert outcome.done


def test_every_symbol_has_a_place() -> None:
    """Of the objects that navix draws: no two cells that differ read alike."""
    cells = np.array(
        [[[[kind, colour, state]] for kind in range(11)] for colour in range(6) for state in range(4)]
    )
    cells = cells.reshape(-1, 1, 1, 3).astype(np.uint8)
    read = Symbols(1, 1).read(cells, np)
    assert read.shape == (11 * 6 * 4, 21) and (read.sum(axis=1) == 3).all()
    assert len(np.unique(read, axis=0)) == len(read)
    np.testing.assert_array_equal(read, Symbols(1, 1).read(jnp.asarray(cells), jnp))


@pytest.mark.slow
def test_four_rooms_trains_evaluates_and_plots(tmp_path: Path) -> None:
    """As the taught task below, of states that are larger and without a teacher."""
    flags = ["--task", "Navix-FourRooms-v0", "--teacher", "none", "--variant.max-steps", 30, *SMALL.split()]
    done = command(tmp_path, "run", *flags, "--out", "alone")
    assert done.status == 0, done.err
    done = command(tmp_path, "evaluate", "alone", "--episodes", 4, "--json")
    assert done.status == 0 and len(json.loads(done.out)["seeds"]) == 2, done.err
    done = command(tmp_path, "plot", "alone", "--out", "curve.png", "--window", 5)
    assert done.status == 0, done.err


def test_a_table_of_primitive_actions_teaches_a_navix_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {}
    exec(TAUGHT, names)
    monkeypatch.setitem(registry._tasks._registered, "goal_room", names["task"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "by-hand.json").write_text(json.dumps(TABLE))
    flags = ["--task", "goal_room", "--teacher", "by-hand.json", *SMALL.split(), "--out", "taught"]
    # navix's states hold typed random keys, which a checkpoint has to take.
    done = here("run", *flags, "--checkpoint-every", 1)
    assert done.status == 0, done.err
    summary = json.loads((tmp_path / "taught" / "summary.json").read_text())
    assert summary["teacher_success_rate"] == 1.0
    done = here("evaluate", "taught", "--episodes", 4)
    assert done.status == 0, done.err


def test_what_navix_does_not_have_is_refused() -> None:
    for name in ("Navix-FourRoms-v0", "Navix-"):
        with pytest.raises(UserError, match=f"navix has no environment '{name}'"):
            make_task(name)
    with pytest.raises(UserError, match="no environment 'x'"):
        NavixTask("mine", env_id="x")
    with pytest.raises(UserError, match=r"task Navix-Empty-5x5-v0 has no --variant.room-min: leave it out"):
        make_task("Navix-Empty-5x5-v0", room_min=5)
    with pytest.raises(UserError, match="task 'Navix-Empty-5x5-v0' has no variants"):
        make_task("Navix-Empty-5x5-v0:large")


def test_two_names_of_one_environment_are_two_tasks() -> None:
    mine = NavixTask("mine", env_id="Navix-Empty-5x5-v0")
    check_task(mine, "mine")
    assert mine.name == "mine" and mine.no_op == 6 and mine.pool_size == 32
