"""The audit of one run's teacher: its students play by themselves, then made to follow and to depart."""

import math
from typing import Any

import numpy as np

from jaxteach.config import BY_OPTIONS, PlanMode
from jaxteach.reporting.audit import PAIRS, Pairs, Visits, audit_row, pooled, ranked, visited
from jaxteach.reporting.measure import IntArray, play_episodes
from jaxteach.reporting.students import Students
from jaxteach.teacher.corruption import make_teacher
from jaxteach.teacher.wrong import as_heard, wrong_states
from jaxteach.utils.errors import UserError

MOST_STATES = 400
"""Abstract states that are played twice, those visited most: beyond that the time would be too long."""


def audit_teacher(label: str, students: Students, episodes: int) -> dict[str, Any]:
    """Measure a run's teacher against its students.

    Args:
        label: the run's.
        students: the run's.
        episodes: how many are played in all, by the students as they act by themselves.

    Returns:
        The audit, as JSON values; its rows are all states of the table, those the students do better
        without first.

    Raises:
        UserError: there is no teacher, or students choose among its options themselves.
    """
    config, task, table = students.config, students.task, students.table
    if table is None:
        raise UserError("there is no teacher to audit")
    if config.method in BY_OPTIONS:
        raise UserError("students that choose among options are not audited")
    # A teacher that draws its plans, at every step or once a state, acts on average as one that mixes them.
    mode: PlanMode = "argmax" if config.distill.teacher == "argmax" else "soft"
    teacher = make_teacher(table, task, config.corrupt, mode=mode)
    heard = as_heard(table, task.language.options, config.corrupt, mode)
    each = math.ceil(episodes / len(students.params))
    found: dict[int, dict[int, Visits]] = {}
    for order, (seed, params) in enumerate(students.params.items()):
        numbers = np.arange(order * each, (order + 1) * each)
        steps = play_episodes(task, students.student, teacher, params, numbers)
        found[seed] = visited(steps, numbers)
    together = {
        state: pooled([own[state] for own in found.values() if state in own])
        for state in {state for own in found.values() for state in own}
    }
    listed = sorted((s for s in together if s >= 0), key=lambda s: -together[s].visits)
    pairs = play_pairs(students, teacher, found, listed[:MOST_STATES])
    # Noise is in every row alike.
    changed = [state in wrong_states(table, config.corrupt) for state in table.states]
    rows = [
        audit_row(task, heard, s, changed[s], together.get(s), pairs.get(s)) for s in range(len(table.states))
    ]
    visits = sum(one.visits for one in together.values())
    return {
        "label": label,
        "task": task.name,
        "teacher": heard.name,
        "students": sorted(students.params),
        "episodes": each * len(students.params),
        "visits": visits,
        "unlisted": together[-1].visits if -1 in together else 0,
        "listed": len(table.states),
        "rows": ranked(rows),
    }


def play_pairs(
    students: Students, teacher: Any, found: dict[int, dict[int, Visits]], states: list[int]
) -> dict[int, Pairs]:
    """Play episodes that pass through a state twice: following the teacher there, and departing from it.

    Args:
        students: the run's.
        teacher: its teacher, compiled.
        found: by seed and state, which episodes pass through it.
        states: those to measure.

    Returns:
        The outcomes by state, over all students; those of their own way are known already.
    """
    share = math.ceil(PAIRS / len(students.params))
    outcomes: dict[int, list[tuple[Any, Any]]] = {}
    for seed, params in students.params.items():
        numbers: list[int] = []
        where: list[int] = []
        for state in states:
            if state in found[seed]:
                through = found[seed][state].episodes[:share].tolist()
                numbers += through
                where += [state] * len(through)
        if not numbers:
            continue
        at, n = np.array(where), len(numbers)
        follow = np.repeat([True, False], n)
        twice: IntArray = np.tile(np.array(numbers), 2)
        steps = play_episodes(students.task, students.student, teacher, params, twice, np.tile(at, 2), follow)
        success, reward = steps.success.reshape(2, n), steps.reward.reshape(2, n)
        for state in set(where):
            here, own = at == state, found[seed][state]
            first = int(here.sum())
            outcomes.setdefault(state, []).append(
                (
                    np.stack([success[0, here], own.succeeded[:first], success[1, here]]),
                    np.stack([reward[0, here], own.reward[:first], reward[1, here]]),
                )
            )
    return {
        state: Pairs(*(np.concatenate(parts, axis=1) for parts in zip(*arrays, strict=True)))
        for state, arrays in outcomes.items()
    }


def audit_note(audit: dict[str, Any]) -> str:
    """How the figures of an audit came about, and how sure they are."""
    seeds = ", ".join(map(str, audit["students"]))
    unlisted = audit["unlisted"] / max(1, audit["visits"])
    return (
        f"{audit['episodes']} episodes of the students of seeds {seeds}, sampling their actions; at most "
        f"{PAIRS} pairs a state. Intervals are 95 % bootstrap intervals over pairs, each of one state alone: "
        "of 20 rows without any difference one may well seem to have one. KL: of the student's from the "
        "teacher's distribution, mean over visits, in nats. Departs: share of visits at which they prefer "
        f"different actions. {unlisted:.1%} of the steps were in states that the table does not list."
    )
