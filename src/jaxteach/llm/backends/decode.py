"""Answers to many prompts, generated side by side: as one ends, the next takes its place."""

import collections
import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jaxteach.llm.backends.heads import Heads, common_length
from jaxteach.llm.backends.rows import Rows
from jaxteach.utils.errors import UserError


@dataclass(frozen=True)
class Waiting:
    """An answer that is to be generated.

    Attributes:
        prompt: its tokens, at least two.
        head: how many of them begin other prompts as well; from 1 to all but one.
        seed: of the answer.
    """

    prompt: tuple[int, ...]
    head: int
    seed: int


@dataclass
class _Answer:
    """An answer that is being generated.

    Attributes:
        number: its place among those asked for.
        draws: its own random numbers, which no other answer uses up.
        latest: the token to be read next.
        tokens: generated so far.
    """

    number: int
    draws: Any
    latest: int
    tokens: list[int] = field(default_factory=list)


class Pool(Protocol):
    """The rows of a batch, in a model."""

    def takes(self, prompt: Any) -> bool:
        """Whether a row with this cache of a prompt may join."""
        ...

    def add(self, head: Any, prompt: Any) -> None:
        """One more row, after all others."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Give up all other rows; `rows` are the old places of those that stay."""
        ...

    def step(self, tokens: Any) -> Any:
        """Read a token [rows, 1] in every row; the next ones' logits [rows, vocabulary]."""
        ...


class Copies:
    """Answers to one prompt, each with a copy of the prompt's cache: for models that `Rows` does not know.

    Args:
        model: one of transformers'.
        device: where it is.
    """

    def __init__(self, model: Any, device: Any) -> None:
        self._model, self._device = model, device
        self._prompt: Any = None
        self._cache: Any = None  # from the first step on
        self._rows = 0

    def takes(self, prompt: Any) -> bool:
        """Only answers to the same prompt, and only before the first step: all rows are equally long."""
        return self._rows == 0 or (self._cache is None and prompt is self._prompt)

    def add(self, head: Any, prompt: Any) -> None:
        """One more row."""
        if self._rows == 0:
            self._cache = None
        self._prompt, self._rows = prompt, self._rows + 1

    def keep(self, rows: Sequence[int]) -> None:
        """Give up all other rows."""
        import torch

        self._rows = len(rows)
        if rows:
            self._cache.batch_select_indices(torch.tensor(rows, device=self._device))

    def step(self, tokens: Any) -> Any:
        """Read a token in every row."""
        if self._cache is None:
            self._cache = copy.deepcopy(self._prompt)
            if self._rows > 1:
                self._cache.batch_repeat_interleave(self._rows)
        return self._model(tokens, past_key_values=self._cache).logits[:, -1]


def generate(
    pool: Pool,
    heads: Heads,
    waiting: Sequence[Waiting],
    ends: frozenset[int],
    width: int,
    temperature: float,
    most: int,
) -> Iterator[list[tuple[int, list[int]]]]:
    """Generate answers.

    Args:
        pool: empty.
        heads: reads the prompts.
        waiting: what to generate, answers to one prompt together, prompts of one head together.
        ends: tokens that end an answer.
        width: most answers at a time.
        temperature: 0 for the most likely tokens.
        most: tokens an answer.

    Yields:
        Answers that have ended, as soon as they have: their places among those asked for, and their tokens
        with the one that ended them.
    """
    import torch

    queue = collections.deque(enumerate(waiting))
    going: list[_Answer] = []
    read: tuple[tuple[int, ...], Any] = ((), None)
    while queue or going:
        while queue and len(going) < width:
            number, asked = queue[0]
            if read[0] != asked.prompt:
                read = asked.prompt, heads.read(asked.prompt[:-1], asked.head)
            if not pool.takes(read[1]):
                break
            pool.add(heads.cache(asked.prompt[: asked.head]), read[1])
            going.append(_Answer(number, torch.Generator().manual_seed(asked.seed), asked.prompt[-1]))
            queue.popleft()
        logits = pool.step(torch.tensor([[answer.latest] for answer in going], device=heads.device))
        for answer, token in zip(going, draw(logits, temperature, [a.draws for a in going]), strict=True):
            answer.latest = token
            answer.tokens.append(token)
        over = [answer.latest in ends or len(answer.tokens) >= most for answer in going]
        if any(over):
            ended = [(a.number, a.tokens) for a, is_over in zip(going, over, strict=True) if is_over]
            order = _closed_up(over)
            pool.keep(order)
            going = [going[row] for row in order]
            yield ended


def draw(logits: Any, temperature: float, draws: Sequence[Any]) -> list[int]:
    """Draw a token for every row from the softmax of its logits.

    Gumbel noise from the row's own generator is added to the logits, and the largest sum wins: the same as
    drawing from the softmax, but it does not depend on other rows. Only tokens that can win with the largest
    noise there is get theirs, which is a few of many thousands.

    Args:
        logits: [rows, vocabulary].
        temperature: 0 for the largest logit.
        draws: a generator for each row.

    Returns:
        A token for each row.

    Raises:
        UserError: the logits are not finite.
    """
    import torch

    if not bool(torch.isfinite(logits.amax(dim=-1)).all()):
        raise UserError(f"the model's answers are not finite in {logits.dtype}: try --dtype float32")
    if temperature <= 0:
        return logits.argmax(dim=-1).tolist()
    picked = []
    for row, generator in zip(logits.float().cpu(), draws, strict=True):
        levels = row.double() / temperature
        uniform = torch.rand(len(row), generator=generator, dtype=torch.float64).clamp_min(1e-300)
        best = int(levels.argmax())
        least = float(levels[best]) + _noise(float(uniform[best])) - _noise(float(uniform.max()))
        able = (levels >= least - 1e-9).nonzero()[:, 0]
        picked.append(int(able[(levels[able] - torch.log(-torch.log(uniform[able]))).argmax()]))
    return picked


def _noise(uniform: float) -> float:
    """Gumbel noise of a number between 0 and 1."""
    return -math.log(-math.log(uniform))


def _closed_up(over: Sequence[bool]) -> list[int]:
    """Which row each place has once rows have ended: the last ones move into the gaps.

    >>> _closed_up([False, True, False, True, False])
    [0, 4, 2]
    """
    rows = list(range(len(over)))
    for place in reversed(range(len(over))):
        if over[place]:
            rows[place] = rows[-1]
            rows.pop()
    return rows


def head_length(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens prompts have in common at their beginning; of each at least one is left over.

    Args:
        prompts: of at least two tokens each.

    >>> head_length([(1, 2, 3, 4), (1, 2, 3, 5), (1, 2, 3)]), head_length([(1, 2, 3)])
    (2, 2)
    """
    lengths = [common_length(prompts[0], prompt) for prompt in prompts]
    return max(1, min(*lengths, *(len(prompt) - 1 for prompt in prompts)))


def can_share(model: Any, heads: Heads, asked: Waiting, device: Any) -> bool:
    """Whether `Rows` gives what the model gives by itself; tried on a prompt and on its first half.

    Args:
        model: one of transformers'.
        heads: reads the prompt.
        asked: the prompt.
        device: where the model is.
    """
    import torch

    known = len(asked.prompt) - 1
    lengths = (known, (asked.head + known + 1) // 2)
    caches = [heads.read(asked.prompt[:length], min(asked.head, length)) for length in lengths]
    ropes = str(getattr(model.config, "rope_parameters", None))
    if "dynamic" in ropes or "longrope" in ropes:
        return False  # positions turn with the longest row's length: each row's answer would depend on others
    tokens = torch.tensor([[asked.prompt[length]] for length in lengths], device=device)
    rows = Rows(model, len(lengths), device)
    try:
        for cache in caches:
            rows.add(heads.cache(asked.prompt[: asked.head]), cache)
        ours = rows.step(tokens)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # a model that does not know what it is given can fail in any way
        return False
    pairs = zip(tokens, caches, strict=True)
    theirs = torch.cat([model(token[None], past_key_values=cache).logits[:, -1] for token, cache in pairs])
    error = 1e-3 if theirs.dtype == torch.float32 else 5e-2
    return bool((ours - theirs).abs().max() <= error * theirs.abs().max())
