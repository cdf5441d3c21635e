"""What the tests of llm share: the vocabularies, a job, and a backend that answers by chance."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

from jaxteach.llm import Job, Settings, load_prompt, precompute
from jaxteach.llm.backend import Reply, Score
from jaxteach.llm.prompts import Message
from jaxteach.tasks.language import Question
from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary

SIMPLE = Vocabulary(("key",), ("door",))
COLORED = Vocabulary(("blue key", "red key"), ("blue door",), recoloured=True)
TWO_DOOR = Vocabulary(("key",), ("door1", "door2"))
VOCABULARIES = (SIMPLE, COLORED, TWO_DOOR)


def make_job(vocabulary: Vocabulary = SIMPLE, **settings: Any) -> Job:
    """A job with short facts; settings as given, `sample` with 3 answers by default."""
    chosen = Settings(**{"estimator": "sample", "samples": 3, **settings})
    return Job("simple_door_key", "There is a key and a door.", vocabulary.questions, load_prompt(), chosen)


class FakeBackend:
    """Answers at random by seed, as a model at temperature would, and notes everything it is asked.

    Args:
        asked: the questions.
        concurrency: calls at the same time.
        batch: answers a call.
        unparsed: chance of an answer that is no plan.
    """

    capabilities = frozenset({"generate", "score"})

    def __init__(
        self, asked: Sequence[Question], concurrency: int = 1, batch: int = 2, unparsed: float = 0.0
    ) -> None:
        self.concurrency = concurrency
        self.batch = batch
        self.calls: list[tuple[str, int]] = []
        self.prompts: list[list[Message]] = []
        self.temperatures: set[float] = set()
        self.stopped = False
        self._options = [asked[0].real(option).text for option in asked[0].options]
        self._unparsed = unparsed

    def describe(self) -> dict[str, Any]:
        """What answers."""
        return {"backend": "fake", "model": "fake", "revision": None, "weights_sha256": None, "versions": {}}

    def generate(
        self, messages: Sequence[Message], seeds: Sequence[int], temperature: float, max_tokens: int
    ) -> list[Reply]:
        """One answer a seed."""
        self.prompts.append(list(messages))
        self.calls += [("generate", seed) for seed in seeds]
        self.temperatures.add(temperature)
        return [Reply(self._say(random.Random(seed)), 10, 5, "stop") for seed in seeds]

    def stop(self) -> None:
        """Note it."""
        self.stopped = True

    def score(self, messages: Sequence[Message], prefill: str, options: Sequence[str]) -> list[Score]:
        """Scores that follow from the words alone."""
        self.prompts.append(list(messages))
        self.calls.append(("score", len(options)))
        chance = random.Random(messages[-1]["content"] + prefill)
        return [Score(-10 * chance.random(), len(option)) for option in options]

    def _say(self, chance: random.Random) -> str:
        if chance.random() < self._unparsed:
            return "I am only a small model."
        return f"Thought: why not.\nPlan: {chance.choice(self._options)}, {chance.choice(self._options)}"


class Saying(FakeBackend):
    """Says the same to everything, or some texts in turn."""

    def __init__(self, asked, *texts, finish="stop"):
        super().__init__(asked)
        self._texts, self._finish = itertools.cycle(texts), finish

    def generate(self, messages, seeds, temperature, max_tokens):
        self.prompts.append(list(messages))
        return [Reply(next(self._texts), 1, 9, self._finish, served_by="m-2026") for _ in seeds]


def make(tmp_path, job, backend):
    """A table in a folder of its own."""
    return precompute(job, backend, tmp_path / "t.json", "mine")
