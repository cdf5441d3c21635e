"""What a run would take, said before anything is asked: calls, tokens, and what a model has to compute."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from jaxteach.llm.answer_log import Key
from jaxteach.llm.backends.heads import common_length
from jaxteach.llm.prompts import Message
from jaxteach.llm.query import Ask, messages_for, style_of, wanted
from jaxteach.llm.settings import Job

CHARACTERS_A_TOKEN = 4
"""Rule of thumb for English, for estimates before any model is loaded."""


@dataclass(frozen=True)
class Work:
    """What a model in this process has to compute for a run.

    Attributes:
        prompts: tokens of prompts to read, what they have in common at their beginning once.
        answers: how many are generated.
        usual: tokens of an answer as long as the prompt's worked examples.
        most: tokens at which an answer is cut off.
        scored: tokens of options to score, with the thoughts before them.
    """

    prompts: int
    answers: int
    usual: int
    most: int
    scored: int


def estimate(job: Job, answered: Collection[Key] = ()) -> str:
    """What a run would cost, without asking anything.

    Args:
        job: what would be asked.
        answered: keys of the answers there are already.

    Returns:
        Calls and tokens in words; tokens are estimated from the length of the prompts.
    """
    asks = _left(job, answered)
    tokens_in = sum(_tokens(len(_text(messages_for(job, ask)))) for ask in asks)
    generated = sum(ask.kind != "score" for ask in asks) * job.settings.max_tokens
    calls = (
        f"{len(asks)} calls for {len(job.questions)} states ({len(wanted(job)) - len(asks)} answered already)"
    )
    return f"{calls}, about {tokens_in} tokens of prompt, at most {generated} tokens of answers"


def work_of(job: Job, answered: Collection[Key] = ()) -> Work:
    """What a model in this process has to compute.

    Args:
        job: what would be asked.
        answered: keys of the answers there are already.
    """
    asks = _left(job, answered)
    texts = sorted({_text(messages_for(job, ask)) for ask in asks})
    # In sorted order, what a text shares with any before it, it shares with the one before it.
    new = [len(text) - common_length(text, before) for text, before in zip(texts, ["", *texts], strict=False)]
    generated = [ask for ask in asks if ask.kind != "score"]
    usual = _usual(job, generated[0]) if generated else 0
    scored = [
        sum(_tokens(len(option.text)) for option in job.questions[ask.state].options)
        + (_usual(job, ask) if job.settings.think else 0)
        for ask in asks
        if ask.kind == "score"
    ]
    return Work(
        prompts=sum(map(_tokens, new)),
        answers=len(generated),
        usual=min(usual, job.settings.max_tokens),
        most=job.settings.max_tokens if generated else 0,
        scored=sum(scored),
    )


def _left(job: Job, answered: Collection[Key]) -> list[Ask]:
    return [ask for ask in wanted(job) if ask.keys[0] not in answered]


def _usual(job: Job, ask: Ask) -> int:
    """Tokens of an answer as long as the worked examples'; of the longest there may be without examples."""
    answers = [example.answer(style_of(job, ask)) for example in job.prompt.examples]
    lengths = [_tokens(len(answer)) for answer in answers if answer]
    return math.ceil(sum(lengths) / len(lengths)) if lengths else job.settings.max_tokens


def _text(messages: Sequence[Message]) -> str:
    return "".join(message["content"] for message in messages)


def _tokens(characters: int) -> int:
    return math.ceil(characters / CHARACTERS_A_TOKEN)
