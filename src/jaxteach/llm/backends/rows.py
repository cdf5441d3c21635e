"""Answers that grow side by side: keys and values of their own tokens, and one copy of what they share.

A cache of transformers' holds the whole prompt for every answer, and copies all of it at every token: for
twenty answers to a prompt of 500 tokens, a third of a small model's time, and more with every further answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxteach.llm.backends.heads import is_plain

ATTENTION = "jaxteach_rows"
"""The name under which transformers knows `_attend`."""
_ROOM = 64
"""Tokens of its own that a row has room for at first; doubled when one needs more."""
_HARMLESS = frozenset({"dropout", "position_ids", "cache_position", "is_causal", "use_cache"})
"""Arguments of an attention that change nothing for one token that sees all tokens before it."""


class NotSharedError(Exception):
    """A model attends in a way that `Rows` does not know, such as within a window."""


@dataclass(frozen=True)
class _Step:
    """What the layers need to know while one token a row is read.

    Attributes:
        rows: their indices [rows].
        lengths: how many tokens of its own each row had before [rows].
        unseen: which places of the longest row's own tokens a row does not have [rows, 1, 1, longest].
        groups: rows, as indices or a slice, and the cache of the head that they share.
        head: tokens of the longest head.
    """

    rows: Any
    lengths: Any
    unseen: Any
    groups: list[tuple[Any, Any]]
    head: int


class Rows:
    """The cache of a batch of answers, as a model of transformers' uses one.

    Args:
        model: one of transformers'.
        width: most rows at a time.
        device: where the model is.
    """

    def __init__(self, model: Any, width: int, device: Any) -> None:
        register()
        self._model, self._width, self._device = model, width, device
        self._heads: list[Any] = []  # of each row, the cache of its prompt's beginning
        self._lengths: list[int] = []  # of each row, how many tokens of its own it has
        self._layers: list[_Layer] = []
        self.now: _Step | None = None

    def __len__(self) -> int:
        return len(self._heads)

    def takes(self, prompt: Any) -> bool:
        """Any prompt may join at any time."""
        return True

    def add(self, head: Any, prompt: Any) -> None:
        """One more row, after all others.

        Args:
            head: the cache of the prompt's beginning, shared with other rows.
            prompt: the cache of the whole prompt; what is not in the head is copied.

        Raises:
            NotSharedError: the caches are not plain lists of keys and values.
        """
        if not is_plain(prompt):
            raise NotSharedError("the model's cache holds more than keys and values")
        row, begun = len(self._heads), head.get_seq_length()
        tails = [(layer.keys[0, :, begun:], layer.values[0, :, begun:]) for layer in prompt.layers]
        self._layers = self._layers or [_Layer(self, number, *tail) for number, tail in enumerate(tails)]
        self._heads.append(head)
        self._lengths.append(prompt.get_seq_length() - begun)
        for layer, (keys, values) in zip(self._layers, tails, strict=True):
            layer.make_room(self._width, self._lengths[row])
            layer.keys[row, :, : self._lengths[row]] = keys
            layer.values[row, :, : self._lengths[row]] = values

    def keep(self, rows: Sequence[int]) -> None:
        """Give up all other rows.

        Args:
            rows: the old place of the row at each new place; none moves to a later place.
        """
        for place, row in enumerate(rows):
            if place != row:
                for layer in self._layers:
                    layer.keys[place, :, : self._lengths[row]] = layer.keys[row, :, : self._lengths[row]]
                    layer.values[place, :, : self._lengths[row]] = layer.values[row, :, : self._lengths[row]]
        self._heads = [self._heads[row] for row in rows]
        self._lengths = [self._lengths[row] for row in rows]

    def step(self, tokens: Any) -> Any:
        """Read one more token in every row.

        Args:
            tokens: [rows, 1].

        Returns:
            Logits of the next tokens [rows, vocabulary].
        """
        import torch

        for layer in self._layers:
            layer.make_room(self._width, max(self._lengths) + 1)
        lengths = torch.tensor(self._lengths, device=self._device)
        places = torch.arange(max(self._lengths) + 1, device=self._device)
        begun = torch.tensor([head.get_seq_length() for head in self._heads], device=self._device)
        self.now = _Step(
            rows=torch.arange(len(self), device=self._device),
            lengths=lengths,
            unseen=(places > lengths[:, None])[:, None, None],
            groups=self._groups(),
            head=int(begun.max()),
        )
        positions = (begun + lengths)[:, None]
        usual = self._model.config._attn_implementation
        self._model.set_attn_implementation(ATTENTION)
        try:
            reply = self._model(tokens, position_ids=positions, past_key_values=self, use_cache=True)
        finally:
            self._model.set_attn_implementation(usual)
        self._lengths = [length + 1 for length in self._lengths]
        return reply.logits[:, -1]

    def update(self, key: Any, value: Any, layer: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Keep the keys and values of one token a row; the model calls it, as it does for any cache.

        Returns:
            Twice the layer, which `_attend` gets in place of all keys and values.
        """
        now, own = self.now, self._layers[layer]
        if now is None or key.shape[0] != len(self) or key.shape[2] != 1:
            raise NotSharedError("the model does not read one token a row")
        own.keys[now.rows, :, now.lengths] = key[:, :, 0]
        own.values[now.rows, :, now.lengths] = value[:, :, 0]
        return own, own

    def get_seq_length(self, layer: int = 0) -> int:
        """Rows differ in it: `step` says the positions."""
        return 0

    def _groups(self) -> list[tuple[Any, Any]]:
        """The rows that share a head, and the head's cache."""
        import torch

        heads = {id(head): head for head in self._heads}
        if len(heads) == 1:
            return [(slice(None), self._heads[0])]  # a view, where indices would copy
        alike = {key: [row for row, head in enumerate(self._heads) if head is heads[key]] for key in heads}
        return [(torch.tensor(rows, device=self._device), heads[key]) for key, rows in alike.items()]


class _Layer:
    """Keys and values that the rows have in one layer, beside those of their heads.

    Args:
        cache: what it belongs to.
        number: which layer.
        keys: of some tokens, for their shape [heads, tokens, size] and type.
        values: likewise.
    """

    def __init__(self, cache: Rows, number: int, keys: Any, values: Any) -> None:
        self._cache, self._number = cache, number
        self.keys = keys.new_zeros((0, keys.shape[0], _ROOM, keys.shape[2]))
        self.values = values.new_zeros((0, values.shape[0], _ROOM, values.shape[2]))

    def make_room(self, rows: int, length: int) -> None:
        """Let there be room for so many rows of so many tokens."""
        had, heads, room, _ = self.keys.shape
        if had >= rows and room >= length:
            return
        while room < length:
            room *= 2
        old = self.keys, self.values
        self.keys, self.values = (x.new_zeros((rows, heads, room, x.shape[3])) for x in old)
        for new, part in zip((self.keys, self.values), old, strict=True):
            new[:had, :, : part.shape[2]] = part

    def attend(self, query: Any, scaling: float) -> Any:
        """One token a row looks at the row's head, and at the row's own tokens.

        Args:
            query: [rows, heads, 1, size].
            scaling: of the scores.

        Returns:
            [rows, 1, heads, size].
        """
        import torch

        now = self._cache.now
        assert now is not None
        rows, heads, _, size = query.shape
        few, longest = self.keys.shape[1], now.unseen.shape[-1]  # several heads may look at the same keys
        asking = (query * scaling).reshape(rows, few, -1, size)
        by_head = asking.transpose(0, 1).contiguous()  # [few, rows, heads / few, size]
        scores = query.new_empty((few, rows, heads // few, now.head + longest))
        for members, head in now.groups:
            known = head.layers[self._number].keys[0]  # [few, tokens, size]
            theirs = by_head[:, members].flatten(1, 2) @ known.transpose(1, 2)
            scores[:, members, :, : known.shape[1]] = theirs.unflatten(1, (-1, heads // few))
            scores[:, members, :, known.shape[1] : now.head] = -torch.inf
        own = (asking @ self.keys[:rows, :, :longest].transpose(2, 3)).masked_fill(now.unseen, -torch.inf)
        scores[..., now.head :] = own.transpose(0, 1)
        weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
        seen = weights[..., now.head :].transpose(0, 1) @ self.values[:rows, :, :longest]
        for members, head in now.groups:
            known = head.layers[self._number].values[0]
            theirs = weights[:, members, :, : known.shape[1]].flatten(1, 2) @ known
            seen[members] += theirs.unflatten(1, (-1, heads // few)).transpose(0, 1)
        return seen.reshape(rows, 1, heads, -1)


def register() -> None:
    """Tell transformers of `ATTENTION`."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, _attend)


def _attend(
    module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: float | None = None, **others: Any
) -> tuple[Any, None]:
    """An attention as transformers calls it; keys and values are what `Rows.update` returned."""
    unknown = sorted(name for name, given in others.items() if given is not None and name not in _HARMLESS)
    if not isinstance(key, _Layer) or mask is not None or unknown:
        raise NotSharedError(f"the model's attention wants more: {unknown}")
    return key.attend(query, query.shape[-1] ** -0.5 if scaling is None else scaling), None
