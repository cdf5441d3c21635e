"""What prompts have in common at their beginning: its keys and values are computed once."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

_KEPT = 4
"""Beginnings that are kept: more than any task has, and few, since each takes as much memory as a prompt."""


class Heads:
    """Reads prompts with a model, and remembers how the last few of them began.

    Args:
        forward: the model, called as one of transformers'.
        device: where it is.
    """

    def __init__(self, forward: Callable[..., Any], device: Any) -> None:
        self._forward, self.device = forward, device
        self._known: list[tuple[tuple[int, ...], Any]] = []  # tokens and cache, latest last

    def cache(self, ids: Sequence[int]) -> Any:
        """Keys and values of a beginning, to be copied and not to be changed.

        Args:
            ids: its tokens, at least one.

        Returns:
            A cache of transformers', of one row; what the beginning shares with one that is known is taken
            from there.
        """
        ids = tuple(ids)
        for place, (known, cache) in enumerate(self._known):
            if known == ids:
                self._known.append(self._known.pop(place))
                return cache
        shared, start = 0, None
        for known, cache in self._known:
            common = common_length(known, ids)
            if common > shared and (common == len(known) or is_plain(cache)):
                shared, start = common, (known, cache)
        if start is not None:
            cache = copy.deepcopy(start[1])
            if shared < len(start[0]):
                cache.crop(shared - len(start[0]))
        cache = self._extend(cache if start is not None else None, ids[shared:])
        self._known = [*self._known[1 - _KEPT :], (ids, cache)]
        return cache

    def read(self, ids: Sequence[int], head: int) -> Any:
        """A new cache that covers all of `ids`, whose first `head` tokens are read once for many prompts."""
        start = copy.deepcopy(self.cache(ids[:head])) if head else None
        return self._extend(start, ids[head:])

    def _extend(self, cache: Any, ids: Sequence[int]) -> Any:
        """The cache after some more tokens; it may be changed in place."""
        if not ids:
            return cache
        import torch

        tokens = torch.tensor([list(ids)], device=self.device)
        return self._forward(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1).past_key_values


def is_plain(cache: Any) -> bool:
    """Whether a cache holds keys and values of every token in every layer, and nothing else."""
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)


def common_length(one: Sequence[object], other: Sequence[object]) -> int:
    """Length of the common beginning of two lists of tokens, or of two texts.

    >>> common_length([1, 2, 3], [1, 2, 4, 5])
    2
    """
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
