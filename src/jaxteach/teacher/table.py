"""Teacher tables: for every abstract state of a task, the plans an LLM gave and how likely each is."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxteach.tasks.language import AbstractState, Language, Option
from jaxteach.teacher.checks import SCHEMA_VERSION, Checked, check_table, read_json
from jaxteach.utils.errors import UserError
from jaxteach.utils.files import write_atomic


@dataclass(frozen=True)
class Plan:
    """One answer of the teacher.

    Attributes:
        options: what to do; the first option that yields an action counts.
        probability: its share among the state's plans.
        count: how many samples gave it; None if it was not counted.
    """

    options: tuple[Option, ...]
    probability: float
    count: int | None = None


@dataclass(frozen=True)
class PlanTable:
    """A teacher, as it stands in a file.

    Attributes:
        task: the task it is for.
        name: its own name, such as "chatglm".
        states: the abstract states, in the order of the task's.
        plans: for each state its plans, in the published order; their probabilities sum to 1.
        provenance: how the table was made; JSON values, null where unknown.
        sha256: of the bytes of the file; empty for a table never saved.
        others: the texts of states that stand in the file and the task does not have; never asked for.

    Raises:
        ValueError: states and plans do not pair up, or a state has no plan.
    """

    task: str
    name: str
    states: tuple[AbstractState, ...]
    plans: tuple[tuple[Plan, ...], ...]
    provenance: dict[str, Any]
    sha256: str = ""
    others: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.states) != len(self.plans) or not all(self.plans):
            raise ValueError("every state needs a list of at least one plan")


def read_table(path: Path, task_name: str, language: Language) -> PlanTable:
    """Read a table's file and refuse it unless every detail is in order; see `loading.load_table`."""
    data, document = read_json(path)
    checked = check_table(document, str(path), task_name, language)
    plans = plans_of(checked)
    return PlanTable(
        task=task_name,
        name=document["name"],
        states=language.states,
        plans=tuple(plans[state] for state in language.states),
        provenance=document["provenance"],
        sha256=hashlib.sha256(data).hexdigest(),
        others=checked.others,
    )


def plans_of(checked: Checked) -> dict[AbstractState, tuple[Plan, ...]]:
    """The plans of a checked document by state. Probabilities that miss 1 by a little are scaled."""
    return {state: _plans(entry["plans"]) for state, entry in checked.by_state.items()}


def likeliest_plans(table: PlanTable) -> PlanTable:
    """A table that says in each state only its most probable plan, the first of equally probable ones."""
    plans = (max(plans, key=lambda plan: plan.probability) for plans in table.plans)
    certain = tuple((dataclasses.replace(plan, probability=1.0),) for plan in plans)
    return dataclasses.replace(table, plans=certain, sha256="")


def save_table(table: PlanTable, path: str | os.PathLike[str]) -> PlanTable:
    """Write a table as JSON: the same table gives the same bytes, one line a plan, whole or not at all.

    Args:
        table: what to write.
        path: the file to create or replace; its folder is made if need be.

    Returns:
        The table with the sha256 of what was written.

    Raises:
        UserError: the file cannot be written.
    """
    path, data = Path(path), _render(table).encode("ascii")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    write_atomic(path, data)
    return dataclasses.replace(table, sha256=hashlib.sha256(data).hexdigest())


def _normalised(probabilities: Iterable[float]) -> list[float]:
    """Scale probabilities to sum to 1; figures that already do, to rounding, stay as they are."""
    figures = [float(p) for p in probabilities]
    total = sum(figures)
    return figures if abs(total - 1) < 1e-9 else [p / total for p in figures]


def _plans(plans: list[dict[str, Any]]) -> tuple[Plan, ...]:
    """Build the plans of one state from checked JSON."""
    probabilities = _normalised(plan["probability"] for plan in plans)
    return tuple(
        Plan(
            tuple(Option(o["option"], o.get("object"), o.get("raw")) for o in plan["options"]),
            p,
            plan["count"],
        )
        for plan, p in zip(plans, probabilities, strict=True)
    )


def _render(table: PlanTable) -> str:
    """The text of a table's file: ASCII, so that a look-alike letter shows as an escape in a diff."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "task": table.task,
        "name": table.name,
        "provenance": table.provenance,
    }
    states = ",\n".join(_render_state(s, p) for s, p in zip(table.states, table.plans, strict=True))
    opening = json.dumps(head, indent=2, allow_nan=False).removesuffix("\n}")
    return f'{opening},\n  "states": [\n{states}\n  ]\n}}\n'


def _render_state(state: AbstractState, plans: tuple[Plan, ...]) -> str:
    """One state, with one line for each of its plans."""
    lines = ",\n".join(
        "        "
        + json.dumps(
            {
                "options": [_option_fields(option) for option in plan.options],
                "probability": plan.probability,
                "count": plan.count,
            },
            allow_nan=False,
        )
        for plan in plans
    )
    head = json.dumps({**state.fields, "text": state.text})[1:-1]
    return f'    {{\n      {head},\n      "plans": [\n{lines}\n      ]\n    }}'


def _option_fields(option: Option) -> dict[str, str]:
    """An option as JSON: only the fields it has."""
    fields = {"option": option.kind, "object": option.object, "raw": option.raw}
    return {key: value for key, value in fields.items() if value is not None}
