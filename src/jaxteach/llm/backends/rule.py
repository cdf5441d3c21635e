"""A backend that is no LLM: it answers by rule to the caption in the prompt, for tests and baselines."""

import random
from collections.abc import Sequence
from typing import Any

from jaxteach.llm.backend import Reply, Score
from jaxteach.llm.prompts import Message
from jaxteach.tasks.language import Question, Rules
from jaxteach.utils.errors import UserError, nearest

RULES = ("ideal", "uniform")

_UNLIKELY = -1000.0
"""Log-likelihood of what a rule would not say: so low that its probability is exactly 0."""


class RuleBackend:
    """The ideal teacher, who knows the rules, or the uniform one, who says anything at all.

    Args:
        rule: "ideal" or "uniform".
        questions: the task's questions; captions are looked up among them.

    Raises:
        UserError: no such rule.
    """

    capabilities = frozenset({"generate", "score"})
    concurrency = 1
    batch = 1000

    def __init__(self, rule: str, questions: Sequence[Question]) -> None:
        if rule not in RULES:
            raise UserError(f"unknown rule {rule!r} for --model: {nearest(rule, RULES)}")
        self._rule = rule
        if rule == "ideal" and any(question.rules is None for question in questions):
            raise UserError("--model ideal: this task has no rules to answer by; --model uniform needs none")
        self._questions = {question.real_state.text: question for question in questions}

    def describe(self) -> dict[str, Any]:
        """What answers."""
        return {
            "backend": "rule",
            "model": self._rule,
            "revision": None,
            "weights_sha256": None,
            "versions": {},
        }

    def generate(
        self, messages: Sequence[Message], seeds: Sequence[int], temperature: float, max_tokens: int
    ) -> list[Reply]:
        """The best plan, then the ideal ones with their probabilities; or one option drawn at random."""
        question = self._asked(messages)
        if self._rule == "ideal":
            weighed = [
                (", ".join(option.text for option in options), probability)
                for options, probability in _rules(question).ideal_plans(question.real_state)
            ]
            lines = [f"Plan: {weighed[0][0]}", *(f"{probability}: {plan}" for plan, probability in weighed)]
            return [Reply("\n".join(lines), finish="stop") for _ in seeds]
        options = [question.real(option).text for option in question.options]
        return [Reply(f"Plan: {random.Random(seed).choice(options)}", finish="stop") for seed in seeds]

    def stop(self) -> None:
        """Nothing is under way in other threads."""

    def score(self, messages: Sequence[Message], prefill: str, options: Sequence[str]) -> list[Score]:
        """Equal scores for every sensible option, or for every option."""
        if self._rule == "uniform":
            return [Score(0.0, 1) for _ in options]
        question = self._asked(messages)
        good = {option.text for option in _rules(question).sensible(question.real_state)}
        return [Score(0.0 if option.strip() in good else _UNLIKELY, 1) for option in options]

    def _asked(self, messages: Sequence[Message]) -> Question:
        """The question in the last message."""
        content = messages[-1]["content"]
        places = [(content.rfind(text), text) for text in self._questions]
        # A caption can be the start or the end of a longer one: the longest that ends last is meant.
        ends = [(place + len(text), len(text), text) for place, text in places if place >= 0]
        if not ends:
            raise UserError("the rule backend finds no caption of this task at the end of the prompt")
        return self._questions[max(ends)[2]]


def _rules(question: Question) -> Rules:
    """The rules of a question's world; `RuleBackend` has seen that there are some."""
    assert question.rules is not None
    return question.rules
