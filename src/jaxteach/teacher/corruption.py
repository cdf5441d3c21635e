"""Error injection: a teacher that, for a share of its instructions, says some other option at random."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.config import Corrupt, PlanMode
from jaxteach.tasks.protocol import Teachable
from jaxteach.teacher.policy import SinglePlans, Teacher, compile_teacher, teacher_policy
from jaxteach.teacher.table import PlanTable, likeliest_plans
from jaxteach.teacher.wrong import other_options, systematic


class NoisyTeacher(struct.PyTreeNode):
    """A teacher some of whose answers are replaced, anew at every step.

    Attributes:
        true: who answers otherwise.
        other: in each abstract state, uniform over the options that the true teacher does not begin with.
        share: f32[], probability that an answer is replaced.
    """

    true: Teacher
    other: Teacher
    share: Array

    @property
    def room(self) -> tuple[int, ...]:
        """Candidates of each option group that there is room for in every state; see `Teacher`."""
        return self.true.room

    @property
    def plans(self) -> SinglePlans | None:
        """The true teacher's, if it holds on to them; see `Teacher`."""
        return self.true.plans


type AnyTeacher = Teacher | NoisyTeacher


def make_teacher(
    table: PlanTable,
    task: Teachable,
    corrupt: Corrupt,
    room: tuple[int, ...] = (),
    mode: PlanMode = "soft",
) -> AnyTeacher:
    """Compile a table for a task, with the errors a configuration asks for.

    Args:
        table: plans by abstract state.
        task: the task.
        corrupt: how many instructions are replaced, and how.
        room: see `compile_teacher`.
        mode: which plans count. For hard the teacher is that of soft: what is drawn at every step is drawn by
            who asks.

    Raises:
        UserError: more states are to be wrong than the table has.
    """
    options = task.language.options
    said = systematic(table, options, corrupt)
    if mode == "argmax":
        said = likeliest_plans(said)
    teacher = compile_teacher(said, task, room, held=mode == "held")
    if corrupt.mode == "noise" and corrupt.share > 0.0:
        other = compile_teacher(other_options(table, options), task)
        return NoisyTeacher(teacher, other, jnp.float32(corrupt.share))
    return teacher


def mean_policy(
    teacher: AnyTeacher, task: Teachable, obs: Any, memory: Any, held: Array | None = None
) -> Array:
    """The distribution of the teacher's next action, over its errors too.

    Args:
        teacher: with errors or without.
        task: the task (static).
        obs: [N, ...].
        memory: [N, ...], what the teacher remembers besides.
        held: f32[N, S], for a teacher that holds its plans, see `teacher_policy`.

    Returns:
        f32[N, A].
    """
    if not isinstance(teacher, NoisyTeacher):
        return teacher_policy(teacher, task, obs, memory, held)
    true = teacher_policy(teacher.true, task, obs, memory, held)
    return true + teacher.share * (teacher_policy(teacher.other, task, obs, memory) - true)


def answers(
    teacher: AnyTeacher, task: Teachable, obs: Any, memory: Any, keys: Array, held: Array | None = None
) -> Array:
    """What the teacher says on each row: its distribution, or where an error strikes a wrong option's action.

    Args:
        teacher: with errors or without.
        task: the task (static).
        obs: [S * M, ...], M rows for each of S keys.
        memory: [S * M, ...].
        keys: PRNG keys [S]; read only by a teacher with noise.
        held: [S * M, ...], for a teacher that holds its plans, see `teacher_policy`.

    Returns:
        f32[S, M, A].
    """
    shape = (keys.shape[0], -1, len(task.action_names))
    if not isinstance(teacher, NoisyTeacher):
        return teacher_policy(teacher, task, obs, memory, held).reshape(shape)
    true = teacher_policy(teacher.true, task, obs, memory, held).reshape(shape)
    other = teacher_policy(teacher.other, task, obs, memory).reshape(shape)
    return jax.vmap(strike, in_axes=(0, 0, 0, None))(keys, true, other, teacher.share)


def strike(key: Array, true: Array, other: Array, share: Array) -> Array:
    """Replace a share of answers by one action each, drawn from the others.

    Args:
        key: a PRNG key.
        true: f32[M, A], q(a|s).
        other: f32[M, A], what a random other option would do.
        share: f32[], probability of a replacement.

    Returns:
        f32[M, A].
    """
    whether, which = jax.random.split(key)
    struck = jax.random.uniform(whether, true.shape[:1]) < share
    wrong = jax.nn.one_hot(jax.random.categorical(which, jnp.log(other)), true.shape[-1])
    return jnp.where(struck[:, None], wrong, true)
