"""From answers to a distribution over plans: three estimators and two corrections, all pure functions."""

import math
from collections.abc import Callable, Mapping, Sequence

from jaxteach.tasks.language import Option
from jaxteach.teacher import Plan

Options = tuple[Option, ...]


def sample(plans: Sequence[Options]) -> tuple[Plan, ...]:
    """Frequencies of the plans in a sample of answers.

    Args:
        plans: one plan an answer, at least one.

    Returns:
        The distinct plans with count and probability, most frequent first, ties in order of appearance.

    >>> go, look = (Option("go to", "key"),), (Option("explore"),)
    >>> [(plan.count, plan.probability) for plan in sample([go, look, go, go])]
    [(3, 0.75), (1, 0.25)]
    """
    counts: dict[Options, int] = {}
    for options in plans:
        counts[options] = counts.get(options, 0) + 1
    return _ordered([Plan(options, n / len(plans), n) for options, n in counts.items()])


def verbalized(answers: Sequence[Sequence[tuple[Options, float]]]) -> tuple[Plan, ...]:
    """The mean of the distributions that the answers state.

    Args:
        answers: for each answer its plans and their probabilities, which sum to 1.

    Returns:
        The distinct plans, most probable first, ties in order of appearance.
    """
    mass: dict[Options, float] = {}
    for answer in answers:
        for options, probability in answer:
            mass[options] = mass.get(options, 0.0) + probability / len(answers)
    return _ordered([Plan(options, probability) for options, probability in mass.items()])


def score(
    log_likelihoods: Mapping[Option, float],
    temperature: float = 1.0,
    baseline: Mapping[Option, float] | None = None,
) -> tuple[Plan, ...]:
    """Softmax over the options' log-likelihoods; every option is a separate plan.

    Args:
        log_likelihoods: summed over each option's tokens, in nats, not normalised by length.
        temperature: above 1 flatter, below 1 sharper.
        baseline: log-likelihoods of the same options where the state is left unsaid; subtracted first, which
            takes out the model's liking for some words whatever the state (contextual calibration, Zhao et
            al. 2021).

    Returns:
        All options, most probable first, ties in the order given.

    >>> plans = score({Option("explore"): math.log(0.3), Option("go to", "key"): math.log(0.1)})
    >>> [round(plan.probability, 3) for plan in plans]
    [0.75, 0.25]
    """
    logits = {o: (v - (baseline[o] if baseline else 0.0)) / temperature for o, v in log_likelihoods.items()}
    top = max(logits.values())
    weights = {option: math.exp(value - top) for option, value in logits.items()}
    total = math.fsum(weights.values())
    return _ordered([Plan((option,), weight / total) for option, weight in weights.items()])


def masked(plans: Sequence[Plan], allowed: Callable[[Option], bool]) -> tuple[Plan, ...]:
    """Keep the plans whose first option is allowed, and scale what is left to sum to 1.

    Args:
        plans: a distribution.
        allowed: says of a first option whether it may stay.

    Returns:
        The plans left, in the same order; empty if none is.
    """
    kept = [plan for plan in plans if allowed(plan.options[0])]
    total = math.fsum(plan.probability for plan in kept)
    if total <= 0:
        return ()
    return tuple(Plan(plan.options, plan.probability / total, plan.count) for plan in kept)


def mass(plans: Sequence[Plan], counted: Callable[[Option], bool]) -> float:
    """Probability that the first option of the teacher's plan is one that counts."""
    return math.fsum(plan.probability for plan in plans if counted(plan.options[0]))


def entropy(plans: Sequence[Plan]) -> float:
    """Entropy of a distribution over plans, in bits.

    >>> entropy(sample([(Option("explore"),), (Option("go to", "key"),)]))
    1.0
    """
    return -math.fsum(p.probability * math.log2(p.probability) for p in plans if p.probability > 0) + 0.0


def _ordered(plans: list[Plan]) -> tuple[Plan, ...]:
    """Most probable first; the sort is stable, so ties keep their order."""
    return tuple(sorted(plans, key=lambda plan: -plan.probability))
