"""Conformance: recorded episodes of the reference, replayed through our environment and teacher."""

import dataclasses
import functools
import itertools
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.tasks.language import Option
from jaxteach.teacher.plans import parse_plan
from jaxteach.teacher.policy import Teacher, compile_teacher, teacher_policy
from jaxteach.teacher.table import PlanTable
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.abstraction import situation_table
from jaxteach.worlds.minigrid.paper.layout import Layout
from jaxteach.worlds.minigrid.paper.layout_from_grid import layout_from_grid
from jaxteach.worlds.minigrid.paper.state import GridState
from jaxteach.worlds.minigrid.paper.task import Task
from jaxteach.worlds.minigrid.paper.traces import Trace, check_trace, take_episodes

# Episodes replayed together; a multiple of it is padded, so that one program serves every file.
LANES = 32


def replay(trace: Trace, task: Task, table: PlanTable, source: str) -> dict[str, Any]:
    """Replay every episode of a trace from its first row and count the steps that differ.

    Args:
        trace: arrays as the conformance README names them, spatial ones [x, y].
        task: the task the trace was recorded in.
        table: the teacher it was recorded with.
        source: what to call the trace in messages.

    Returns:
        steps, episodes and mismatches by kind (steps with at least one difference).

    Raises:
        UserError: the trace is damaged, or the first row of an episode is not a layout of the task.
    """
    check_trace(trace, task, source)
    teacher = compile_teacher(table, task)
    layouts = _layouts(trace, task, source)
    n_episodes = len(layouts)
    mismatches: dict[str, int] = {}
    for first in range(0, n_episodes, LANES):
        last = min(first + LANES, n_episodes)
        part = take_episodes(trace, first, last)
        ours = _run(part, task, teacher, layouts[first:last])
        for name, wrong in _compare(part, task, table, ours).items():
            mismatches[name] = mismatches.get(name, 0) + int(np.sum(wrong))
    return {"steps": len(trace["action"]), "episodes": n_episodes, "mismatches": mismatches}


def _layouts(trace: Trace, task: Task, source: str) -> list[dict[str, Any]]:
    """The layout of each episode, read off its first row; as dicts, which JAX takes for trees."""
    layouts = []
    for e, first in enumerate(trace["ep_off"][:-1].astype(int)):
        column, row = (int(v) for v in trace["agent_pos"][first])
        grid = trace["grid"][first].swapaxes(0, 1)  # [x, y] -> [row, column]
        try:
            layout = layout_from_grid(task, grid, (row, column), int(trace["agent_dir"][first]))
        except UserError as error:
            raise UserError(f"{source}: episode {e}: {error}") from error
        layouts.append(dataclasses.asdict(layout))
    return layouts


def _run(
    trace: Trace, task: Task, teacher: Teacher, layouts: list[dict[str, Any]]
) -> dict[str, list[np.ndarray]]:
    """Play at most LANES episodes side by side; per quantity, one array [steps + 1, ...] an episode."""
    offsets = trace["ep_off"]
    actions = np.full((task.max_steps + 1, LANES), c.DONE, np.int32)  # a row more, to see the last state
    for lane, (start, stop) in enumerate(itertools.pairwise(offsets)):
        actions[: stop - start, lane] = trace["action"][start:stop]
    padded = layouts + layouts[-1:] * (LANES - len(layouts))
    starts = jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
    played = {name: np.asarray(values) for name, values in _play(task, teacher, starts, actions).items()}
    return {
        name: [values[: length + 1, lane] for lane, length in enumerate(np.diff(offsets))]
        for name, values in played.items()
    }


@functools.partial(jax.jit, static_argnums=0)
def _play(task: Task, teacher: Teacher, layouts: dict[str, Any], actions: Array) -> dict[str, Array]:
    """Scan actions [time, lane] from given layouts [lane]: the states before each action, and its outcome.

    Every array is [time, lane, ...].
    """

    def report(state: GridState) -> dict[str, Array]:
        obs = jax.vmap(task.observe)(state)
        grid, mask = jax.vmap(task.grid_of)(state)
        held = jnp.sum(
            jnp.where(
                jnp.arange(state.keys.colour.shape[1])[None, :] == state.pocket[:, None], state.keys.colour, 0
            ),
            axis=1,
        )
        holding = state.pocket >= 0
        return {
            "grid": grid,
            "mask": mask,
            "obs": obs,
            "position": state.position,
            "direction": state.direction,
            "carrying": jnp.stack(
                [jnp.where(holding, c.KEY, -1), jnp.where(holding, held.astype(jnp.int32), -1)], axis=-1
            ),
            "code": task.perceive(obs, state.memory)[1].situation.code,
            "teacher": teacher_policy(teacher, task, obs, state.memory),
        }

    def step(state: GridState, action: Array) -> tuple[GridState, dict[str, Array]]:
        state = jax.vmap(task.update_seen)(state)
        then, outcome = jax.vmap(task.step)(state, action)
        flags = {"reward": outcome.reward, "terminated": outcome.terminated, "truncated": outcome.truncated}
        return then, {**report(state), **flags}

    states = jax.vmap(lambda layout: task.state_of(Layout(**layout)))(layouts)
    return jax.lax.scan(step, states, actions)[1]


def _compare(
    trace: Trace, task: Task, table: PlanTable, ours: dict[str, list[np.ndarray]]
) -> dict[str, np.ndarray]:
    """Per kind of mismatch, bool for every observed row (steps, then final rows where recorded)."""

    def rows(name: str) -> np.ndarray:
        """Our values before each step, [steps, ...], then after each episode's last, [episodes, ...]."""
        before = [values[:-1] for values in ours[name]]
        return np.concatenate([*before, np.stack([values[-1] for values in ours[name]])])

    def results(name: str) -> np.ndarray:
        """What each step gave, [steps, ...]."""
        return np.concatenate([values[:-1] for values in ours[name]])

    def recorded(name: str) -> np.ndarray:
        return np.concatenate([trace[name], trace[f"final_{name}"]])

    def differ(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a != b).reshape(len(a), -1).any(axis=1)

    n_steps = len(trace["action"])
    codes, q = rows("code")[:n_steps], rows("teacher")[:n_steps]
    captions, plans = _texts(trace, task, table, codes)
    return {
        "grid": differ(rows("grid").swapaxes(1, 2), recorded("grid")),
        "pose": differ(rows("position")[:, ::-1], recorded("agent_pos"))
        | differ(rows("direction"), recorded("agent_dir")),
        "carrying": differ(rows("carrying"), recorded("carrying")),
        "mask": differ(rows("mask").swapaxes(1, 2), recorded("mask")),
        "observation": differ(rows("obs").swapaxes(1, 2), recorded("obs")),
        # Written so that a NaN on either side is a mismatch.
        "reward": ~(np.abs(results("reward") - trace["reward"]) <= 1e-6),
        "terminated": differ(results("terminated"), trace["terminated"]),
        "truncated": differ(results("truncated"), trace["truncated"]),
        "caption": captions,
        "plans": plans,
        "teacher": _teacher_differs(trace, q),
    }


def _texts(trace: Trace, task: Task, table: PlanTable, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the caption differs, and where the plans do (as parsed options, in order, with probabilities)."""
    situations, vocabulary = situation_table(task.vocabulary), task.vocabulary
    wrong_caption = np.ones(len(codes), bool)
    wrong_plans = np.ones(len(codes), bool)
    for code in np.unique(codes):
        situation = situations.situations[code]
        if situation is None:
            continue
        here = codes == code
        caption = vocabulary.real_state(situation).text
        real_of = {canonical: real for real, canonical in vocabulary.renaming(situation).items()}
        plans = [
            (tuple(_in_real_names(o, real_of) for o in plan.options), plan.probability)
            for plan in table.plans[situations.state_index[code]]
        ]
        for text_id in np.unique(trace["text_id"][here]):
            rows = here & (trace["text_id"] == text_id)
            wrong_caption[rows] = str(trace["text_table"][text_id]) != caption
        real_names = (*vocabulary.key_classes, *vocabulary.doors)
        for plan_id in np.unique(trace["plan_id"][here]):
            rows = here & (trace["plan_id"] == plan_id)
            texts, probabilities = json.loads(str(trace["plan_table"][plan_id]))
            wrong_plans[rows] = not (
                [p for p, _ in plans]
                == [_without_raw(parse_plan(text, real_names, vocabulary.language.grammar)) for text in texts]
                and np.allclose([x for _, x in plans], probabilities, rtol=0, atol=1e-6)
            )
    return wrong_caption, wrong_plans


def _in_real_names(option: Option, real_of: dict[str, str]) -> Option:
    """A table's option with its object's real name; a rejected option without its words."""
    if option.kind == "wait":
        return Option("wait")
    return Option(option.kind, real_of.get(option.object, option.object) if option.object else None)


def _without_raw(options: tuple[Option, ...]) -> tuple[Option, ...]:
    return tuple(Option("wait") if o.kind == "wait" else o for o in options)


def _teacher_differs(trace: Trace, q: np.ndarray) -> np.ndarray:
    """Where our distribution is none that ties among shortest paths could explain (README, rule 4)."""
    n_steps = len(q)
    step = np.repeat(np.arange(n_steps), np.diff(trace["plan_off"].astype(int)))
    mask, probability = trace["plan_first_mask"].astype(int), trace["plan_prob"].astype(np.float64)
    least, most = np.zeros((n_steps, 7)), np.zeros((n_steps, 7))
    for action in range(7):
        np.add.at(least[:, action], step, np.where(mask == 1 << action, probability, 0.0))
        np.add.at(most[:, action], step, np.where(mask >> action & 1, probability, 0.0))
    within = (q >= least - 1e-6) & (q <= most + 1e-6)
    tied = np.zeros(n_steps, bool)
    np.logical_or.at(tied, step, (mask & (mask - 1)) != 0)
    equal = np.abs(q - trace["teacher"]) <= 1e-6
    return ~(within & (tied[:, None] | equal)).all(axis=1)
