"""What a teacher of a family of levels is told, and what it may answer. No JAX.

A state tells which roles are known: of each thing whether it was seen and can be reached, what is held,
and whether there is anything left to explore. The levels of a family share their states and options, so that
one table teaches them all.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jaxteach.tasks.language import Grammar, Language, Option, Question

UNKNOWN, FAR, NEAR = range(3)
REACH = ("not seen", "out of reach", "in reach")
"""What is known of a thing."""
GOAL, TARGET, KEY, LOCKED, BLOCKER, BOX = "goal", "target", "key", "locked door", "blocker", "box"
THINGS = (GOAL, TARGET, KEY, LOCKED, BLOCKER, BOX)
"""Goal; the thing the mission wants held; a key that opens a locked door that was seen (any, before one was);
a locked door (with a key in hand, one it opens); a thing that lies before a door; a closed box."""
HANDS = ("nothing", KEY, "other thing")
"""What is held: a key as above, or what is of no use."""
VERBS = {
    GOAL: ("go to",),
    TARGET: ("go to", "pick up"),
    KEY: ("go to", "pick up"),
    LOCKED: ("go to", "open"),
    BLOCKER: ("go to", "pick up"),
    BOX: ("go to", "open"),
}
GRAMMAR = Grammar(("explore", "drop"), ("go to", "pick up", "open"))
EXPLORE, DROP = Option("explore"), Option("drop")


@dataclass(frozen=True)
class Known:
    """One abstract state.

    Attributes:
        family: the family's name.
        things: of each of its things what is known, an index into `REACH`.
        held: an index into `HANDS`.
        unexplored: whether a place that was not seen, or a closed door, can be reached.
    """

    family: str
    things: tuple[int, ...]
    held: int
    unexplored: bool

    @property
    def reach(self) -> dict[str, int]:
        """What is known of each thing."""
        return dict(zip(FAMILIES[self.family].things, self.things, strict=True))

    @functools.cached_property
    def sees(self) -> list[str]:
        """The things that were seen, with where they are."""
        return [f"<{thing}> {REACH[known]}" for thing, known in self.reach.items() if known != UNKNOWN]

    @functools.cached_property
    def text(self) -> str:
        """The state in words."""
        rest = "can explore further" if self.unexplored else "has explored all that it can reach"
        sees, holds = ", ".join(self.sees) or "<nothing>", HANDS[self.held]
        return f"Mission: {FAMILIES[self.family].mission}. Agent sees {sees}, holds <{holds}>, {rest}."

    @property
    def fields(self) -> Mapping[str, Any]:
        """The same as JSON values."""
        return {"sees": self.sees, "holds": HANDS[self.held], "unexplored": self.unexplored}


@dataclass(frozen=True)
class Family:
    """Levels that one table teaches.

    Attributes:
        name: of the family, and of its tables' task.
        mission: in words, its things in brackets.
        things: which of `THINGS` it has.
        hands: how many of `HANDS` can be.
        facts: the world in a few sentences, for an LLM.
        near_only: things of which it is told whether they are in reach, and nothing else.
    """

    name: str
    mission: str
    things: tuple[str, ...]
    hands: int
    facts: str
    near_only: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[Option, ...]:
        """What a plan may begin with."""
        named = tuple(Option(verb, thing) for thing in self.things for verb in VERBS[thing])
        return (EXPLORE, *((DROP,) if self.hands > 1 else ()), *named)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many values each part of a state's code has: things, what is held, what is unexplored."""
        return (*(2 if thing in self.near_only else 3 for thing in self.things), self.hands, 2)

    def code(self, state: Known) -> int:
        """A state as one number, its parts as digits, the first the most significant."""
        number, near = 0, zip(self.things, state.things, strict=True)
        things = [known == NEAR if thing in self.near_only else known for thing, known in near]
        for digit, size in zip((*things, state.held, state.unexplored), self.sizes, strict=True):
            number = number * size + int(digit)
        return number

    def state(self, code: int) -> Known:
        """The state of a number; see `code`."""
        digits = []
        for size in reversed(self.sizes):
            code, digit = divmod(code, size)
            digits.append(digit)
        unexplored, held, *backwards = digits
        told = zip(self.things, reversed(backwards), strict=True)
        things = tuple(NEAR * digit if thing in self.near_only else digit for thing, digit in told)
        return Known(self.name, things, held, bool(unexplored))

    @property
    def codes(self) -> tuple[int, ...]:
        """The codes of `states`."""
        return tuple(_codes().get(self.name, ()))

    @property
    def states(self) -> tuple[Known, ...]:
        """The states that play was found to reach, in the order of the tables."""
        return tuple(self.state(code) for code in self.codes)

    @property
    def language(self) -> Language:
        """All that can be said about the family."""
        return _language(self.name)


@functools.cache
def _codes() -> dict[str, list[int]]:
    """Codes of the states reached in each family, as `experiments/close_states.py` wrote them."""
    file = resources.files("jaxteach.worlds.minigrid.taught") / "states.json"
    found: dict[str, list[int]] = json.loads(file.read_text(encoding="utf-8"))
    return found


@functools.cache
def _language(name: str) -> Language:
    """A family's language, made once."""
    family = FAMILIES[name]
    names = {thing: thing for thing in family.things}
    questions = tuple(
        Question(i, state, state, names, family.options, GRAMMAR, Rules())
        for i, state in enumerate(family.states)
    )
    return Language(family.states, family.options, GRAMMAR, family.things, questions, Rules(), name)


@dataclass(frozen=True)
class Rules:
    """What the rules of these levels say of options; see `tasks.language.Rules`."""

    def admissible(self, state: Known) -> frozenset[Option]:
        """What is in reach can be approached; free hands pick up; a fitting key opens; boxes open."""
        found = {EXPLORE} if state.unexplored else set()
        if state.held:
            found.add(DROP)
        for thing, known in state.reach.items():
            for verb in VERBS[thing] if known == NEAR else ():
                needs = {("pick up", thing): 0, ("open", LOCKED): 1}.get((verb, thing))
                if needs is None or state.held == needs:
                    found.add(Option(verb, thing))
        return frozenset(found or {EXPLORE})

    def sensible(self, state: Known) -> frozenset[Option]:
        """The first option of the ideal plan, and going to what it names."""
        first = self._plan(state)[0]
        near = {Option("go to", first.object)} if first.object is not None else set()
        return frozenset({first, *near})

    def ideal_plans(self, state: Known) -> tuple[tuple[tuple[Option, ...], float], ...]:
        """One plan for each state."""
        return ((self._plan(state), 1.0),)

    @staticmethod
    def _plan(state: Known) -> tuple[Option, ...]:
        """The mission's thing first, then what opens the way to it, and exploring where nothing does."""
        near = {thing for thing, known in state.reach.items() if known == NEAR}
        free, key = state.held == 0, state.held == 1
        for thing, verb in ((TARGET, "pick up"), (GOAL, "go to")):
            if thing in near:
                plan = (Option(verb, thing),)
                return plan if verb == "go to" or free else (DROP, *plan)
        if LOCKED in near and key:
            return (Option("open", LOCKED),)
        if not free and not key:
            return (DROP,)
        if BLOCKER in near:
            return (Option("pick up", BLOCKER),) if free else (DROP, Option("pick up", BLOCKER))
        if KEY in near and free:
            return (Option("pick up", KEY),)
        if BOX in near and free:
            return (Option("open", BOX),)
        return (EXPLORE,)


_ROOMS = (
    "A grid of rooms with walls and doors. The agent turns, walks, picks up one thing at a time, drops it, "
    "and opens what is before it. A closed door is opened without a key; a locked door only by the key of "
    "its colour, held in hand. Exploring walks to the nearest place not seen yet, and opens closed doors on "
    "the way."
)
FAMILIES = {
    family.name: family
    for family in (
        Family(
            "MiniGrid-DoorKey",
            "use <key> to open <locked door> and then get to <goal>",
            (GOAL, KEY, LOCKED),
            2,
            _ROOMS,
        ),
        Family("MiniGrid-Unlock", "open <locked door> with its <key>", (KEY, LOCKED), 2, _ROOMS),
        Family(
            "MiniGrid-UnlockPickup",
            "pick up <target>, which lies behind <locked door>",
            (TARGET, KEY, LOCKED, BLOCKER),
            3,
            _ROOMS,
            (BLOCKER,),
        ),
        Family(
            "MiniGrid-KeyCorridor",
            "pick up <target>, which lies in a room behind <locked door>",
            (TARGET, KEY, LOCKED),
            2,
            _ROOMS,
        ),
        Family("MiniGrid-MultiRoom", "walk through the rooms to <goal>", (GOAL,), 1, _ROOMS),
        Family(
            "MiniGrid-ObstructedMaze",
            "pick up <target>, which lies in a maze; a <box> can hold a key, a <blocker> bars a door",
            (TARGET, KEY, LOCKED, BLOCKER, BOX),
            3,
            _ROOMS,
            (KEY, LOCKED, BLOCKER, BOX),
        ),
    )
}
_BY_PREFIX = {
    "MiniGrid-DoorKey-": "MiniGrid-DoorKey",
    "MiniGrid-Unlock-": "MiniGrid-Unlock",
    "MiniGrid-UnlockPickup-": "MiniGrid-UnlockPickup",
    "MiniGrid-BlockedUnlockPickup-": "MiniGrid-UnlockPickup",
    "MiniGrid-KeyCorridor": "MiniGrid-KeyCorridor",
    "MiniGrid-MultiRoom-": "MiniGrid-MultiRoom",
    "MiniGrid-ObstructedMaze-": "MiniGrid-ObstructedMaze",
}


def family_of(name: str) -> Family | None:
    """The family of one of Farama's ids; None for a level that is not taught."""
    for prefix, family in _BY_PREFIX.items():
        if name.startswith(prefix):
            return FAMILIES[family]
    return None
