"""The teacher's policy: a table of plans compiled to arrays, and q(a|s) computed from them in JAX.

A plan is asked anew at every step, so only its first option that yields an action counts. Which one
that is depends on the abstract state and on which options hand over now: `explore` when nothing is
left to see, `go to` when the agent already faces the target. All of these cases are resolved once,
when the table is loaded, into the probability of each *outcome*; what is left for every step is to
find the hand-overs, the actions of `explore` and of each `go to`, and to mix.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.teacher.plans import Option
from jaxteach.teacher.table import PlanTable
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.abstraction import sight_table
from jaxteach.worlds.minigrid.paper.option_policies import explore, read_boards
from jaxteach.worlds.minigrid.paper.paths import first_action
from jaxteach.worlds.minigrid.paper.state import compute_once, heading
from jaxteach.worlds.minigrid.paper.task import Task

ACTION_OF = {"pick up": c.PICKUP, "drop": c.DROP, "open": c.TOGGLE, "wait": c.DONE}


class Teacher(struct.PyTreeNode):
    """A teacher's table, compiled for one task.

    An outcome is: exploring, going to the state's first, second, ... target, or one of the actions
    in `FIXED`. Hand-overs are numbered as bits: exploring 1, the first target 2, the second 4, ...

    Attributes:
        outcome: f32[S, 2**(1+J), 1+J+4], probability of each outcome, by abstract state and hand-overs.
        target: i32[codes, J], by percept code the entity each `go to` leads to: key class k as k,
            door d as C + d, -1 for none.
        state_index: i32[codes], abstract state of each percept code.
    """

    outcome: Array
    target: Array
    state_index: Array

    @property
    def n_targets(self) -> int:
        """J, the most `go to` targets any state's plans name."""
        return self.target.shape[1]


BLOCK = 1056
"""Observations asked at a time: few, for a search lasts as long as the longest of its block, and their
boards should fit the cache; no power of two, for then all rows of a board share the same cache lines."""

FIXED = (c.PICKUP, c.DROP, c.TOGGLE, c.DONE)
"""Actions an option may yield whatever the map looks like."""


def compile_teacher(table: PlanTable, task: Task, n_targets: int = 1) -> Teacher:
    """Resolve a table's plans for a task.

    Args:
        table: plans by abstract state, in the order of the task's vocabulary.
        task: the task.
        n_targets: room for at least so many targets, so that tables compile to arrays of one shape.

    Returns:
        The arrays `teacher_policy` reads.

    Raises:
        UserError: the table's states are not the task's.
    """
    if table.states != task.abstract_states:
        raise UserError(f"table {table.name} of {table.task} has other states than {task.name}'s")
    sights = sight_table(task.vocabulary)
    objects = task.vocabulary.objects
    mentioned = [{*state.sees, *([state.holds] if state.holds else [])} for state in table.states]
    targets: list[list[str]] = [
        sorted(
            {o.object for plan in plans for o in plan.options if o.kind == "go to" and o.object in known},
            key=objects.index,
        )
        for plans, known in zip(table.plans, mentioned, strict=True)
    ]
    n_targets = max(n_targets, *(len(names) for names in targets))
    n_outcomes = 1 + n_targets + len(FIXED)
    outcome = np.zeros((len(table.states), 2 ** (1 + n_targets), n_outcomes), np.float64)
    for s, plans in enumerate(table.plans):
        for bits in range(2 ** (1 + n_targets)):
            for plan in plans:
                result = _outcome_of(plan.options, bits, targets[s], mentioned[s])
                outcome[s, bits, result if result >= 0 else n_outcomes + result] += plan.probability
    target = np.full((len(sights.state_index), n_targets), -1, np.int32)
    for code, state in enumerate(sights.state_index):
        if state >= 0:
            for j, name in enumerate(targets[state]):
                target[code, j] = sights.object_entity[code, objects.index(name)]
    return Teacher(
        outcome=jnp.asarray(outcome, jnp.float32),
        target=jnp.asarray(target),
        state_index=jnp.asarray(np.maximum(sights.state_index, 0)),
    )


def _outcome_of(options: tuple[Option, ...], bits: int, targets: list[str], known: set[str]) -> int:
    """The outcome of one plan: 0 explore, 1 + j go to target j, negative for `FIXED` from the end."""
    wait = -1
    for option in options:
        if option.kind == "explore":
            if not bits & 1:
                return 0
        elif option.kind == "wait" or option.object not in known:
            return wait  # an object never seen cannot be dealt with
        elif option.kind == "go to":
            j = targets.index(option.object)
            if not bits >> (1 + j) & 1:
                return 1 + j
        else:
            return FIXED.index(ACTION_OF[option.kind]) - len(FIXED)
    return wait


def teacher_policy(teacher: Teacher, task: Task, obs: Array, memory: Array) -> Array:
    """The teacher's distribution over actions, for a batch of observations.

    Args:
        teacher: the compiled table.
        task: the task (static).
        obs: u8[N, H, W, 4].
        memory: i32[N, C, 2], where a key of each class was last seen lying.

    Returns:
        q(a|s), f32[N, 7], rows sum to 1 (paper: the mixture over plans of their first action).
    """
    chex.assert_rank([obs, memory], [4, 3])
    n = obs.shape[0]
    if n <= BLOCK:
        return _policy_of_block(teacher, task, obs, memory)
    n_blocks = -(-n // BLOCK)
    rows = n_blocks * BLOCK

    def blocks(values: Array) -> Array:
        """[N, ...] -> [blocks, BLOCK, ...], the last one filled up with zeros."""
        padding = [(0, rows - n)] + [(0, 0)] * (values.ndim - 1)
        return jnp.pad(values, padding).reshape(n_blocks, BLOCK, *values.shape[1:])

    q = jax.lax.map(lambda block: _policy_of_block(teacher, task, *block), (blocks(obs), blocks(memory)))
    return q.reshape(rows, c.N_ACTIONS)[:n]


def _policy_of_block(teacher: Teacher, task: Task, obs: Array, memory: Array) -> Array:
    """`teacher_policy` for observations few enough for their boards to stay in the cache."""
    n, _, width, _ = obs.shape
    percept, boards = compute_once((task.perceive(obs), read_boards(obs)))
    row, column = percept.row, percept.column
    explore_action, explore_over = explore(boards, row, column, percept.direction, width)

    # Everything below is one vector [n] a quantity: short trailing axes do not vectorise.
    entity = teacher.target[percept.code]  # [n, J]
    # Where each entity is: [C + D] vectors.
    place_rows, place_columns = (
        [*memory[:, :, 0].T, *percept.door_rows],
        [*memory[:, :, 1].T, *percept.door_columns],
    )
    row_step, column_step = heading(percept.direction)
    targets, facing = [], []
    for j in range(teacher.n_targets):
        of_target = [entity[:, j] == e for e in range(len(place_rows))]
        place_row = jnp.select(of_target, place_rows, -1)
        place_column = jnp.select(of_target, place_columns, -1)
        faced = (place_row == row + row_step) & (place_column == column + column_step)
        # A target already faced needs no path; without one its search ends at once.
        targets.append((jnp.where(faced, -1, place_row), jnp.where(faced, -1, place_column)))
        facing.append(faced)
    hands_over = [explore_over, *facing]
    bits = sum((over.astype(jnp.int32) << i for i, over in enumerate(hands_over)), jnp.zeros((n,), jnp.int32))

    def each(values: Array) -> Array:
        """Repeat a board or a vector for every target: [..., n] -> [..., J * n]."""
        return jnp.concatenate([values] * teacher.n_targets, axis=-1)

    flat = [jnp.concatenate(parts) for parts in zip(*targets, strict=True)]  # [J * n] each
    pose = (each(row), each(column), each(percept.direction))
    go_action = first_action(*compute_once((each(boards.passable), *pose, *flat))).reshape(-1, n)

    weights = teacher.outcome[teacher.state_index[percept.code], bits]  # [n, outcomes]
    actions = [explore_action, *go_action, *FIXED]
    actions, weights = compute_once((actions, weights))
    mixed = [
        sum(jnp.where(chosen == action, weights[:, i], 0.0) for i, chosen in enumerate(actions))
        for action in range(c.N_ACTIONS)
    ]
    return jnp.stack(mixed, axis=1)  # [n, 7]
