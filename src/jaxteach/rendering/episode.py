"""One episode, played step by step and kept with all that a picture of it shows."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxteach.student.deployed import Policy
from jaxteach.tasks.drawing import Drawable, Drawing
from jaxteach.tasks.language import Question
from jaxteach.tasks.protocol import State, Teachable
from jaxteach.teacher import PlanTable
from jaxteach.teacher.policy import Teacher, compile_teacher, teacher_policy
from jaxteach.training.streams import drawn_episode_key
from jaxteach.utils.errors import UserError
from jaxteach.utils.numerics import as_fixed


@dataclass(frozen=True)
class Moment:
    """What is known before a step, or where the episode ended.

    Attributes:
        drawing: the state, drawn by its world.
        caption: the abstract state in words, objects by their real names; empty without a language.
        plans: the teacher's plans here, in words, with probabilities, the likeliest first; or none.
        student: f32[A], the student's action probabilities.
        teacher: f32[A], the teacher's; None without one.
        action: what the student does now; None at the end.
    """

    drawing: Drawing
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
        outcome: success, failure or time.
        ending: the same in the world's words.
        reward: the episode's return.
        max_steps: environment steps it might have lasted.
        teacher: the teacher's name; None without one.
        action_names: the task's actions.
    """

    moments: tuple[Moment, ...]
    outcome: str
    ending: str
    reward: float
    max_steps: int
    teacher: str | None
    action_names: tuple[str, ...]

    @property
    def length(self) -> int:
        """Environment steps taken."""
        return len(self.moments) - 1


@as_fixed
def play_episode(
    task: Teachable, policy: Policy, table: PlanTable | None, number: int, seed: int, greedy: bool
) -> Episode:
    """Play one episode.

    Args:
        task: the task, one that draws its states.
        policy: the student; its memory is cleared first.
        table: the teacher to show beside it; None for no teacher.
        number: which layout; the same for every student.
        seed: of the student's choices.
        greedy: take the likeliest action instead of sampling.

    Returns:
        The episode, its last moment included.

    Raises:
        UserError: the task draws nothing.
    """
    if not isinstance(task, Drawable):
        raise UserError(f"task {task.name} cannot be drawn: it has no draw() and endings")
    teacher = compile_teacher(table, task) if table is not None else None
    state = _begin(task, drawn_episode_key(number))
    rng = np.random.default_rng([number, seed])
    policy.reset()
    moments = []
    reward, success, terminated, ended = 0.0, False, False, False
    while True:
        obs, memory, q = jax.device_get(_look(task, teacher, state))
        student = policy(obs)
        action = None
        if not ended:
            action = int(np.argmax(student)) if greedy else _draw(rng, student)
        question = task.asked(obs, memory) if task.language.states else None
        moments.append(
            Moment(
                drawing=task.draw(state),
                caption="" if question is None else question.real_state.text,
                plans=() if table is None or question is None else _plans(table, question),
                student=student,
                teacher=q,
                action=action,
            )
        )
        if action is None:
            outcome = "success" if success else "failure" if terminated else "time"
            name = table.name if table is not None else None
            ending = task.endings[outcome]
            return Episode(tuple(moments), outcome, ending, reward, task.max_steps, name, task.action_names)
        state, result = _advance(task, state, action)
        reward += float(result.reward)
        success, terminated, ended = bool(result.success), bool(result.terminated), bool(result.done)


def _draw(rng: np.random.Generator, probabilities: npt.NDArray[np.float32]) -> int:
    """One action from float32 probabilities, whose sum may miss 1 by rounding."""
    exact = probabilities.astype(np.float64)
    return int(rng.choice(len(exact), p=exact / exact.sum()))


@functools.partial(jax.jit, static_argnums=0)
def _begin(task: Teachable, key: jax.Array) -> State:
    """An episode's first state, the first view seen."""
    return task.update_seen(task.reset(jax.random.bits(key, (task.n_draws,))))


@functools.partial(jax.jit, static_argnums=0)
def _advance(task: Teachable, state: State, action: int) -> Any:
    """One step and the look around after it."""
    state, outcome = task.step(state, jnp.asarray(action, jnp.int32))
    return task.update_seen(state), outcome


@functools.partial(jax.jit, static_argnums=0)
def _look(task: Teachable, teacher: Teacher | None, state: State) -> tuple[Any, Any, jax.Array | None]:
    """The observation, what the teacher remembers, and its distribution f32[A]."""
    obs, memory = task.observe(state), task.recall(state)
    if teacher is None:
        return obs, memory, None
    batch = jax.tree.map(lambda x: x[None], (obs, memory))
    return obs, memory, teacher_policy(teacher, task, *batch)[0]


def _plans(table: PlanTable, question: Question) -> tuple[tuple[str, float], ...]:
    """The plans of a state in words, the likeliest first, objects by their real names."""
    # Two plans may read alike, such as one that names the key a door is opened with.
    shares: dict[str, float] = {}
    for plan in table.plans[question.index]:
        words = ", ".join(o.text if o.object is None else question.real(o).text for o in plan.options)
        shares[words] = shares.get(words, 0.0) + plan.probability
    return tuple(sorted(shares.items(), key=lambda item: -item[1]))
