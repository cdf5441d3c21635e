"""The settings of one precompute run, and which of them decide what an answer is."""

from dataclasses import dataclass
from typing import Any, Literal

from jaxteach.llm.answer_log import Record
from jaxteach.llm.backend import Backend, at_least, require
from jaxteach.llm.prompts import Prompt
from jaxteach.tasks.language import Question
from jaxteach.utils.errors import UserError

Estimator = Literal["sample", "verbalized", "score"]


@dataclass(frozen=True)
class Settings:
    """How to ask, and how to turn answers into a distribution.

    Attributes:
        estimator: which of the three.
        samples: answers a state, for `sample` and `verbalized`.
        temperature: of those answers; 0 takes the most likely words.
        seed: of their randomness.
        max_tokens: where an answer is cut off.
        think: ask for a short chain of thought first; for `score` one greedy one, after which options are
            scored.
        examples: worked examples in the prompt.
        score_temperature: of the softmax over scores.
        calibrate: subtract the scores that options get when the state is left unsaid.
        mask_inadmissible: drop plans whose first option the rules make impossible in the state.
        max_unparsed: largest share of a state's answers that may be no plan.
    """

    estimator: Estimator
    samples: int = 20
    temperature: float = 0.7
    seed: int = 0
    max_tokens: int = 160
    think: bool = True
    examples: int = 3
    score_temperature: float = 1.0
    calibrate: bool = False
    mask_inadmissible: bool = False
    max_unparsed: float = 0.2

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            UserError: a setting is out of its range, or does not go with the estimator.
        """
        for name, least in (
            ("samples", 1),
            ("max_tokens", 1),
            ("seed", 0),
            ("examples", 0),
            ("temperature", 0),
        ):
            at_least(name.replace("_", "-"), getattr(self, name), least)
        if not 0 < self.score_temperature < float("inf"):
            raise UserError(f"--score-temperature is {self.score_temperature}: it must be more than 0")
        if not 0 <= self.max_unparsed <= 1:
            raise UserError(f"--max-unparsed is {self.max_unparsed}: it is a share, from 0 to 1")
        if not self.temperature < float("inf"):
            raise UserError("--temperature must be finite")
        if self.calibrate and self.estimator != "score":
            raise UserError("--calibrate corrects scores: it goes with --estimator score only")


@dataclass(frozen=True)
class Job:
    """Everything one run works on.

    Attributes:
        task: the task's name.
        facts: the task's world in words, for the LLM.
        questions: one for each row of the table.
        prompt: the prompt file.
        settings: how to ask and estimate.
    """

    task: str
    facts: str
    questions: tuple[Question, ...]
    prompt: Prompt
    settings: Settings

    def check(self, backend: str, capabilities: frozenset[str]) -> None:
        """Refuse settings that cannot be, or that the backend cannot serve.

        Args:
            backend: its name.
            capabilities: what it can do.

        Raises:
            UserError: one of them is wrong.
        """
        self.settings.check()
        if self.settings.estimator == "score":
            require(backend, capabilities, "score")
        if self.settings.estimator != "score" or self.settings.think:
            require(backend, capabilities, "generate")
        if not self.facts.strip():
            raise UserError(
                f"the task {self.task} has no facts for a prompt: give its class an attribute `facts`"
            )

    def identity(self, backend: Backend) -> Record:
        """What decides an answer, and so must stay the same when a run is resumed.

        The number of samples and all that only combines answers (score temperature, mask, calibration, the
        limit on unparsed answers) is left out: it may change, and nothing is asked again. So is the task's
        name: two tasks may tell the LLM the same.
        """
        s = self.settings
        generating: dict[str, Any] = {"max_tokens": s.max_tokens}
        if s.estimator != "score":
            generating |= {"temperature": s.temperature, "seed": s.seed}
        return {
            "facts": self.facts,
            "states": [question.real_state.text for question in self.questions],
            "estimator": s.estimator,
            "prompt_sha256": self.prompt.sha256,
            "think": s.think,
            "examples": s.examples,
            **generating,
            **backend.describe(),
        }
