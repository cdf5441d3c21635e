"""The teacher's policy: a table of plans compiled to arrays, and q(a|s) computed from them in JAX.

A plan is asked anew at every step, so only its first option that yields an action counts. Which one
that is depends on the abstract state and on which options have ended now: `explore` when nothing is
left to see, `go to` when the agent already faces the target. All of these cases are resolved once,
when the table is loaded, into the probability of each *outcome*; what is left for every step is to
ask the world what the state's options do and which have ended, and to mix.
"""

import dataclasses
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.tasks.language import Option
from jaxteach.tasks.protocol import Teachable
from jaxteach.teacher.table import PlanTable
from jaxteach.utils.errors import UserError


class SinglePlans(struct.PyTreeNode):
    """The plans of a table one by one, to hold on to one of them.

    Attributes:
        outcome: i32[S + 1, P, 2**K], the outcome of each plan, by abstract state, plan and ended candidates,
            see `Teacher`; -1 for none, as in the last row, for states not listed.
        up_to: f32[S + 1, P], probability of each plan and those before it; 1 from the state's last plan on.
    """

    outcome: Array
    up_to: Array


class Teacher(struct.PyTreeNode):
    """A teacher's table, compiled for one task.

    The candidates of a state are the options its plans name whose action depends on the view, K of them at
    most, group by group. An outcome is: what the first, second, ... candidate does, or one of the A actions
    whatever the view. Which candidates have ended is a number of K bits, the first candidate's the lowest.

    Attributes:
        outcome: f32[S + 1, 2**K, K + A], probability of each outcome, by abstract state and ended candidates;
            the last row, for states not listed, is zero.
        candidates: for each of the task's option groups i32[S + 1, K_g], the state's candidates in it, -1 for
            none; K is the sum of all K_g.
        plans: for a teacher that holds on to one plan for each abstract state and episode; else None.
    """

    outcome: Array
    candidates: tuple[Array, ...]
    plans: SinglePlans | None = None

    @property
    def room(self) -> tuple[int, ...]:
        """K_g, candidates of each group that there is room for in every state."""
        return tuple(group.shape[1] for group in self.candidates)


BLOCK = 1056
"""Observations asked at a time: few, for a search lasts as long as the longest of its block, and their
boards should fit the cache; no power of two, for then all rows of a board share the same cache lines."""
WIDE_BLOCK = 65_536
"""The same on accelerators, where blocks one after another wait for each other's kernels to start: by the
roofline (docs/performance.md) blocks of `BLOCK` would take most of a wide chunk's update."""


def compile_teacher(
    table: PlanTable, task: Teachable, room: tuple[int, ...] = (), held: bool = False
) -> Teacher:
    """Resolve a table's plans for a task.

    Args:
        table: plans by abstract state, in the order of the task's.
        task: the task.
        room: room for at least so many candidates of each group, so that tables compile to arrays of
            one shape; by default for one.
        held: whether one plan is held for each abstract state and episode.

    Returns:
        The arrays `teacher_policy` reads.

    Raises:
        UserError: the table's states are not the task's, or it names an option that the task does not have.
    """
    language = task.language
    if table.states != language.states:
        raise UserError(f"table {table.name} of {table.task} has other states than {task.name}'s")
    named = [_named(table, task, s) for s in range(len(table.plans))]
    room = tuple(
        max(least, *(sum(option in group for option in options) for options in named))
        for group, least in zip(task.option_groups, room or (1,) * len(task.option_groups), strict=True)
    )
    n_states, n_candidates = len(table.states), sum(room)
    outcome = np.zeros((n_states + 1, 2**n_candidates, n_candidates + len(task.action_names)), np.float64)
    candidates = [np.full((n_states + 1, width), -1, np.int32) for width in room]
    single = np.full((n_states + 1, max(map(len, table.plans)), 2**n_candidates), -1, np.int32)
    for s, plans in enumerate(table.plans):
        slots: dict[int, int] = {}  # option -> candidate
        for g, group in enumerate(task.option_groups):
            for k, option in enumerate(o for o in named[s] if o in group):
                candidates[g][s, k] = option
                slots[option] = sum(room[:g]) + k
        for ended in range(2**n_candidates):
            for p, plan in enumerate(plans):
                single[s, p, ended] = _outcome_of(plan.options, task, s, ended, slots, n_candidates)
                outcome[s, ended, single[s, p, ended]] += plan.probability
    return Teacher(
        outcome=jnp.asarray(outcome, jnp.float32),
        candidates=tuple(jnp.asarray(c) for c in candidates),
        plans=SinglePlans(jnp.asarray(single), jnp.asarray(_up_to(table, single.shape[1]))) if held else None,
    )


def _up_to(table: PlanTable, n_plans: int) -> np.ndarray:
    """`SinglePlans.up_to`: f32[S + 1, P]."""
    up_to = np.ones((len(table.plans) + 1, n_plans), np.float32)
    for s, plans in enumerate(table.plans):
        sums = np.cumsum([plan.probability for plan in plans])
        up_to[s, : len(plans) - 1] = sums[:-1] / sums[-1]
    return up_to


def _named(table: PlanTable, task: Teachable, state: int) -> list[int]:
    """The options that a state's plans name and `act` decides, in the order of the task's."""
    language, named = task.language, set()
    for option in {dataclasses.replace(o, raw=None) for plan in table.plans[state] for o in plan.options}:
        known = language.allows(option)
        if known and task.fixed_action(state, option) is not None:
            continue
        if not known or option not in language.options:
            where = f"table {table.name}: state {table.states[state].text!r}"
            raise UserError(f"{where}: {option.text!r} is no option of {task.name}")
        named.add(language.options.index(option))
    return sorted(named)


def _outcome_of(
    options: tuple[Option, ...],
    task: Teachable,
    state: int,
    ended: int,
    slots: dict[int, int],
    n_candidates: int,
) -> int:
    """The outcome of one plan: its first candidate that has not ended, or the first fixed action."""
    for option in options:
        option = dataclasses.replace(option, raw=None)
        action = task.fixed_action(state, option)
        if action is not None:
            return n_candidates + action
        slot = slots[task.language.options.index(option)]
        if not ended >> slot & 1:
            return slot
    return n_candidates + task.no_op


def teacher_policy(
    teacher: Teacher, task: Teachable, obs: Any, memory: Any, held: Array | None = None
) -> Array:
    """The teacher's distribution over actions, for a batch of observations.

    Args:
        teacher: the compiled table.
        task: the task (static).
        obs: [N, ...].
        memory: [N, ...], what the teacher remembers besides.
        held: f32[N, S], of each row's episode a number for each abstract state, uniform in [0, 1), that stays
            as long as the episode; for a teacher that holds its plans, else None.

    Returns:
        q(a|s), f32[N, A], rows sum to 1 (paper: the mixture over plans of their first action), or are zero
        where the state is not listed. Of a teacher that holds its plans, the action of the one plan that it
        holds in the row's state and episode.
    """
    chex.assert_equal(held is None, teacher.plans is None)
    seen = (obs, memory, held)
    chex.assert_equal_shape_prefix(jax.tree.leaves(seen), 1)
    n = jax.tree.leaves(obs)[0].shape[0]
    size = BLOCK if jax.default_backend() == "cpu" else WIDE_BLOCK
    if n <= size:
        return _policy_of_block(teacher, task, *seen)
    n_blocks = -(-n // size)
    rows = n_blocks * size

    def blocks(values: Array) -> Array:
        """[N, ...] -> [blocks, size, ...], the last one filled up with zeros."""
        padding = [(0, rows - n)] + [(0, 0)] * (values.ndim - 1)
        return jnp.pad(values, padding).reshape(n_blocks, size, *values.shape[1:])

    q = jax.lax.map(lambda block: _policy_of_block(teacher, task, *block), jax.tree.map(blocks, seen))
    return q.reshape(rows, len(task.action_names))[:n]


def _policy_of_block(teacher: Teacher, task: Teachable, obs: Any, memory: Any, held: Array | None) -> Array:
    """`teacher_policy` for observations few enough for their boards to stay in the cache."""
    state, view = task.perceive(obs, memory)
    state = jnp.where(state < 0, teacher.outcome.shape[0] - 1, state)
    actions: list[Array] = []  # [n] each: short trailing axes do not vectorise
    ended = jnp.zeros(state.shape, jnp.int32)
    for g, candidates in enumerate(teacher.candidates):
        action, over = task.act(view, g, candidates[state].T)  # [K_g, n]
        for k in range(action.shape[0]):
            ended = ended + (over[k].astype(jnp.int32) << len(actions))
            actions.append(action[k])
    if teacher.plans is None:
        weights = teacher.outcome[state, ended]  # [n, K + A]
    else:
        assert held is not None
        plan = held_plans(teacher.plans, state, held)
        weights = jax.nn.one_hot(teacher.plans.outcome[state, plan, ended], teacher.outcome.shape[-1])
    # Barrier: otherwise XLA recomputes actions and weights for each of the A sums.
    actions, weights = jax.lax.optimization_barrier((actions, weights))
    mixed = []
    for a in range(len(task.action_names)):
        parts = [jnp.where(chosen == a, weights[:, k], 0.0) for k, chosen in enumerate(actions)]
        parts.append(weights[:, len(actions) + a])
        mixed.append(sum(parts[1:], parts[0]))
    return jnp.stack(mixed, axis=1)  # [n, A]


def held_plans(plans: SinglePlans, state: Array, held: Array) -> Array:
    """The plan that is held in a state throughout an episode.

    Args:
        plans: of the teacher.
        state: i32[n], S where it is not listed.
        held: f32[n, S], see `teacher_policy`.

    Returns:
        i32[n], the number of the plan in its state, by inverting the distribution function of the plans.
    """
    chex.assert_shape(held, (*state.shape, plans.up_to.shape[0] - 1))
    drawn = jnp.take_along_axis(held, jnp.minimum(state, held.shape[1] - 1)[:, None], axis=1)
    return jnp.sum(plans.up_to[state] <= drawn, axis=-1, dtype=jnp.int32)
