"""An environment of another kind: gymnax's interface, dense rewards, 3 actions, vectors, written states."""

import functools
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach import Config, load_policy, train
from jaxteach.config import PPO, Rollout, Student, resolve
from jaxteach.tasks import registry
from jaxteach.teacher import Plan, PlanTable, load_table, parse_plan, save_table
from jaxteach.training.starts import fresh_starts
from jaxteach.training.streams import evaluation_key, first_layouts_key
from jaxteach.worlds.gymnax import GymnaxTask
from tests.commands import Done, here
from tests.plugins import command, install
from tests.worlds import chase

pytestmark = pytest.mark.unoptimised

SOURCE = Path(chase.__file__).read_text(encoding="utf-8")
SMALL = (
    "--seeds 2 --seeds-per-chunk 2 --env-steps 2048 --eval-episodes 20 --student.hidden 8 --rollout.envs 8 "
)
SMALL += "--rollout.steps 16 --ppo.minibatch 32 --ppo.epochs 1 --host-devices 1"


def table_by_hand(path: Path) -> PlanTable:
    """A table over the hand-written states: plans of primitive actions."""
    words = chase.task.language
    return save_table(
        PlanTable(
            task="chase",
            name="by-hand",
            states=words.states,
            plans=tuple(
                (Plan(parse_plan(plan, (), words.grammar), probability=1.0),) for plan in chase.PLANS
            ),
            provenance={"source": "written by hand"},
        ),
        path,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the chase as an installed package, and its table."""
    folder = tmp_path_factory.mktemp("plugin")
    install(folder, "chase-game", {"jaxteach.tasks": {"chase": "chase:task"}}, chase=SOURCE)
    table_by_hand(folder / "by-hand.json")
    return folder


def told(*lines: str) -> list[str]:
    return [line for text in lines for line in text.splitlines() if line.startswith("error")]


@pytest.fixture(params=["here", pytest.param("apart", marks=pytest.mark.slow)])
def command_line(
    request: pytest.FixtureRequest, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Done]:
    """Commands that know the task: in this process, or in one that finds the package for itself."""
    if request.param == "apart":
        return functools.partial(command, installed)
    monkeypatch.setitem(registry._tasks._registered, "chase", chase.task)
    monkeypatch.chdir(installed)
    return here


@pytest.mark.parametrize("teacher", ["by-hand.json", pytest.param("none", marks=pytest.mark.slow)])
def test_it_trains_evaluates_and_plots_from_the_command_line(
    tmp_path: Path, command_line: Callable[..., Done], teacher: str
) -> None:
    out = tmp_path / "run"
    done = command_line("run", "--task", "chase", "--teacher", teacher, "--out", out, *SMALL.split())
    assert done.status == 0, done.err
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["teacher_success_rate"] is None) == (teacher == "none")
    if teacher != "none":
        assert summary["teacher_success_rate"] > 0.95
    done = command_line("evaluate", out, "--episodes", 20, "--greedy", "--json")
    assert done.status == 0, done.err
    check_greedy_returns(out, json.loads(done.out))
    done = command_line("plot", out, "--out", out / "curve.png")
    assert done.status == 0 and (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    done = command_line("render", out)
    assert done.status == 2 and told(done.err) == [
        "error: task chase cannot be drawn: it has no draw() and endings"
    ]


def check_greedy_returns(out: Path, result: dict[str, Any]) -> None:
    """Play the very episodes again in NumPy, the student included."""
    for place, seed in enumerate(result["seeds"]):
        policy = load_policy(out, seed)
        key = first_layouts_key(evaluation_key(np.uint32(seed + 2**32 // 4096)))
        starts = fresh_starts(chase.task, key, result["episodes"]).env
        played = [
            chase.replay(
                tuple(int(x[i]) for x in starts[:3]), lambda _, obs, p=policy: int(np.argmax(p(obs)))
            )
            for i in range(result["episodes"])
        ]
        for name, values in zip(("return", "length", "success_rate"), np.transpose(played), strict=True):
            assert result[name]["per_seed"][place] == pytest.approx(values.mean(), rel=1e-5), name


class Recorder:
    """Every step taken, by episode; a stand-in for the environment's own memory."""

    def __init__(self) -> None:
        self.steps: dict[int, dict[int, tuple[int, ...]]] = defaultdict(dict)

    def __call__(self, episode: Any, clock: Any, *facts: Any) -> None:
        self.steps[int(episode)][int(clock)] = tuple(map(int, facts))

    def replayed(self) -> list[tuple[float, int, bool]]:
        """The episodes that ended, by the rules in NumPy from their starts and actions."""
        ended = []
        for steps in self.steps.values():
            act: Callable[[int, Any], int] = lambda clock, _, s=steps: s[clock][3]  # noqa: E731
            try:
                ended.append(chase.replay(steps[0][:3], act))  # type: ignore[arg-type]
            except KeyError:  # still running when training ended
                continue
        return ended


def config_for(**changes: Any) -> Config:
    """A small run from Python."""
    return resolve(
        Config(
            task="chase",
            seeds=2,
            seeds_per_chunk=2,
            env_steps=1024,
            student=Student(hidden=8),
            ppo=PPO(minibatch=32, epochs=1),
            rollout=Rollout(envs=8, steps=16),
            **changes,
        )
    )


@pytest.mark.parametrize("taught", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_returns_are_the_sums_of_rewards_of_the_same_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taught: bool
) -> None:
    recorder = Recorder()
    task = chase.make_task(env=chase.Chase(recorder))
    monkeypatch.setitem(registry._tasks._registered, "chase", task)
    table = table_by_hand(tmp_path / "by-hand.json") if taught else None
    training = train(config_for(teacher="none" if table is None else str(tmp_path / "by-hand.json")), table)
    jax.effects_barrier()
    metrics, played = training.metrics, recorder.replayed()
    ended = metrics["finished"].sum()
    assert ended == len(played) > 50
    assert metrics["started"].sum() == len(recorder.steps)
    assert metrics["succeeded"].sum() == sum(caught for _, _, caught in played)
    for name, values in (("return", [p[0] for p in played]), ("length", [p[1] for p in played])):
        total = np.nansum(metrics[name] * metrics["finished"])
        assert total == pytest.approx(sum(values), rel=1e-5), name
    assert (training.metrics["distill"].max() > 0) == taught


def test_a_uniform_teacher_is_asked_about_primitive_actions(installed: Path) -> None:
    flags = ["--task", "chase", "--backend", "rule", "--out", "uniform.json", "--model"]
    done = command(installed, "precompute", *flags, "uniform")
    assert done.status == 0, done.err
    table = load_table(str(installed / "uniform.json"), "chase", chase.task.language)
    for plans in table.plans:
        assert {plan.options[0].kind: round(plan.probability, 3) for plan in plans} == dict.fromkeys(
            chase.ACTIONS, 0.333
        )
    done = command(installed, "precompute", *flags, "ideal", "--overwrite")
    assert done.status == 2 and told(done.err) == [
        "error: --model ideal: this task has no rules to answer by; --model uniform needs none"
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--variant.room-min 5 --teacher none", "task chase has no --variant.room-min: leave it out"),
        ("--variant.max-steps 5 --teacher none", "task chase has no --variant.max-steps: leave it out"),
        ("--teacher chatglm", "no teacher table 'chatglm' for task chase: (none ships for this task)"),
        ("--teacher none --student cnn", "its observations (3,) are no maps: choose --student ego"),
    ],
)
def test_what_the_task_lacks_is_refused(installed: Path, flags: str, message: str) -> None:
    done = command(installed, "run", "--task", "chase", *flags.split())
    (line,) = told(done.err)
    assert done.status == 2 and message in line and "Traceback" not in done.err


@pytest.mark.parametrize(
    ("source", "value", "message"),
    [
        ("import nothing_of_that_name", "chase", "cannot be imported: ModuleNotFoundError"),
        ("task = 3", "chase", "cannot be used: its name is None, not of type str"),
        (SOURCE, "two_door", "has a name that is taken: rename it"),
        (SOURCE.replace("clock = state.clock + 1", "clock = state.clock + 1.0"), "chase", "its step gives"),
        (SOURCE.replace('"The target is far to the left."', '""'), "chase", "its state 0 has no text"),
    ],
)
def test_a_broken_plugin_is_one_line_and_harms_no_other(
    tmp_path: Path, source: str, value: str, message: str
) -> None:
    install(tmp_path, "bad-game", {"jaxteach.tasks": {value: "bad:task"}}, bad=source)
    done = command(tmp_path, "run", "--task", value, "--teacher", "none")
    (line,) = told(done.err)
    assert done.status == 2 and line.startswith(f"error: bad-game (bad:task): its task '{value}' ")
    assert message in line and "Traceback" not in done.err
    if message.startswith("cannot be imported"):
        done = command(tmp_path, "tables", "--task", "simple_door_key")
        assert done.status == 0 and "chatglm" in done.out


class Gymnax:
    """The forms that the interface takes in the wild."""

    @functools.partial(jax.jit, static_argnums=0)
    def reset(self, key: Any) -> Any:
        return jnp.zeros(2), jnp.int32(0)

    @functools.partial(jax.jit, static_argnums=0)
    def step(self, key: Any, state: Any, action: Any) -> Any:
        """As gymnax's own: it begins anew by itself."""
        obs, after, reward, done, info = self.step_env(key, state, action)
        return jnp.where(done, jnp.zeros(2), obs), jnp.where(done, 0, after), reward, done, info

    def step_env(self, key: Any, state: Any, action: Any) -> Any:
        return jnp.full(2, state + 1.0), state + 1, jnp.int32(2), state == 2, {}


class Inner(Gymnax):
    """With both of gymnax's methods without a reset."""

    def reset_env(self, key: Any) -> Any:
        return jnp.zeros(2), jnp.int32(0)


class Wrapper:
    """As gymnax's wrappers: what it does not change itself, it passes through."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def reset(self, key: Any) -> Any:
        obs, state = self._env.reset(key)
        return obs + 100, state

    def step(self, key: Any, state: Any, action: Any) -> Any:
        obs, *others = self._env.step(key, state, action)
        return obs + 100, *others


def played(env: Any, n: int, max_steps: int = 10) -> tuple[Any, Any]:
    """The state and outcome after n steps."""
    task = GymnaxTask("forms", env, 2, max_steps)
    state, outcome = task.reset(jnp.zeros(2, jnp.uint32)), None
    for _ in range(n):
        state, outcome = task.step(state, jnp.int32(0))
    return state, outcome


def test_an_environment_is_stepped_without_its_own_reset_where_it_has_such_a_step() -> None:
    assert played(Gymnax(), 3)[0].obs.tolist() == [0, 0]
    assert played(Inner(), 3)[0].obs.tolist() == [3, 3]
    # A wrapper's own view of observations is not passed by.
    assert played(Wrapper(Inner()), 0)[0].obs.tolist() == [100, 100]
    assert played(Wrapper(Inner()), 1)[0].obs.tolist() == [101, 101]


class Ending(Inner):
    """Ends at its third step, with its own word on whether it was cut off."""

    def __init__(self, **info: bool) -> None:
        self.info = {name: jnp.asarray(value) for name, value in info.items()}

    def step_env(self, key: Any, state: Any, action: Any) -> Any:
        return *super().step_env(key, state, action)[:-1], self.info


@pytest.mark.parametrize(
    ("info", "max_steps", "terminated", "truncated", "success"),
    [
        ({}, 10, True, False, True),
        ({}, 3, False, True, True),
        ({"truncated": True}, 10, False, True, True),
        ({"truncated": False}, 3, True, False, True),
        ({"success": False}, 10, True, False, False),
    ],
)
def test_how_an_episode_ends(
    info: dict[str, bool], max_steps: int, terminated: bool, truncated: bool, success: bool
) -> None:
    _, outcome = played(Ending(**info), 3, max_steps)
    ended = (bool(outcome.terminated), bool(outcome.truncated), bool(outcome.success))
    assert ended == (terminated, truncated, success)
    assert outcome.reward.dtype == jnp.float32
    _, before = played(Ending(**info), 2, max_steps)
    assert not before.terminated and not (before.done and not info.get("truncated"))
