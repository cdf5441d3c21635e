"""One episode, played step by step and kept with all that a picture of it shows."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxteach.student.deployed import Policy
from jaxteach.teacher import Option, PlanTable
from jaxteach.teacher.policy import Teacher, compile_teacher, teacher_policy
from jaxteach.training.streams import drawn_episode_key
from jaxteach.utils.numerics import as_fixed
from jaxteach.worlds.minigrid.paper.abstract_states import Situation
from jaxteach.worlds.minigrid.paper.abstraction import situation_table
from jaxteach.worlds.minigrid.paper.state import GridState
from jaxteach.worlds.minigrid.paper.task import Task
from jaxteach.worlds.minigrid.paper.visibility import cells_of, visible_board

Map = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Moment:
    """What is known before a step, or where the episode ended.

    Attributes:
        grid: u8[H, W, 3], the true grid without the agent.
        obs: u8[H, W, 4], the observation.
        seen: bool[H, W], cells seen so far.
        visible: bool[H, W], cells in view now.
        caption: the abstract state in words, objects by their real names.
        plans: the teacher's plans here, in words, with probabilities, the likeliest first; or none.
        student: f32[7], the student's action probabilities.
        teacher: f32[7], the teacher's; None without one.
        action: what the student does now; None at the end.
    """

    grid: Map
    obs: Map
    seen: npt.NDArray[np.bool_]
    visible: npt.NDArray[np.bool_]
    caption: str
    plans: tuple[tuple[str, float], ...]
    student: npt.NDArray[np.float32]
    teacher: npt.NDArray[np.float32] | None
    action: int | None


@dataclass(frozen=True)
class Episode:
    """A whole episode.

    Attributes:
        moments: one before each step, and the end.
        outcome: success, lava or time.
        reward: the episode's return.
        max_steps: environment steps it might have lasted.
        teacher: the teacher's name; None without one.
    """

    moments: tuple[Moment, ...]
    outcome: str
    reward: float
    max_steps: int
    teacher: str | None

    @property
    def length(self) -> int:
        """Environment steps taken."""
        return len(self.moments) - 1


@as_fixed
def play_episode(
    task: Task, policy: Policy, table: PlanTable | None, number: int, seed: int, greedy: bool
) -> Episode:
    """Play one episode.

    Args:
        task: the task.
        policy: the student; its memory is cleared first.
        table: the teacher to show beside it; None for no teacher.
        number: which layout; the same for every student.
        seed: of the student's choices.
        greedy: take the likeliest action instead of sampling.

    Returns:
        The episode, its last moment included.
    """
    teacher = compile_teacher(table, task) if table is not None else None
    state = _begin(task, drawn_episode_key(number))
    rng = np.random.default_rng([number, seed])
    policy.reset()
    moments = []
    reward, success, terminated, ended = 0.0, False, False, False
    while True:
        sights = jax.device_get(_look(task, teacher, state))
        student = policy(sights["obs"])
        action = None
        if not ended:
            action = int(np.argmax(student)) if greedy else _draw(rng, student)
        moments.append(_moment(task, table, sights, student, action))
        if action is None:
            outcome = "success" if success else "lava" if terminated else "time"
            name = table.name if table is not None else None
            return Episode(tuple(moments), outcome, reward, task.max_steps, name)
        state, result = _advance(task, state, action)
        reward += float(result.reward)
        success, terminated, ended = bool(result.success), bool(result.terminated), bool(result.done)


def _draw(rng: np.random.Generator, probabilities: npt.NDArray[np.float32]) -> int:
    """One action from float32 probabilities, whose sum may miss 1 by rounding."""
    exact = probabilities.astype(np.float64)
    return int(rng.choice(len(exact), p=exact / exact.sum()))


@functools.partial(jax.jit, static_argnums=0)
def _begin(task: Task, key: jax.Array) -> GridState:
    """An episode's first state, the first view seen."""
    return task.perceive_view(task.spawn(jax.random.bits(key, (task.n_draws,))))


@functools.partial(jax.jit, static_argnums=0)
def _advance(task: Task, state: GridState, action: int) -> Any:
    """One step and the look around after it."""
    state, outcome = task.transition(state, jnp.asarray(action, jnp.int32))
    return task.perceive_view(state), outcome


@functools.partial(jax.jit, static_argnums=0)
def _look(task: Task, teacher: Teacher | None, state: GridState) -> dict[str, Any]:
    """Everything a moment needs from JAX."""
    obs = task.observe(state)
    grid, seen = task.grid_of(state)
    q = None if teacher is None else teacher_policy(teacher, task, obs[None], state.memory[None])[0]
    return {
        "obs": obs,
        "grid": grid,
        "seen": seen,
        "view": cells_of(visible_board(state, task.view_size, task.width), task.width),
        "code": task.perceive(obs[None]).code[0],
        "teacher": q,
    }


def _moment(
    task: Task,
    table: PlanTable | None,
    sights: dict[str, Any],
    student: npt.NDArray[np.float32],
    action: int | None,
) -> Moment:
    """Put a moment together on the host."""
    sight = situation_table(task.vocabulary).sights[int(sights["code"])]
    assert sight is not None
    return Moment(
        grid=sights["grid"],
        obs=sights["obs"],
        seen=sights["seen"],
        visible=sights["view"],
        caption=task.vocabulary.real_state(sight).text,
        plans=() if table is None else _plans(task, table, sight),
        student=student,
        teacher=sights["teacher"],
        action=action,
    )


def _plans(task: Task, table: PlanTable, sight: Situation) -> tuple[tuple[str, float], ...]:
    """The plans of a state in words, the likeliest first, objects by their real names."""
    words = task.vocabulary
    real = {canonical: name for name, canonical in words.renaming(sight).items()}
    plans = table.plans[words.states.index(words.canonical_state(sight))]

    def text(option: Option) -> str:
        if option.object is None:
            return option.text
        return Option(option.kind, real.get(option.object, option.object)).text

    # Two plans may read alike, such as one that names the key a door is opened with.
    shares: dict[str, float] = {}
    for plan in plans:
        words_of_plan = ", ".join(map(text, plan.options))
        shares[words_of_plan] = shares.get(words_of_plan, 0.0) + plan.probability
    return tuple(sorted(shares.items(), key=lambda item: -item[1]))
