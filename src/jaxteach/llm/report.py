"""What a table is worth, in words: each state's distribution, and how much of it makes sense by the rules."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxteach.llm.estimators import entropy, mass
from jaxteach.llm.parse import is_rejected
from jaxteach.teacher import Option, Plan, PlanTable, all_options
from jaxteach.worlds.minigrid.paper.abstract_states import AbstractState
from jaxteach.worlds.minigrid.paper.rules import admissible, sensible


@dataclass(frozen=True)
class Quality:
    """Means over a table's states.

    Attributes:
        sensible: probability that the first option makes sense.
        accuracy: share of states whose most probable first option makes sense.
        entropy: of the plans, in bits.
        unparsed: probability that the first option was not understood.
    """

    sensible: float
    accuracy: float
    entropy: float
    unparsed: float


def quality(table: PlanTable) -> Quality:
    """Measure a table by the rules.

    Args:
        table: any table of a door-and-key task.
    """
    rows = list(zip(table.states, table.plans, strict=True))
    return Quality(
        sensible=statistics.fmean(_sensible_mass(state, plans) for state, plans in rows),
        accuracy=statistics.fmean(_first_choice(plans) in sensible(state) for state, plans in rows),
        entropy=statistics.fmean(entropy(plans) for plans in table.plans),
        unparsed=statistics.fmean(mass(plans, is_rejected) for plans in table.plans),
    )


def baselines(states: Sequence[AbstractState], objects: Sequence[str]) -> dict[str, float]:
    """Mean probability of sensible options under three teachers that know nothing.

    Args:
        states: the task's abstract states.
        objects: names a plan may mention.

    Returns:
        By name: any option, any option the state allows, always explore.
    """
    options = all_options(objects)
    chances: dict[str, Callable[[AbstractState], float]] = {
        "uniform over all options": lambda s: len(sensible(s)) / len(options),
        "uniform over admissible options": lambda s: len(sensible(s)) / len(admissible(s)),
        "always explore": lambda s: float(Option("explore") in sensible(s)),
    }
    return {name: statistics.fmean(chance(state) for state in states) for name, chance in chances.items()}


def describe(table: PlanTable, objects: Sequence[str], most: int = 6) -> str:
    """The report that follows a precompute run.

    Args:
        table: what was made.
        objects: names a plan may mention.
        most: plans shown of one state.

    Returns:
        Several lines of text; sensible first options are marked with "+".
    """
    lines = [f"{table.task}: {table.name}"]
    for state, plans in zip(table.states, table.plans, strict=True):
        figures = f"entropy {entropy(plans):.2f} bits, sensible {_sensible_mass(state, plans):.2f}"
        unparsed = mass(plans, is_rejected)
        lines += ["", f"{state.text}  ({figures}" + (f", unparsed {unparsed:.2f})" if unparsed else ")")]
        good = sensible(state)
        for plan in plans[:most]:
            mark = "+" if plan.options[0] in good else "?" if is_rejected(plan.options[0]) else " "
            lines.append(f"  {plan.probability:5.2f} {mark} {_words(plan)}")
        if len(plans) > most:
            rest = sum(plan.probability for plan in plans[most:])
            lines.append(f"  {rest:5.2f}   in {len(plans) - most} more")
    q = quality(table)
    if cut_off := table.provenance.get("cut_off"):
        lines += ["", f"{cut_off} of {table.provenance['asks']} answers were cut off at --max-tokens"]
    lines += ["", f"mean entropy {q.entropy:.2f} bits, unparsed {q.unparsed:.2f}"]
    lines += [
        f"mass on sensible options {q.sensible:.2f}; the most likely one is sensible in {q.accuracy:.2f}"
    ]
    lines += [f"  {value:.2f} {name}" for name, value in baselines(table.states, objects).items()]
    return "\n".join(lines)


def _words(plan: Plan) -> str:
    text = ", ".join(option.text for option in plan.options) or "(nothing)"
    return text if len(text) <= 90 else text[:87] + "..."


def _sensible_mass(state: AbstractState, plans: Sequence[Plan]) -> float:
    good = sensible(state)
    return mass(plans, lambda option: option in good)


def _first_choice(plans: Sequence[Plan]) -> Option:
    """The most probable first option, summed over the plans that start with it."""
    chances: dict[Option, float] = {}
    for plan in plans:
        chances[plan.options[0]] = chances.get(plan.options[0], 0.0) + plan.probability
    return max(chances, key=lambda option: chances[option])
