"""A backend that is no LLM: it answers by rule to the caption in the prompt, for tests and baselines."""

import random
import re
from collections.abc import Sequence
from typing import Any

from jaxteach.llm.backend import Reply, Score
from jaxteach.llm.prompts import Message
from jaxteach.llm.questions import Question
from jaxteach.teacher import all_options
from jaxteach.utils.errors import UserError, nearest
from jaxteach.worlds.minigrid.paper.rules import ideal_plans, sensible

RULES = ("ideal", "uniform")

_CAPTION = re.compile(r"Agent sees .*, holds <[^<>]*>\.")
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
                for options, probability in ideal_plans(question.real_state)
            ]
            lines = [f"Plan: {weighed[0][0]}", *(f"{probability}: {plan}" for plan, probability in weighed)]
            return [Reply("\n".join(lines), finish="stop") for _ in seeds]
        options = [option.text for option in all_options(question.objects)]
        return [Reply(f"Plan: {random.Random(seed).choice(options)}", finish="stop") for seed in seeds]

    def stop(self) -> None:
        """Nothing is under way in other threads."""

    def score(self, messages: Sequence[Message], prefill: str, options: Sequence[str]) -> list[Score]:
        """Equal scores for every sensible option, or for every option."""
        good = {option.text for option in sensible(self._asked(messages).real_state)}
        unsaid = _UNLIKELY if self._rule == "ideal" else 0.0
        return [Score(0.0 if option.strip() in good else unsaid, 1) for option in options]

    def _asked(self, messages: Sequence[Message]) -> Question:
        """The question in the last message."""
        found = _CAPTION.findall(messages[-1]["content"])
        if not found or found[-1] not in self._questions:
            raise UserError("the rule backend finds no caption of this task at the end of the prompt")
        return self._questions[found[-1]]
