"""What `python -m jaxteach.tables` shows: tables side by side, and two of them state by state."""

import math
from collections.abc import Sequence

from jaxteach.llm.report import quality
from jaxteach.tasks.language import Language, Option, Rules
from jaxteach.teacher import Plan, PlanTable
from jaxteach.teacher.success import Success
from jaxteach.utils.errors import one_line

_COLUMNS = (
    "table",
    "model",
    "estimator",
    "asks",
    "entropy",
    "unparsed",
    "sensible",
    "likeliest",
    "success alone",
)

_CORRECTIONS = {"calibrate": "calibrated", "mask_inadmissible": "masked"}
"""Flags that change what a table is worth, and what is said of one that was made with them."""


def list_tables(
    tables: Sequence[PlanTable], successes: dict[str, Success], rules: Rules | None, markdown: bool = False
) -> str:
    """One line a table.

    Args:
        tables: of one task.
        successes: by sha256.
        rules: of the tables' world, or None.
        markdown: write a table for a README, instead of columns for a terminal.

    Returns:
        Lines of text; entropy is in bits, the rest in shares, each the mean over states.
    """
    rows = [_COLUMNS, *(_row(table, successes.get(table.sha256), rules) for table in tables)]
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], "|" + " --- |" * len(_COLUMNS), *lines[1:]])
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def compare_tables(one: PlanTable, other: PlanTable, language: Language) -> str:
    """Two tables of one task, state by state.

    Args:
        one: a table.
        other: another of the same task.
        language: the task's.

    Returns:
        For every state the first options of both with their probabilities, and how far apart these are: total
        variation, 0 for equal and 1 for nothing in common.
    """
    lines, total = [f"{one.task}: {one.name} | {other.name}"], 0.0
    for state, a, b in zip(language.states, one.plans, other.plans, strict=True):
        left, right = first_options(a), first_options(b)
        options = sorted(left.keys() | right.keys(), key=lambda o: -left.get(o, 0.0) - right.get(o, 0.0))
        apart = sum(abs(left.get(o, 0.0) - right.get(o, 0.0)) for o in options) / 2
        total += apart
        lines += ["", f"{state.text}  (apart by {apart:.2f})"]
        lines += [f"  {left.get(o, 0.0):5.2f} {right.get(o, 0.0):5.2f}  {o.text[:80]}" for o in options]
    return "\n".join([*lines, "", f"mean distance {total / len(language.states):.2f}"])


def first_options(plans: Sequence[Plan]) -> dict[Option, float]:
    """Probability of every first option; all that was not understood counts as one waiting."""
    chances: dict[Option, float] = {}
    for plan in plans:
        first = Option("wait") if plan.options[0].kind == "wait" else plan.options[0]
        chances[first] = chances.get(first, 0.0) + plan.probability
    return chances


def _cell(value: object) -> str:
    """A value of the provenance in a few printable characters."""
    return "-" if value is None else one_line(value)[:40]


def _row(table: PlanTable, success: Success | None, rules: Rules | None) -> tuple[str, ...]:
    """The cells of one table; its provenance can be anybody's, and hold anything."""
    q, made = quality(table, rules), table.provenance
    sampling = made.get("sampling")
    used = sampling if isinstance(sampling, dict) else {}
    corrected = [word for flag, word in _CORRECTIONS.items() if used.get(flag)]
    known = [_cell(made.get(key)) for key in ("model", "estimator", "asks")]
    known[1] = ", ".join((known[1], *corrected))
    figures = (
        "-" if math.isnan(value) else f"{value:.2f}"
        for value in (q.entropy, q.unparsed, q.sensible, q.accuracy)
    )
    return (table.name, *known, *figures, f"{success.rate:.3f}" if success else "-")
