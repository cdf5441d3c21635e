"""What is said to a teacher and by it, whatever the world: abstract states, options, questions. No JAX."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

WAIT = "wait"
"""The kind of option that stands for all that the grammar rejects."""


@dataclass(frozen=True)
class Grammar:
    """The verbs of a task's options.

    Attributes:
        plain: verbs without an object, such as "explore", or the names of a task's actions.
        targeted: verbs that name one object, such as "go to".
        with_tool: those of `targeted` that may name a second object, the tool: "open <door> with <key>".

    Raises:
        ValueError: a verb that a plan could not be read back from.
    """

    plain: tuple[str, ...] = ()
    targeted: tuple[str, ...] = ()
    with_tool: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for verb in (*self.plain, *self.targeted):
            if verb == WAIT or verb != verb.strip().lower() or not verb or set(verb) & set("<>,\n"):
                raise ValueError(
                    f"{verb!r} cannot be a verb: lower case, without <>, commas or blanks around, not 'wait'"
                )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of option a plan may hold."""
        return (*self.plain, *self.targeted, WAIT)


@dataclass(frozen=True)
class Option:
    """One step of a plan.

    Attributes:
        kind: a verb of the task's grammar, or `WAIT`.
        object: canonical name of the object, for targeted verbs alone.
        raw: for a wait, the words that the grammar rejected; None if there were none.

    Raises:
        ValueError: raw text where the kind has none, or a wait with an object.

    >>> Option("go to", "key").text
    'go to <key>'
    """

    kind: str
    object: str | None = None
    raw: str | None = None

    def __post_init__(self) -> None:
        if self.kind == WAIT and self.object is not None:
            raise ValueError(f"a wait has no object: {self.object!r}")
        if self.raw is not None and self.kind != WAIT:
            raise ValueError(f"option {self.kind!r} with raw text")

    @property
    def text(self) -> str:
        """The option in words; a wait shows what was rejected."""
        if self.object is not None:
            return f"{self.kind} <{self.object}>"
        return self.kind if self.raw is None else self.raw


class AbstractState(Protocol):
    """One row of the teacher's table: what the teacher knows. Frozen: hashable and comparable."""

    @property
    def text(self) -> str:
        """The state in words; no two states of a task share them."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """What a table's file says of the state besides its text, as JSON values."""


@dataclass(frozen=True)
class NamedState:
    """An abstract state that is its text and nothing else.

    >>> NamedState("The ball is left of the paddle.").fields
    {}
    """

    text: str

    @property
    def fields(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}


class Rules(Protocol):
    """What a world that knows its own rules says of options: for reports, and for teachers made by rule."""

    def admissible(self, state: Any) -> frozenset[Option]:
        """Options that the state allows, sensible or not."""

    def sensible(self, state: Any) -> frozenset[Option]:
        """The first options a good plan may start with: never empty, all of them admissible."""

    def ideal_plans(self, state: Any) -> tuple[tuple[tuple[Option, ...], float], ...]:
        """The plans of a teacher who knows the rules, with probabilities."""


@dataclass(frozen=True)
class Question:
    """One abstract state, as the table names it and as an LLM reads it.

    Attributes:
        index: the row of the table.
        state: the canonical state, such as "Agent sees <c1 key>, ...".
        real_state: the same in real names, such as "Agent sees <blue key>, ...".
        real_names: canonical name -> real name, for every object a plan may mention.
        options: what an answer may begin with, in canonical names.
        grammar: the verbs of an answer.
        rules: the world's own judgement of options; None if it has none.
    """

    index: int
    state: AbstractState
    real_state: AbstractState
    real_names: Mapping[str, str]
    options: tuple[Option, ...]
    grammar: Grammar
    rules: Rules | None = field(default=None, compare=False)

    @property
    def objects(self) -> tuple[str, ...]:
        """Real names of everything a plan may mention."""
        return tuple(self.real_names.values())

    def real(self, option: Option) -> Option:
        """An option in the names the LLM knows; a name that has no real one here stays."""
        if option.object is None:
            return option
        return Option(option.kind, self.real_names.get(option.object, option.object))

    def canonical(self, option: Option) -> Option:
        """An option in the names of the table."""
        if option.object is None:
            return option
        names = {real: name for name, real in self.real_names.items()}
        return Option(option.kind, names[option.object])


@dataclass(frozen=True)
class Language:
    """All that can be said about a task: what a table's file and an LLM's answers are checked against.

    Attributes:
        states: the abstract states, in the order of the teacher's table.
        options: what a plan may begin with, in a fixed order.
        grammar: the verbs.
        objects: canonical names a plan may mention.
        questions: one for each state.
        rules: the world's own judgement of options; None if it has none.
        family: the name that tables go by where several tasks share them; empty for the task's own name.
    """

    states: tuple[AbstractState, ...]
    options: tuple[Option, ...]
    grammar: Grammar
    objects: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    rules: Rules | None = field(default=None, compare=False)
    family: str = ""

    def allows(self, option: Option) -> bool:
        """Whether a plan may hold this option.

        >>> Language((), (), Grammar(("left", "right"))).allows(Option("left"))
        True
        """
        if option.kind in self.grammar.targeted:
            return option.object in self.objects
        return option.object is None and option.kind in self.grammar.kinds


def plain_language(states: tuple[AbstractState, ...], options: tuple[Option, ...]) -> Language:
    """The language of a task that renames nothing: its verbs and objects are those of its options.

    Args:
        states: the abstract states, in the order of the table.
        options: what a plan may begin with.

    >>> plain_language((NamedState("Start."),), (Option("left"),)).grammar.plain
    ('left',)
    """
    plain = tuple(dict.fromkeys(option.kind for option in options if option.object is None))
    targeted = tuple(dict.fromkeys(option.kind for option in options if option.object is not None))
    objects = tuple(dict.fromkeys(option.object for option in options if option.object is not None))
    grammar = Grammar(plain, targeted)
    names = {name: name for name in objects}
    asked = tuple(Question(i, state, state, names, options, grammar) for i, state in enumerate(states))
    return Language(states, options, grammar, objects, asked)
