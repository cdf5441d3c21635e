"""Error injection: a teacher that, for a share of its instructions, says some other option at random."""

import dataclasses
import hashlib
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.config import Corrupt
from jaxteach.tasks.language import Option
from jaxteach.tasks.protocol import Teachable
from jaxteach.teacher.policy import Teacher, compile_teacher, teacher_policy
from jaxteach.teacher.table import Plan, PlanTable


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


type AnyTeacher = Teacher | NoisyTeacher


def make_teacher(
    table: PlanTable, task: Teachable, corrupt: Corrupt, room: tuple[int, ...] = ()
) -> AnyTeacher:
    """Compile a table for a task, with the errors a configuration asks for.

    Args:
        table: plans by abstract state.
        task: the task.
        corrupt: how many instructions are replaced, and how.
        room: see `compile_teacher`.
    """
    if corrupt.mode == "noise" and corrupt.share > 0.0:
        other = compile_teacher(other_options(table, task.language.options), task)
        return NoisyTeacher(compile_teacher(table, task, room), other, jnp.float32(corrupt.share))
    return compile_teacher(systematic(table, task.language.options, corrupt), task, room)


def systematic(table: PlanTable, options: tuple[Option, ...], corrupt: Corrupt) -> PlanTable:
    """Replace what a table says in a share of its states, each time by one other option, always the same.

    Which states, and which options, follows from the seed by hashing: a larger share adds states to
    those of a smaller one. A share that is no whole number of states is rounded up or down, by
    seed, so that on average over seeds it is exact.

    Args:
        table: the true one.
        options: the task's.
        corrupt: share and seed.

    Returns:
        The table, its provenance saying what was done; the same table if nothing was.
    """
    ranked = sorted(table.states, key=lambda state: _draw(corrupt.seed, "state", state.text))
    count = int(corrupt.share * len(ranked) + _draw(corrupt.seed, "rounding", table.task))
    wrong = ranked[:count]
    if not wrong:
        return table
    plans = []
    for state, before in zip(table.states, table.plans, strict=True):
        others = _others(before, options)
        chosen = others[int(_draw(corrupt.seed, "option", state.text) * len(others))]
        plans.append((Plan((chosen,), 1.0),) if state in wrong else before)
    note = {**dataclasses.asdict(corrupt), "of": table.sha256, "states": [state.text for state in wrong]}
    provenance = {**table.provenance, "corruption": note}
    return dataclasses.replace(table, plans=tuple(plans), provenance=provenance, sha256="")


def as_heard(table: PlanTable, options: tuple[Option, ...], corrupt: Corrupt) -> PlanTable:
    """The table as its students hear it, errors included, to be shown: noise is mixed into its plans.

    Args:
        table: the true one.
        options: the task's.
        corrupt: the errors.

    Returns:
        A table whose name tells the share of errors; the same table without any.
    """
    if not corrupt.share:
        return table
    shown = f"{table.name} ({corrupt.share:.0%} wrong)"
    if corrupt.mode == "systematic":
        return dataclasses.replace(systematic(table, options, corrupt), name=shown)
    wrong = other_options(table, options)
    mixed = tuple(
        _scaled(right, 1 - corrupt.share) + _scaled(other, corrupt.share)
        for right, other in zip(table.plans, wrong.plans, strict=True)
    )
    return dataclasses.replace(table, plans=mixed, name=shown)


def _scaled(plans: tuple[Plan, ...], by: float) -> tuple[Plan, ...]:
    """Plans with their probabilities scaled."""
    return tuple(dataclasses.replace(plan, probability=by * plan.probability) for plan in plans)


def other_options(table: PlanTable, options: tuple[Option, ...]) -> PlanTable:
    """In every state each option that none of the table's plans begins with, equally likely."""
    plans = []
    for before in table.plans:
        others = _others(before, options)
        plans.append(tuple(Plan((option,), 1.0 / len(others)) for option in others))
    return dataclasses.replace(table, plans=tuple(plans), sha256="")


def _others(plans: tuple[Plan, ...], options: tuple[Option, ...]) -> list[Option]:
    """The options no plan begins with; all of them if there is none."""
    said = {plan.options[0] for plan in plans}
    return [option for option in options if option not in said] or list(options)


def _draw(seed: int, what: str, name: str) -> float:
    """A number in [0, 1) that depends on nothing but the arguments, the same for ever."""
    digest = hashlib.sha256(f"{seed}/{what}/{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def mean_policy(teacher: AnyTeacher, task: Teachable, obs: Any, memory: Any) -> Array:
    """The distribution of the teacher's next action, over its errors too.

    Args:
        teacher: with errors or without.
        task: the task (static).
        obs: [N, ...].
        memory: [N, ...], what the teacher remembers besides.

    Returns:
        f32[N, A].
    """
    if not isinstance(teacher, NoisyTeacher):
        return teacher_policy(teacher, task, obs, memory)
    true = teacher_policy(teacher.true, task, obs, memory)
    return true + teacher.share * (teacher_policy(teacher.other, task, obs, memory) - true)


def answers(teacher: AnyTeacher, task: Teachable, obs: Any, memory: Any, keys: Array) -> Array:
    """What the teacher says on each row: its distribution, or where an error strikes a wrong option's action.

    Args:
        teacher: with errors or without.
        task: the task (static).
        obs: [S * M, ...], M rows for each of S keys.
        memory: [S * M, ...].
        keys: PRNG keys [S]; read only by a teacher with noise.

    Returns:
        f32[S, M, A].
    """
    shape = (keys.shape[0], -1, len(task.action_names))
    if not isinstance(teacher, NoisyTeacher):
        return teacher_policy(teacher, task, obs, memory).reshape(shape)
    true = teacher_policy(teacher.true, task, obs, memory).reshape(shape)
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
