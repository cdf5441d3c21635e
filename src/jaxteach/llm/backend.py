"""What a backend is: something that answers prompts, and says what it can do and what it is."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxteach.llm.prompts import Message
from jaxteach.utils.errors import UserError


@dataclass(frozen=True)
class Reply:
    """One generated answer.

    Attributes:
        text: as it came.
        tokens_in: tokens of the prompt; None if the backend does not say.
        tokens_out: tokens generated; None if the backend does not say.
        finish: why it ended ("stop", "length"), as the backend calls it; see `was_cut` and `was_broken`.
        served_by: the model the backend says it used, where that can differ from the one asked for.
        left_out: what the request lacked because the server refuses it.
        reasoning_alone: where the thoughts are that came without an answer, if so.
    """

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    finish: str | None = None
    served_by: str | None = None
    left_out: tuple[str, ...] = ()
    reasoning_alone: str | None = None


@dataclass(frozen=True)
class Request:
    """One answer that is wanted.

    Attributes:
        messages: the conversation, ending with the user's turn.
        seed: of the answer.
    """

    messages: Sequence[Message]
    seed: int


@dataclass(frozen=True)
class Score:
    """How likely a model finds one continuation.

    Attributes:
        log_likelihood: summed over its tokens, in nats.
        tokens: how many tokens that were.
    """

    log_likelihood: float
    tokens: int


class Backend(Protocol):
    """Answers prompts. Calls may come from `concurrency` threads at once."""

    capabilities: frozenset[str]
    """"generate", "score", or both."""
    concurrency: int
    """How many calls may run at the same time."""
    batch: int
    """How many answers to ask for in one call of `generate`."""

    def describe(self) -> dict[str, Any]:
        """What answers: model, revision, weights_sha256, backend, versions, ...; JSON values, no secrets."""
        ...

    def generate(
        self, messages: Sequence[Message], seeds: Sequence[int], temperature: float, max_tokens: int
    ) -> list[Reply]:
        """Answer a conversation once for each seed.

        Args:
            messages: the conversation, ending with the user's turn.
            seeds: one for each answer; the same seed gives the same answer where the backend can promise
                that.
            temperature: 0 for the most likely words.
            max_tokens: where to cut an answer off.

        Returns:
            As many answers as seeds, in their order. One that ended by a fault (`was_broken`) is asked again.
        """
        ...

    def stop(self) -> None:
        """The run ends early: what is under way in other threads may end, but not begin anew."""
        ...

    def score(self, messages: Sequence[Message], prefill: str, options: Sequence[str]) -> list[Score]:
        """Score continuations of an answer that has begun.

        Args:
            messages: the conversation, ending with the user's turn.
            prefill: how the answer begins.
            options: the continuations, each scored right after the prefill.

        Returns:
            One score for each option, in their order.
        """
        ...


@runtime_checkable
class ManyAtOnce(Protocol):
    """A backend that also answers different conversations side by side; then `generate` is not called."""

    def generate_many(
        self, requests: Sequence[Request], temperature: float, max_tokens: int
    ) -> Iterator[list[tuple[int, Reply]]]:
        """Answer every request once; no answer may depend on which others are asked beside it.

        Args:
            requests: what is asked; at least one.
            temperature: 0 for the most likely words.
            max_tokens: where to cut an answer off.

        Yields:
            Answers as they come, each with its request's place among all; they are logged at once.
        """
        ...


# What servers call the end of an answer, OpenAI's, Gemini's, Mistral's, DeepSeek's and others'.
_CUT = re.compile(r"length|max_.*tokens|token_?limit|truncat", re.IGNORECASE)
_BROKEN = re.compile(
    r"error|fail|filter|safety|sensitive|block|prohibit|recitation|spii|refus|guardrail|malformed|abort|cancel|"
    r"interrupt|insufficient|overload|time_?out",
    re.IGNORECASE,
)


def was_broken(finish: str | None) -> bool:
    """Whether an answer ended by a fault or a filter: what there is of it is not what the model says.

    Args:
        finish: why it ended, as a backend calls it.

    >>> was_broken("content_filter"), was_broken("stop"), was_broken(None)
    (True, False, False)
    """
    return bool(finish and _BROKEN.search(finish))


def was_cut(finish: str | None, tokens: int | None = None, limit: int | None = None) -> bool:
    """Whether an answer was cut off at its limit of tokens.

    Args:
        finish: why it ended, as a backend calls it; servers that do not say are measured by the tokens.
        tokens: how many there are; None if the backend does not say.
        limit: how many there may be.

    >>> was_cut("length"), was_cut("stop", 160, 160), was_cut(None, 160, 160), was_cut("eos_token")
    (True, False, True, False)
    """
    if finish:
        return bool(_CUT.search(finish))
    return tokens is not None and limit is not None and tokens >= limit


def require(backend: str, capabilities: frozenset[str], capability: str) -> None:
    """Refuse work that a backend cannot do exactly.

    Args:
        backend: its name.
        capabilities: what it can do.
        capability: what it is needed for.

    Raises:
        UserError: the capability is missing.
    """
    if capability not in capabilities:
        raise UserError(
            f"the {backend} backend cannot {capability}: choose another --estimator "
            f"(sample and verbalized need generate; score needs score, and generate for its chain of thought)"
        )


def at_least(flag: str, value: float, least: float) -> None:
    """Refuse a number that is too small, or is none.

    Args:
        flag: as the command line calls it, without dashes.
        value: what was given.
        least: the smallest that makes sense.

    Raises:
        UserError: the value is less.

    >>> at_least("samples", 1, 1)
    """
    if not value >= least:
        raise UserError(f"--{flag} is {value}: it must be at least {least}")


def seed_of(seed: int, ask: str, state: str, number: int) -> int:
    """The seed of one answer: it depends on what is asked, not on the order in which answers come in."""
    digest = hashlib.sha256(f"{seed}/{ask}/{state}/{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
