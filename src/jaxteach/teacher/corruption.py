"""Error injection: a teacher that, for a share of its instructions, says some other option at random."""

import dataclasses
import hashlib

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.config import Corrupt
from jaxteach.teacher.plans import Option, all_options
from jaxteach.teacher.policy import Teacher, compile_teacher, teacher_policy
from jaxteach.teacher.table import Plan, PlanTable
from jaxteach.worlds.minigrid.paper.constants import N_ACTIONS
from jaxteach.worlds.minigrid.paper.task import Task


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
    def n_targets(self) -> int:
        """The most `go to` targets any state's plans name."""
        return self.true.n_targets


type AnyTeacher = Teacher | NoisyTeacher


def make_teacher(table: PlanTable, task: Task, corrupt: Corrupt, n_targets: int = 1) -> AnyTeacher:
    """Compile a table for a task, with the errors a configuration asks for.

    Args:
        table: plans by abstract state.
        task: the task.
        corrupt: how many instructions are replaced, and how.
        n_targets: see `compile_teacher`.
    """
    if corrupt.mode == "noise" and corrupt.share > 0.0:
        other = compile_teacher(other_options(table, task.vocabulary.objects), task)
        return NoisyTeacher(compile_teacher(table, task, n_targets), other, jnp.float32(corrupt.share))
    return compile_teacher(systematic(table, task.vocabulary.objects, corrupt), task, n_targets)


def systematic(table: PlanTable, objects: tuple[str, ...], corrupt: Corrupt) -> PlanTable:
    """Replace what a table says in a share of its states, each time by one other option, always the same.

    Which states, and which options, follows from the seed by hashing: a larger share adds states to
    those of a smaller one. A share that comes to no whole number of states is rounded up or down, by
    seed, so that on average over seeds it is exact.

    Args:
        table: the true one.
        objects: what options may name.
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
        others = _others(before, objects)
        chosen = others[int(_draw(corrupt.seed, "option", state.text) * len(others))]
        plans.append((Plan((chosen,), 1.0),) if state in wrong else before)
    note = {**dataclasses.asdict(corrupt), "of": table.sha256, "states": [state.text for state in wrong]}
    provenance = {**table.provenance, "corruption": note}
    return dataclasses.replace(table, plans=tuple(plans), provenance=provenance, sha256="")


def other_options(table: PlanTable, objects: tuple[str, ...]) -> PlanTable:
    """In every state each option that none of the table's plans begins with, equally likely."""
    plans = []
    for before in table.plans:
        others = _others(before, objects)
        plans.append(tuple(Plan((option,), 1.0 / len(others)) for option in others))
    return dataclasses.replace(table, plans=tuple(plans), sha256="")


def _others(plans: tuple[Plan, ...], objects: tuple[str, ...]) -> list[Option]:
    """The options no plan begins with; all of them if there is none."""
    options, said = all_options(objects), {plan.options[0] for plan in plans}
    return [option for option in options if option not in said] or list(options)


def _draw(seed: int, what: str, name: str) -> float:
    """A number in [0, 1) that depends on nothing but the arguments, the same for ever."""
    digest = hashlib.sha256(f"{seed}/{what}/{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def mean_policy(teacher: AnyTeacher, task: Task, obs: Array, memory: Array) -> Array:
    """The distribution of the teacher's next action, over its errors too.

    Args:
        teacher: with errors or without.
        task: the task (static).
        obs: u8[N, H, W, 4].
        memory: i32[N, C, 2], where a key of each class was last seen lying.

    Returns:
        f32[N, 7].
    """
    if not isinstance(teacher, NoisyTeacher):
        return teacher_policy(teacher, task, obs, memory)
    true = teacher_policy(teacher.true, task, obs, memory)
    return true + teacher.share * (teacher_policy(teacher.other, task, obs, memory) - true)


def answers(teacher: AnyTeacher, task: Task, obs: Array, memory: Array, keys: Array) -> Array:
    """What the teacher says on each row: its distribution, or where an error strikes a wrong option's action.

    Args:
        teacher: with errors or without.
        task: the task (static).
        obs: u8[S * M, H, W, 4], M rows for each of S keys.
        memory: i32[S * M, C, 2].
        keys: PRNG keys [S]; read only by a teacher with noise.

    Returns:
        f32[S, M, 7].
    """
    shape = (keys.shape[0], -1, N_ACTIONS)
    if not isinstance(teacher, NoisyTeacher):
        return teacher_policy(teacher, task, obs, memory).reshape(shape)
    true = teacher_policy(teacher.true, task, obs, memory).reshape(shape)
    other = teacher_policy(teacher.other, task, obs, memory).reshape(shape)
    return jax.vmap(strike, in_axes=(0, 0, 0, None))(keys, true, other, teacher.share)


def strike(key: Array, true: Array, other: Array, share: Array) -> Array:
    """Replace a share of answers by one action each, drawn from the others.

    Args:
        key: a PRNG key.
        true: f32[M, 7], q(a|s).
        other: f32[M, 7], what a random other option would do.
        share: f32[], probability of a replacement.

    Returns:
        f32[M, 7].
    """
    whether, which = jax.random.split(key)
    struck = jax.random.uniform(whether, true.shape[:1]) < share
    wrong = jax.nn.one_hot(jax.random.categorical(which, jnp.log(other)), N_ACTIONS)
    return jnp.where(struck[:, None], wrong, true)
