"""What a table is worth, in words: each state's distribution, and how much of it makes sense by the rules."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxteach.llm.estimators import entropy, mass
from jaxteach.llm.parse import is_rejected
from jaxteach.tasks.language import AbstractState, Language, Option, Rules
from jaxteach.teacher import Plan, PlanTable


@dataclass(frozen=True)
class Quality:
    """Means over a table's states.

    Attributes:
        sensible: probability that the first option makes sense; NaN for a world without rules.
        accuracy: share of states whose most probable first option makes sense; likewise.
        entropy: of the plans, in bits.
        unparsed: probability that the first option was not understood.
    """

    sensible: float
    accuracy: float
    entropy: float
    unparsed: float


def quality(table: PlanTable, rules: Rules | None) -> Quality:
    """Measure a table by the rules.

    Args:
        table: any table.
        rules: its world's, or None.
    """
    rows = list(zip(table.states, table.plans, strict=True))
    return Quality(
        sensible=statistics.fmean(_sensible_mass(rules, state, plans) for state, plans in rows),
        accuracy=statistics.fmean(_is_sensible(rules, state, _first_choice(plans)) for state, plans in rows),
        entropy=statistics.fmean(entropy(plans) for plans in table.plans),
        unparsed=statistics.fmean(mass(plans, is_rejected) for plans in table.plans),
    )


def baselines(language: Language) -> dict[str, float]:
    """Mean probability of sensible options under three teachers that know nothing.

    Args:
        language: the task's.

    Returns:
        By name: any option, any option the state allows, always the first option; nothing for a world without
        rules.
    """
    rules, options = language.rules, language.options
    if rules is None:
        return {}
    chances: dict[str, Callable[[AbstractState], float]] = {
        "uniform over all options": lambda s: len(rules.sensible(s)) / len(options),
        "uniform over admissible options": lambda s: len(rules.sensible(s)) / len(rules.admissible(s)),
        f"always {options[0].text}": lambda s: float(options[0] in rules.sensible(s)),
    }
    return {
        name: statistics.fmean(chance(state) for state in language.states) for name, chance in chances.items()
    }


def describe(table: PlanTable, language: Language, most: int = 6) -> str:
    """The report that follows a precompute run.

    Args:
        table: what was made.
        language: the task's.
        most: plans shown of one state.

    Returns:
        Several lines of text; sensible first options are marked with "+".
    """
    rules = language.rules
    lines = [f"{table.task}: {table.name}"]
    for state, plans in zip(table.states, table.plans, strict=True):
        figures = f"entropy {entropy(plans):.2f} bits"
        if rules is not None:
            figures += f", sensible {_sensible_mass(rules, state, plans):.2f}"
        unparsed = mass(plans, is_rejected)
        lines += ["", f"{state.text}  ({figures}" + (f", unparsed {unparsed:.2f})" if unparsed else ")")]
        for plan in plans[:most]:
            mark = (
                "+"
                if _is_sensible(rules, state, plan.options[0]) == 1.0
                else "?"
                if is_rejected(plan.options[0])
                else " "
            )
            lines.append(f"  {plan.probability:5.2f} {mark} {_words(plan)}")
        if len(plans) > most:
            rest = sum(plan.probability for plan in plans[most:])
            lines.append(f"  {rest:5.2f}   in {len(plans) - most} more")
    q = quality(table, rules)
    if cut_off := table.provenance.get("cut_off"):
        lines += ["", f"{cut_off} of {table.provenance['asks']} answers were cut off at --max-tokens"]
    lines += ["", f"mean entropy {q.entropy:.2f} bits, unparsed {q.unparsed:.2f}"]
    if rules is not None:
        lines.append(
            f"mass on sensible options {q.sensible:.2f}; the most likely one is sensible in {q.accuracy:.2f}"
        )
    lines += [f"  {value:.2f} {name}" for name, value in baselines(language).items()]
    return "\n".join(lines)


def _words(plan: Plan) -> str:
    text = ", ".join(option.text for option in plan.options) or "(nothing)"
    return text if len(text) <= 90 else text[:87] + "..."


def _is_sensible(rules: Rules | None, state: AbstractState, option: Option) -> float:
    """1 for an option that makes sense, 0 for another; NaN without rules."""
    return math.nan if rules is None else float(option in rules.sensible(state))


def _sensible_mass(rules: Rules | None, state: AbstractState, plans: Sequence[Plan]) -> float:
    if rules is None:
        return math.nan
    good = rules.sensible(state)
    return mass(plans, lambda option: option in good)


def _first_choice(plans: Sequence[Plan]) -> Option:
    """The most probable first option, summed over the plans that start with it."""
    chances: dict[Option, float] = {}
    for plan in plans:
        chances[plan.options[0]] = chances.get(plan.options[0], 0.0) + plan.probability
    return max(chances, key=lambda option: chances[option])
