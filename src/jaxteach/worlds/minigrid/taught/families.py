"""What a teacher of a family of levels is told, and what it may answer. No JAX.

A state tells which roles are known: of each thing whether it was seen and can be reached, what is held,
and whether there is anything left to explore. The levels of a family share their states and options, so that
one table teaches them all.
"""

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jaxteach.tasks.language import Grammar, Language, Option, Question
from jaxteach.worlds.minigrid.taught import things as t
from jaxteach.worlds.minigrid.taught.rules import DROP, EXPLORE, FINISH, LOOK_BACK, Rules


@dataclass(frozen=True)
class Known:
    """One abstract state.

    Attributes:
        family: the family's name.
        things: of each of its things what is known, an index into `things.REACH`.
        held: what is held, one of the family's `hands`.
        unexplored: whether a place that was not seen can be reached, or a closed door that exploring opens.
    """

    family: str
    things: tuple[int, ...]
    held: str
    unexplored: bool

    @property
    def reach(self) -> dict[str, int]:
        """What is known of each thing."""
        return {
            thing.name: known for thing, known in zip(FAMILIES[self.family].things, self.things, strict=True)
        }

    @property
    def options(self) -> tuple[Option, ...]:
        """The family's."""
        return FAMILIES[self.family].options

    @functools.cached_property
    def sees(self) -> list[str]:
        """The things that were seen, with where they are."""
        return [f"<{thing}> {t.REACH[known]}" for thing, known in self.reach.items() if known != t.UNKNOWN]

    @functools.cached_property
    def text(self) -> str:
        """The state in words."""
        rest = "can explore further" if self.unexplored else "has explored all that it can reach"
        sees = ", ".join(self.sees) or "<nothing>"
        return f"Mission: {FAMILIES[self.family].mission}. Agent sees {sees}, holds <{self.held}>, {rest}."

    @property
    def fields(self) -> Mapping[str, Any]:
        """The same as JSON values."""
        return {"sees": self.sees, "holds": self.held, "unexplored": self.unexplored}


@dataclass(frozen=True)
class Family:
    """Levels that one table teaches.

    Attributes:
        name: of the family, and of its tables' task.
        levels: how the ids of its levels begin.
        mission: in words, its things in brackets.
        things: what is told of its levels.
        hands: what can be held; the last stands for all that has no name.
        facts: the world in a few sentences, for an LLM.
        opens_doors: whether exploring opens closed doors.
    """

    name: str
    levels: tuple[str, ...]
    mission: str
    things: tuple[t.Thing, ...]
    hands: tuple[str, ...]
    facts: str
    opens_doors: bool = True

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Of its things."""
        return tuple(thing.name for thing in self.things)

    @functools.cached_property
    def options(self) -> tuple[Option, ...]:
        """What a plan may begin with."""
        plain = {
            EXPLORE: True,
            DROP: len(self.hands) > 1,
            FINISH: any(t.BESIDE in thing.values for thing in self.things),
            LOOK_BACK: t.CUE in self.names,
        }
        named = tuple(Option(verb, thing.name) for thing in self.things for verb in thing.verbs)
        return (*(option for option, has in plain.items() if has), *named)

    @functools.cached_property
    def grammar(self) -> Grammar:
        """The verbs of its options."""
        plain = tuple(option.kind for option in self.options if option.object is None)
        targeted = dict.fromkeys(option.kind for option in self.options if option.object is not None)
        return Grammar(plain, tuple(targeted))

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each part of a state's code has: things, what is held, what is unexplored."""
        return (*(len(thing.values) for thing in self.things), len(self.hands), 2)

    def code(self, state: Known) -> int:
        """A state as one number, its parts as digits, the first the most significant."""
        things = (thing.values.index(known) for thing, known in zip(self.things, state.things, strict=True))
        number = 0
        for digit, size in zip(
            (*things, self.hands.index(state.held), state.unexplored), self.sizes, strict=True
        ):
            number = number * size + int(digit)
        return number

    def state(self, code: int) -> Known:
        """The state of a number; see `code`."""
        digits = []
        for size in reversed(self.sizes):
            code, digit = divmod(code, size)
            digits.append(digit)
        unexplored, held, *backwards = digits
        things = (thing.values[i] for thing, i in zip(self.things, reversed(backwards), strict=True))
        return Known(self.name, tuple(things), self.hands[held], bool(unexplored))

    @property
    def n_codes(self) -> int:
        """How many states could be told apart."""
        return math.prod(self.sizes)

    @property
    def codes(self) -> tuple[int, ...]:
        """The codes of `states`."""
        return tuple(_codes().get(self.name, ()))

    @property
    def states(self) -> tuple[Known, ...]:
        """The states that are listed, in the order of the tables: those that play was found to reach."""
        return tuple(self.state(code) for code in self.codes)

    @property
    def language(self) -> Language:
        """All that can be said about the family."""
        return _language(self.name)


@functools.cache
def _codes() -> dict[str, list[int]]:
    """Codes of the states listed for each family, as `experiments/close_states.py` wrote them."""
    file = resources.files("jaxteach.worlds.minigrid.taught") / "states.json"
    found: dict[str, list[int]] = json.loads(file.read_text(encoding="utf-8"))
    return found


@functools.cache
def _language(name: str) -> Language:
    """A family's language, made once."""
    family, rules = FAMILIES[name], Rules()
    names = {thing: thing for thing in family.names}
    questions = tuple(
        Question(i, state, state, names, family.options, family.grammar, rules)
        for i, state in enumerate(family.states)
    )
    return Language(family.states, family.options, family.grammar, family.names, questions, rules, name)


_EMPTY, _KEY, _ANY = (t.NOTHING,), (t.NOTHING, t.KEY), (t.NOTHING, t.KEY, t.OTHER)
_ROOMS = (
    "A grid of rooms with walls and doors. The agent turns, walks, picks up one thing at a time, drops it, "
    "and opens what is before it. A closed door is opened without a key; a locked door only by the key of "
    "its colour, held in hand. Exploring walks to the nearest place not seen yet, and opens closed doors on "
    "the way."
)
_NEAREST = "Exploring walks to the nearest place not seen yet; it opens no door."
_ONE_ROOM = (
    "A room in which several things lie. The agent turns, walks, picks up one thing at a time and drops it. "
    + _NEAREST
)
FAMILIES = {
    family.name: family
    for family in (
        Family(
            "MiniGrid-DoorKey",
            ("MiniGrid-DoorKey-",),
            "use <key> to open <locked door> and then get to <goal>",
            (t.goal, t.key, t.locked),
            _KEY,
            _ROOMS,
        ),
        Family(
            "Navix-DoorKey",
            ("Navix-DoorKey-", "Navix-KeyCorridor", "Navix-LockedRoom-"),
            "use <key> to open <locked door> and then get to <goal>",
            (t.goal, t.key, t.locked),
            _KEY,
            _ROOMS + " A key is used up by the door it opens.",
        ),
        Family(
            "MiniGrid-Unlock",
            ("MiniGrid-Unlock-",),
            "open <locked door> with its <key>",
            (t.key, t.locked),
            _KEY,
            _ROOMS,
        ),
        Family(
            "MiniGrid-UnlockPickup",
            ("MiniGrid-UnlockPickup-", "MiniGrid-BlockedUnlockPickup-"),
            "pick up <target>, which lies behind <locked door>",
            (t.target, t.key, t.locked, t.blocker.telling(t.NEAR)),
            _ANY,
            _ROOMS,
        ),
        Family(
            "MiniGrid-KeyCorridor",
            ("MiniGrid-KeyCorridor",),
            "pick up <target>, which lies in a room behind <locked door>",
            (t.target, t.key, t.locked),
            _KEY,
            _ROOMS,
        ),
        Family(
            "MiniGrid-MultiRoom",
            ("MiniGrid-MultiRoom-",),
            "walk through the rooms to <goal>",
            (t.goal,),
            _EMPTY,
            _ROOMS,
        ),
        Family(
            "MiniGrid-ObstructedMaze",
            ("MiniGrid-ObstructedMaze-",),
            "pick up <target>, which lies in a maze; a <box> can hold a key, a <blocker> bars a door",
            (t.target, *(thing.telling(t.NEAR) for thing in (t.key, t.locked, t.blocker, t.box))),
            _ANY,
            _ROOMS,
        ),
        Family(
            "MiniGrid-LockedRoom",
            ("MiniGrid-LockedRoom-",),
            "get <key> from the room behind <marked door>, unlock <locked door> and go to <goal>",
            (t.goal, t.key, t.locked, t.marked),
            _KEY,
            "A hall with six rooms, each behind a door. The agent turns, walks, picks up one thing at a "
            "time, drops it, and opens what is before it. A closed door is opened without a key; a locked "
            "door only by the key of its colour, held in hand. " + _NEAREST,
            opens_doors=False,
        ),
        Family(
            "MiniGrid-RedBlueDoors",
            ("MiniGrid-RedBlueDoors-",),
            "open <red door>, and after that <blue door>",
            (t.red.telling(t.NEAR), t.opened, t.blue.telling(t.NEAR)),
            _EMPTY,
            "A room with a red door and a blue door, both closed without a lock. The agent turns, walks, and "
            "opens what is before it. Opening the blue door before the red one fails. " + _NEAREST,
            opens_doors=False,
        ),
        Family(
            "MiniGrid-Fetch",
            ("MiniGrid-Fetch-",),
            "pick up <target> and nothing else",
            (t.target, t.other.only("go to", "pick up")),
            _EMPTY,
            _ONE_ROOM + " Picking up a wrong thing fails.",
        ),
        Family(
            "MiniGrid-GoTo",
            ("MiniGrid-GoToDoor-", "MiniGrid-GoToObject-"),
            "stand beside <target> and say done",
            (t.target.only("go to").telling(t.FAR, t.NEAR, t.BESIDE), t.other.telling(t.NEAR)),
            (t.NOTHING, t.OTHER),
            _ONE_ROOM + " Saying done anywhere else fails, and so does opening anything.",
            opens_doors=False,
        ),
        Family(
            "MiniGrid-PutNear",
            ("MiniGrid-PutNear-",),
            "pick up <target> and put it near <place>",
            (t.target, t.place),
            (t.NOTHING, t.TARGET),
            _ONE_ROOM + " Picking up a wrong thing fails; there is one attempt at dropping <target>, which "
            "has to land next to <place>.",
        ),
        Family(
            "MiniGrid-Memory",
            ("MiniGrid-Memory",),
            "remember <cue> at the start of a hall, and go to the thing at its end that is of the same kind",
            (t.cue, t.match.telling(t.NEAR), t.other.telling(t.NEAR)),
            _EMPTY,
            "A hall with a thing, the cue, in a small room at its start and two things at its end, of which "
            "one is of the cue's kind. The agent turns and walks; going to the other thing fails. Before the "
            "cue was seen, no thing is known to match. Looking back walks towards the start of the hall, "
            "exploring towards its end.",
        ),
    )
}


def family_of(name: str) -> Family | None:
    """The family of an id of Farama's or navix's; None for a level that is not taught."""
    for family in FAMILIES.values():
        if name.startswith(family.levels):
            return family
    return None
