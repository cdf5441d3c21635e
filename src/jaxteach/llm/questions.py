"""The questions put to an LLM: one for each row of the table, in names that an LLM understands."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxteach.teacher import Option
from jaxteach.worlds.minigrid.paper.abstract_states import AbstractState, Vocabulary


@dataclass(frozen=True)
class Question:
    """One abstract state, as the table names it and as the LLM is told it.

    Attributes:
        index: the row of the table.
        state: the canonical state, such as "Agent sees <c1 key>, ...".
        real_state: the same in real names, such as "Agent sees <blue key>, ...".
        real_names: canonical name -> real name, for every object a plan may mention.
    """

    index: int
    state: AbstractState
    real_state: AbstractState
    real_names: Mapping[str, str]

    @property
    def objects(self) -> tuple[str, ...]:
        """Real names of everything a plan may mention."""
        return tuple(self.real_names.values())

    def real(self, option: Option) -> Option:
        """An option in the names the LLM knows."""
        return Option(option.kind, self.real_names[option.object]) if option.object else option

    def canonical(self, option: Option) -> Option:
        """An option in the names of the table."""
        if not option.object:
            return option
        names = {real: name for name, real in self.real_names.items()}
        return Option(option.kind, names[option.object])


def questions(vocabulary: Vocabulary) -> tuple[Question, ...]:
    """All the questions of a task, in the order of the table's rows.

    A canonical state can stand for several real ones (any colour can be c1). The LLM is asked about one of
    them: the first in the order of `Vocabulary.sights`. Colours its caption does not mention follow in the
    vocabulary's order.

    Args:
        vocabulary: the task's states and objects.

    Returns:
        One question for each of `vocabulary.states`.

    >>> [ask.real_state.text for ask in questions(Vocabulary(("key",), ("door",)))][:2]
    ['Agent sees <nothing>, holds <nothing>.', 'Agent sees <door>, holds <nothing>.']
    """
    first = {vocabulary.canonical_state(s): s for s in reversed(list(vocabulary.sights()))}
    asked = []
    for index, state in enumerate(vocabulary.states):
        sight = first[state]
        real_names = {canonical: real for real, canonical in vocabulary.renaming(sight).items()}
        asked.append(Question(index, state, vocabulary.real_state(sight), _all_names(vocabulary, real_names)))
    return tuple(asked)


def _all_names(vocabulary: Vocabulary, mentioned: Mapping[str, str]) -> dict[str, str]:
    """Extend the names a caption mentions to every object of the task."""
    if not vocabulary.recoloured:
        return {name: name for name in vocabulary.objects}
    colours = {canonical.split()[0]: real.split()[0] for canonical, real in mentioned.items()}
    rest = [c for c in (name.split()[0] for name in vocabulary.key_classes) if c not in colours.values()]
    canonical = dict.fromkeys(name.split()[0] for name in vocabulary.objects)
    colours |= dict(zip((c for c in canonical if c not in colours), rest, strict=True))
    return {name: f"{colours[name.split()[0]]} {name.split()[1]}" for name in vocabulary.objects}
