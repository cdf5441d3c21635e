"""Abstract states: which captions a task can produce, in what order, and in what words."""

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jaxteach.tasks.language import Grammar, Language, Option, Question
from jaxteach.worlds.minigrid.paper import rules
from jaxteach.worlds.minigrid.paper.situation import SeenAndHeld, Situation

GRAMMAR = Grammar(("explore",), ("go to", "pick up", "drop", "open"), with_tool=("open",))
"""How plans of a door/key task are worded."""


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

    def situations(self) -> Iterator[Situation]:
        """All combinations a state can show: a key held lies nowhere, unless there are more of its class."""
        classes = range(len(self.key_classes))
        for held in (None, *classes):
            lying = [k for k in classes if k != held or self.keys_in_class > 1]
            for n_doors in range(len(self.doors) + 1):
                for count in range(len(lying) + 1):
                    for keys in itertools.permutations(lying, count):
                        yield Situation(keys, n_doors, held)

    def real_state(self, situation: Situation) -> SeenAndHeld:
        """The caption of a situation in the objects' real names (18 of them in ColoredDoorKey)."""
        sees = [self.key_classes[k] for k in situation.keys] + list(self.doors[: situation.doors])
        return SeenAndHeld(tuple(sees), None if situation.held is None else self.key_classes[situation.held])

    def renaming(self, situation: Situation) -> dict[str, str]:
        """Canonical name of every object this situation's caption mentions: real name -> canonical name."""
        state = self.real_state(situation)
        mentioned = list(state.sees) + ([state.holds] if state.holds else [])
        if not self.recoloured:
            return {name: name for name in mentioned}
        colours = list(dict.fromkeys(name.split()[0] for name in mentioned))
        return {name: f"c{colours.index(name.split()[0]) + 1} {name.split()[1]}" for name in mentioned}

    def canonical_state(self, situation: Situation) -> SeenAndHeld:
        """The caption of a situation in canonical names: the row of the teacher's table."""
        state, names = self.real_state(situation), self.renaming(situation)
        return SeenAndHeld(
            tuple(names[name] for name in state.sees), names[state.holds] if state.holds else None
        )

    @property
    def states(self) -> tuple[SeenAndHeld, ...]:
        """Every reachable abstract state, canonical, in the order of the table's rows."""
        found = dict.fromkeys(self.canonical_state(situation) for situation in self.situations())
        return tuple(sorted(found, key=lambda s: (s.holds or "", len(s.sees), s.sees)))

    @property
    def objects(self) -> tuple[str, ...]:
        """The canonical names a plan may mention."""
        if not self.recoloured:
            return (*self.key_classes, *self.doors)
        colours = range(1, len(self.key_classes) + 1)
        kinds = [name.split()[1] for name in self.key_classes] + [name.split()[1] for name in self.doors]
        return tuple(f"c{c} {kind}" for kind in dict.fromkeys(kinds) for c in colours)

    @property
    def options(self) -> tuple[Option, ...]:
        """What a plan may begin with: explore; go to everything; pick up and drop every key; open every door.

        >>> [option.text for option in Vocabulary(("key",), ("door",)).options]
        ['explore', 'go to <key>', 'go to <door>', 'pick up <key>', 'drop <key>', 'open <door>']
        """
        kinds = {name: name.split()[-1].rstrip("0123456789") for name in self.objects}
        keys = [name for name in self.objects if kinds[name] == "key"]
        doors = [name for name in self.objects if kinds[name] == "door"]
        return (
            Option("explore"),
            *(Option("go to", name) for name in (*keys, *doors)),
            *(Option("pick up", key) for key in keys),
            *(Option("drop", key) for key in keys),
            *(Option("open", door) for door in doors),
        )

    @property
    def questions(self) -> tuple[Question, ...]:
        """What an LLM is asked, one question for each of `states`.

        A canonical state can stand for several real ones (any colour can be c1). The LLM is asked about one
        of them: the first in the order of `situations`. Colours its caption does not mention follow in the
        vocabulary's order.

        >>> [ask.real_state.text for ask in Vocabulary(("key",), ("door",)).questions][:2]
        ['Agent sees <nothing>, holds <nothing>.', 'Agent sees <door>, holds <nothing>.']
        """
        first = {
            self.canonical_state(situation): situation for situation in reversed(list(self.situations()))
        }
        return tuple(self.question(first[state]) for state in self.states)

    def question(self, situation: Situation) -> Question:
        """The question that one situation poses, in its own real names."""
        state = self.canonical_state(situation)
        names = self._all_names({canonical: real for real, canonical in self.renaming(situation).items()})
        return Question(
            self.states.index(state), state, self.real_state(situation), names, self.options, GRAMMAR, rules
        )

    def _all_names(self, mentioned: Mapping[str, str]) -> dict[str, str]:
        """Extend the names a caption mentions to every object of the task."""
        if not self.recoloured:
            return {name: name for name in self.objects}
        colours = {canonical.split()[0]: real.split()[0] for canonical, real in mentioned.items()}
        rest = [c for c in (name.split()[0] for name in self.key_classes) if c not in colours.values()]
        canonical = dict.fromkeys(name.split()[0] for name in self.objects)
        colours |= dict(zip((c for c in canonical if c not in colours), rest, strict=True))
        return {name: f"{colours[name.split()[0]]} {name.split()[1]}" for name in self.objects}

    @property
    def language(self) -> Language:
        """All that can be said about the task."""
        return language_of(self)


@functools.cache
def language_of(vocabulary: Vocabulary) -> Language:
    """The language of a vocabulary, made once."""
    return Language(
        vocabulary.states, vocabulary.options, GRAMMAR, vocabulary.objects, vocabulary.questions, rules
    )
