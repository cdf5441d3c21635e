"""From an observation to its abstract state: what is seen and held, reduced to one small code."""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary
from jaxteach.worlds.minigrid.paper.bitboards import any_cell, cells_last, first_cell, pack
from jaxteach.worlds.minigrid.paper.situation import Situation
from jaxteach.worlds.minigrid.paper.state import compute_once


class Abstraction(struct.PyTreeNode):
    """What observations tell the teacher, one vector a quantity: short trailing axes do not vectorise.

    Attributes:
        code: i32[N], which `Situation` this is: a row of `SituationTable`.
        row: i32[N], the agent's.
        column: i32[N].
        direction: i32[N].
        door_rows: i32[D, N], of the doors seen, in caption order; -1 where fewer are seen.
        door_columns: i32[D, N].
    """

    code: Array
    row: Array
    column: Array
    direction: Array
    door_rows: Array
    door_columns: Array


class SituationTable:
    """Everything a percept's code stands for, worked out once in Python.

    The code is a mixed-radix number: what is held, doors seen, which key classes lie in sight,
    and for each pair of classes which is mentioned first.

    Args:
        vocabulary: the task's object names.

    Attributes:
        situations: the `Situation` of each code, None for codes no state has.
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
        possible = {(s.keys, s.doors, s.held) for s in vocabulary.situations()}
        self.situations: list[Situation | None] = [None] * n_codes
        self.state_index = np.full(n_codes, -1, np.int32)
        self.object_entity = np.full((n_codes, len(objects)), -1, np.int32)
        for code in range(n_codes):
            situation = self._decode(code, n_classes, n_doors)
            if situation is None or (situation.keys, situation.doors, situation.held) not in possible:
                continue
            self.situations[code] = situation
            self.state_index[code] = states.index(vocabulary.canonical_state(situation))
            for real, canonical in vocabulary.renaming(situation).items():
                self.object_entity[code, objects.index(canonical)] = real_names.index(real)

    def _decode(self, code: int, n_classes: int, n_doors: int) -> Situation | None:
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
        return Situation(tuple(ranked), doors, held - 1 if held else None)


@functools.cache
def situation_table(vocabulary: Vocabulary) -> SituationTable:
    """The table of a vocabulary, made once."""
    return SituationTable(vocabulary)


def perceive(obs: Array, vocabulary: Vocabulary, key_class_colours: tuple[int | None, ...]) -> Abstraction:
    """Reduce observations to abstract states.

    Args:
        obs: u8[N, H, W, 4].
        vocabulary: the task's object names.
        key_class_colours: the colour of each key class, None for any.

    Returns:
        The percepts.
    """
    height, width = obs.shape[1:3]
    kind, colour, _, agent = cells_last(obs)  # [H, W, N]
    is_key, nowhere = kind == c.KEY, height * width
    here = pack(agent < c.NO_AGENT)
    # Two boards for the direction's two bits: that of no agent is neither 1 nor 3, 2 nor 3.
    odd, backwards = pack((agent & 5) == 1), pack((agent & 6) == 2)
    of_class = [pack(is_key & ((colour == key) | (key is None))) for key in key_class_colours]
    here, odd, backwards, of_class, door = compute_once(
        (here, odd, backwards, of_class, pack(kind == c.DOOR))
    )
    row, column, _ = first_cell(here)
    direction = any_cell(odd) + 2 * any_cell(backwards)

    none = jnp.zeros(row.shape, jnp.int32)
    held = sum((any_cell(keys & here) * (k + 1) for k, keys in enumerate(of_class)), none)
    first_lying = []  # rank in caption order
    for keys in of_class:
        key_row, key_column, _ = first_cell(keys & ~here)
        first_lying.append(jnp.where(key_row >= 0, key_column * height + key_row, nowhere))
    seen = sum(((rank < nowhere) * 2**k for k, rank in enumerate(first_lying)), none)
    pairs = itertools.combinations(range(len(of_class)), 2)
    order = sum(((first_lying[a] < first_lying[b]) * 2**i for i, (a, b) in enumerate(pairs)), none)

    door_rows, door_columns = [], []
    for _ in vocabulary.doors:
        door_row, door_column, door = first_cell(door)
        door_rows.append(door_row)
        door_columns.append(door_column)
    n_doors = sum(((door_row >= 0).astype(jnp.int32) for door_row in door_rows), none)

    code = order * 2 ** len(of_class) + seen
    code = (code * (len(door_rows) + 1) + n_doors) * (len(of_class) + 1) + held
    return Abstraction(
        code=code.astype(jnp.int32),
        row=row,
        column=column,
        direction=direction.astype(jnp.int32),
        door_rows=jnp.stack(door_rows),
        door_columns=jnp.stack(door_columns),
    )
