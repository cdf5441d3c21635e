"""From an observation to its abstract state: what is seen and held, reduced to one small code."""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.tasks.engine import constants as c
from jaxteach.tasks.engine.captions import Sight, Vocabulary


class Percept(struct.PyTreeNode):
    """What an observation tells the teacher.

    Attributes:
        code: i32[], which `Sight` this is: a row of `SightTable`.
        position: i32[2], the agent's (row, column).
        direction: i32[].
        doors: i32[D, 2], the doors seen, in caption order; (-1, -1) where fewer are seen.
    """

    code: Array
    position: Array
    direction: Array
    doors: Array


class SightTable:
    """Everything a percept's code stands for, worked out once in Python.

    The code is a mixed-radix number: what is held, doors seen, which key classes lie in sight,
    and for each pair of classes which is mentioned first.

    Args:
        vocabulary: the task's object names.

    Attributes:
        sights: the `Sight` of each code, None for codes no state has.
        state_index: i32[codes], row of the abstract state, -1 for codes no state has.
        object_entity: i32[codes, objects], for each canonical object name the real object meant:
            key class k as k, door d as n_classes + d, -1 if the caption does not mention it.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        n_classes, n_doors = len(vocabulary.key_classes), len(vocabulary.doors)
        self.pairs = tuple(itertools.combinations(range(n_classes), 2))
        states, objects = vocabulary.states, vocabulary.objects
        real_names = (*vocabulary.key_classes, *vocabulary.doors)
        n_codes = (n_classes + 1) * (n_doors + 1) * 2**n_classes * 2 ** len(self.pairs)
        possible = {(s.keys, s.doors, s.held) for s in vocabulary.sights()}
        self.sights: list[Sight | None] = [None] * n_codes
        self.state_index = np.full(n_codes, -1, np.int32)
        self.object_entity = np.full((n_codes, len(objects)), -1, np.int32)
        for code in range(n_codes):
            sight = self._decode(code, n_classes, n_doors)
            if sight is None or (sight.keys, sight.doors, sight.held) not in possible:
                continue
            self.sights[code] = sight
            self.state_index[code] = states.index(vocabulary.canonical_state(sight))
            for real, canonical in vocabulary.renaming(sight).items():
                self.object_entity[code, objects.index(canonical)] = real_names.index(real)

    def _decode(self, code: int, n_classes: int, n_doors: int) -> Sight | None:
        code, held = divmod(code, n_classes + 1)
        code, doors = divmod(code, n_doors + 1)
        order, seen = divmod(code, 2**n_classes)
        first = {pair: bool(order >> i & 1) for i, pair in enumerate(self.pairs)}

        def before(a: int, b: int) -> bool:
            return first[a, b] if a < b else not first[b, a]

        keys = [k for k in range(n_classes) if seen >> k & 1]
        ranked = sorted(keys, key=lambda k: sum(before(other, k) for other in keys if other != k))
        if any(not before(a, b) for a, b in itertools.combinations(ranked, 2)):
            return None  # a before b before c before a: no arrangement looks like this
        return Sight(tuple(ranked), doors, held - 1 if held else None)


@functools.cache
def sight_table(vocabulary: Vocabulary) -> SightTable:
    """The table of a vocabulary, made once."""
    return SightTable(vocabulary)


def perceive(obs: Array, vocabulary: Vocabulary, key_class_colours: tuple[int | None, ...]) -> Percept:
    """Reduce one observation to what the teacher is told.

    Args:
        obs: u8[H, W, 4].
        vocabulary: the task's object names.
        key_class_colours: the colour of each key class, None for any.

    Returns:
        The percept.
    """
    height, width = obs.shape[:2]
    kind, colour, agent = (obs[..., i].astype(jnp.int32) for i in (0, 1, 3))
    row, column = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
    rank = column * height + row  # caption order: by column, then row
    nowhere = height * width
    here = agent != c.NO_AGENT
    at = jnp.sum(jnp.where(here, rank, 0))
    direction = jnp.sum(jnp.where(here, agent, 0))
    is_key = kind == c.KEY

    classes = [(colour == wanted) | (wanted is None) for wanted in key_class_colours]
    first_lying = [jnp.min(jnp.where(is_key & ~here & mask, rank, nowhere)) for mask in classes]
    held = sum((jnp.any(is_key & here & mask) * (k + 1) for k, mask in enumerate(classes)), jnp.int32(0))
    seen = sum(((rank_k < nowhere) * 2**k for k, rank_k in enumerate(first_lying)), jnp.int32(0))
    pairs = itertools.combinations(range(len(classes)), 2)
    order = sum(((first_lying[a] < first_lying[b]) * 2**i for i, (a, b) in enumerate(pairs)), jnp.int32(0))

    doors = []
    remaining = jnp.where(kind == c.DOOR, rank, nowhere)
    for _ in vocabulary.doors:
        nearest = jnp.min(remaining)
        doors.append(nearest)
        remaining = jnp.where(remaining == nearest, nowhere, remaining)
    n_doors = sum(((door < nowhere).astype(jnp.int32) for door in doors), jnp.int32(0))

    n_classes = len(classes)
    code = order * 2**n_classes + seen
    code = (code * (len(doors) + 1) + n_doors) * (n_classes + 1) + held
    cells = jnp.stack(doors)  # [D]
    places = jnp.stack([cells % height, cells // height], axis=-1)
    return Percept(
        code=code.astype(jnp.int32),
        position=jnp.stack([at % height, at // height]),
        direction=direction,
        doors=jnp.where(cells[:, None] < nowhere, places, -1),
    )
