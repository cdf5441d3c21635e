"""Abstract states: which captions a task can produce, in what order, and in what words."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class AbstractState:
    """What the teacher is told: the objects seen, in caption order, and the object held.

    Attributes:
        sees: object names, keys first, then doors, each by column then row.
        holds: the name of the object held, or None.

    >>> AbstractState(("key", "door"), None).text
    'Agent sees <key>, <door>, holds <nothing>.'
    """

    sees: tuple[str, ...]
    holds: str | None

    @property
    def text(self) -> str:
        """The caption, worded as the reference words it."""
        seen = ", ".join(f"<{name}>" for name in self.sees) or "<nothing>"
        return f"Agent sees {seen}, holds <{self.holds or 'nothing'}>."


@dataclass(frozen=True)
class Sight:
    """One combination of what can be seen and held, by entity class, before any renaming.

    Attributes:
        keys: key classes seen lying on the map, in caption order.
        doors: how many doors are seen.
        held: the key class in hand, or None.
    """

    keys: tuple[int, ...]
    doors: int
    held: int | None


@dataclass(frozen=True)
class Vocabulary:
    """How a task names its objects; every other fact about its captions follows from it.

    Attributes:
        key_classes: the real names of the kinds of key ("key", or "blue key" and "red key").
        doors: the real names of the doors, in the order of their numbers.
        recoloured: whether colours are renamed c1, c2, ... in order of first mention.
        keys_in_class: how many keys share each class (1 unless a variant adds keys).
    """

    key_classes: tuple[str, ...]
    doors: tuple[str, ...]
    recoloured: bool = False
    keys_in_class: int = 1

    def sights(self) -> Iterator[Sight]:
        """All combinations a state can show: a key held lies nowhere, unless there are more of its class."""
        classes = range(len(self.key_classes))
        for held in (None, *classes):
            lying = [k for k in classes if k != held or self.keys_in_class > 1]
            for n_doors in range(len(self.doors) + 1):
                for count in range(len(lying) + 1):
                    for keys in itertools.permutations(lying, count):
                        yield Sight(keys, n_doors, held)

    def real_state(self, sight: Sight) -> AbstractState:
        """The caption of a sight in the objects' real names (18 of them in ColoredDoorKey)."""
        sees = [self.key_classes[k] for k in sight.keys] + list(self.doors[: sight.doors])
        return AbstractState(tuple(sees), None if sight.held is None else self.key_classes[sight.held])

    def renaming(self, sight: Sight) -> dict[str, str]:
        """Canonical name of every object this sight's caption mentions: real name -> canonical name."""
        state = self.real_state(sight)
        mentioned = list(state.sees) + ([state.holds] if state.holds else [])
        if not self.recoloured:
            return {name: name for name in mentioned}
        colours = list(dict.fromkeys(name.split()[0] for name in mentioned))
        return {name: f"c{colours.index(name.split()[0]) + 1} {name.split()[1]}" for name in mentioned}

    def canonical_state(self, sight: Sight) -> AbstractState:
        """The caption of a sight in canonical names: the row of the teacher's table."""
        state, names = self.real_state(sight), self.renaming(sight)
        return AbstractState(
            tuple(names[name] for name in state.sees), names[state.holds] if state.holds else None
        )

    @property
    def states(self) -> tuple[AbstractState, ...]:
        """Every reachable abstract state, canonical, in the order of the table's rows."""
        found = dict.fromkeys(self.canonical_state(sight) for sight in self.sights())
        return tuple(sorted(found, key=lambda s: (s.holds or "", len(s.sees), s.sees)))

    @property
    def objects(self) -> tuple[str, ...]:
        """The canonical names a plan may mention."""
        if not self.recoloured:
            return (*self.key_classes, *self.doors)
        colours = range(1, len(self.key_classes) + 1)
        kinds = [name.split()[1] for name in self.key_classes] + [name.split()[1] for name in self.doors]
        return tuple(f"c{c} {kind}" for kind in dict.fromkeys(kinds) for c in colours)
