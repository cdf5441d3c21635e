"""Tables with wrong states, where the teacher always says one other option. No JAX here."""

import dataclasses
import hashlib
from typing import Any

from jaxteach.config import Config, Corrupt
from jaxteach.tasks.language import AbstractState, Option
from jaxteach.teacher.loading import load_teacher
from jaxteach.teacher.table import Plan, PlanTable, likeliest_plans
from jaxteach.utils.errors import UserError


def teacher_of(config: Config) -> PlanTable | None:
    """The true table that a configuration names, for its task; None without a teacher.

    Raises:
        UserError: there is no such table, it does not fit, or more of its states are to be wrong than it has.
    """
    table = load_teacher(config.teacher, config.task)
    if table is not None:
        wrong_states(table, config.corrupt)
    return table


def wrong_states(table: PlanTable, corrupt: Corrupt) -> list[AbstractState]:
    """The states that a configuration makes wrong, which follows from its seed by hashing.

    More states are those of fewer and others besides. A share that is no whole number of states is rounded up
    or down, by seed, so that on average over seeds it is exact.

    Args:
        table: the true one.
        corrupt: how many, and the seed.

    Returns:
        The states; none where errors are noise.

    Raises:
        UserError: more states are to be wrong than the table has.
    """
    if corrupt.mode == "noise":
        return []
    if corrupt.states > len(table.states):
        raise UserError(
            f"--corrupt.states {corrupt.states}: teacher {table.name} of {table.task} has only "
            f"{len(table.states)} abstract states"
        )
    ranked = sorted(table.states, key=lambda state: _draw(corrupt.seed, "state", state.text))
    share = corrupt.share * len(ranked) + _draw(corrupt.seed, "rounding", table.task)
    return ranked[: corrupt.states or int(share)]


def systematic(table: PlanTable, options: tuple[Option, ...], corrupt: Corrupt) -> PlanTable:
    """Replace what a table says in its wrong states, each time by one other option, always the same.

    Args:
        table: the true one.
        options: the task's.
        corrupt: see `wrong_states`; which options follows from its seed too.

    Returns:
        The table, its provenance saying what was done; the same table if nothing was.

    Raises:
        UserError: see `wrong_states`.
    """
    wrong = wrong_states(table, corrupt)
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


def as_heard(table: PlanTable, options: tuple[Option, ...], corrupt: Corrupt, mode: str) -> PlanTable:
    """The table as its students hear it, to be shown: errors put in, noise mixed into its plans.

    Args:
        table: the true one.
        options: the task's.
        corrupt: the errors.
        mode: see `--distill.teacher`; of argmax only the likeliest plans are heard.

    Returns:
        A table whose name tells what was changed; the same table if nothing was.
    """
    errors = describe_errors(table, corrupt)
    remarks = [] if errors is None else [in_words(errors)]
    shown = systematic(table, options, corrupt)
    if mode == "argmax":
        remarks.append("likeliest plans")
        shown = likeliest_plans(shown)
    if corrupt.mode == "noise" and errors is not None:
        wrong = other_options(table, options)
        mixed = tuple(
            _scaled(right, 1 - corrupt.share) + _scaled(other, corrupt.share)
            for right, other in zip(shown.plans, wrong.plans, strict=True)
        )
        shown = dataclasses.replace(shown, plans=mixed)
    return dataclasses.replace(shown, name=f"{table.name} ({', '.join(remarks)})") if remarks else table


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


def describe_errors(table: PlanTable | None, corrupt: Corrupt) -> dict[str, Any] | None:
    """The errors put into a teacher as summary.json names them: what was asked for, and what is wrong.

    Args:
        table: the true one; None without a teacher.
        corrupt: the errors.

    Returns:
        The fields of `Corrupt`; `n_states`, how many states the table has, `n_wrong`, how many of them are
        always wrong, and `wrong_states`, their captions. None without errors.
    """
    if table is None or not corrupt.any:
        return None
    wrong = [state.text for state in wrong_states(table, corrupt)]
    counts = {"n_states": len(table.states), "n_wrong": len(wrong), "wrong_states": wrong}
    return {**dataclasses.asdict(corrupt), **counts}


def in_words(errors: dict[str, Any]) -> str:
    """What `describe_errors` returns, in a few words.

    >>> in_words({"mode": "systematic", "share": 0.2, "n_wrong": 3, "n_states": 14})
    '3 of 14 states wrong'
    >>> in_words({"mode": "noise", "share": 0.2, "n_wrong": 0, "n_states": 14})
    '20% wrong at random'
    """
    if errors["mode"] == "noise":
        return f"{errors['share']:.0%} wrong at random"
    return f"{errors['n_wrong']} of {errors['n_states']} states wrong"


def _others(plans: tuple[Plan, ...], options: tuple[Option, ...]) -> list[Option]:
    """The options no plan begins with; all of them if there is none."""
    said = {plan.options[0] for plan in plans}
    return [option for option in options if option not in said] or list(options)


def _draw(seed: int, what: str, name: str) -> float:
    """A number in [0, 1) that depends on nothing but the arguments, the same for ever."""
    digest = hashlib.sha256(f"{seed}/{what}/{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
