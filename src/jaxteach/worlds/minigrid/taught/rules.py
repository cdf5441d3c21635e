"""What the rules of the taught families say of options: which are possible, sensible, ideal. No JAX."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxteach.tasks.language import Option
from jaxteach.worlds.minigrid.taught import things as t

if TYPE_CHECKING:
    from jaxteach.worlds.minigrid.taught.families import Known

EXPLORE, DROP, FINISH, LOOK_BACK = Option("explore"), Option("drop"), Option("done"), Option("look back")


@dataclass(frozen=True)
class Rules:
    """What the rules of these levels say of options; see `tasks.language.Rules`."""

    def admissible(self, state: "Known") -> frozenset[Option]:
        """What is in reach can be approached; free hands pick up; a fitting key opens; other doors open."""
        plain = {
            EXPLORE: state.unexplored,
            DROP: state.held != t.NOTHING,
            FINISH: t.BESIDE in state.reach.values(),
            LOOK_BACK: state.reach.get(t.CUE) == t.UNKNOWN,
        }
        found = {option for option in state.options if option.object is None and plain[option]}
        for option in state.options:
            near = option.object is not None and state.reach[option.object] in (t.NEAR, t.BESIDE)
            if near and state.held in _hands_for(option, state):
                found.add(option)
        return frozenset(found or {EXPLORE})

    def sensible(self, state: "Known") -> frozenset[Option]:
        """The first option of the ideal plan, and going to what it names."""
        first = ideal_plan(state)[0]
        going = Option("go to", first.object)
        return frozenset({first, going} if going in state.options else {first})

    def ideal_plans(self, state: "Known") -> tuple[tuple[tuple[Option, ...], float], ...]:
        """One plan for each state."""
        return ((ideal_plan(state), 1.0),)


def _hands_for(option: Option, state: "Known") -> tuple[str, ...]:
    """What hands may hold for an option."""
    if option == Option("open", t.LOCKED):
        return (t.KEY,)
    return {"pick up": (t.NOTHING,), "put near": (t.TARGET,)}.get(option.kind, (state.held,))


def ideal_plan(state: "Known") -> tuple[Option, ...]:
    """The mission's thing first, then what opens the way to it, and exploring where nothing does."""
    near = {thing for thing, known in state.reach.items() if known in (t.NEAR, t.BESIDE)}
    seen = {thing for thing, known in state.reach.items() if known != t.UNKNOWN}
    free, key = state.held == t.NOTHING, state.held == t.KEY
    if t.BESIDE in state.reach.values():
        return (FINISH,)
    if state.held == t.TARGET:
        return (Option("put near", t.PLACE),) if t.PLACE in near else (EXPLORE,)
    for thing in (t.TARGET, t.GOAL, t.MATCH):
        if thing in near:
            pick_up = Option("pick up", thing)
            if pick_up not in state.options:
                return (Option("go to", thing),)
            return (pick_up,) if free else (DROP, pick_up)
    if t.RED in near:
        return (Option("open", t.RED),)
    if t.BLUE in near and (t.OPENED in seen or not state.unexplored):
        return (Option("open", t.BLUE),)
    if t.LOCKED in near and key:
        return (Option("open", t.LOCKED),)
    if not free and not key:
        return (DROP,)
    if t.BLOCKER in near:
        return (Option("pick up", t.BLOCKER),) if free else (DROP, Option("pick up", t.BLOCKER))
    if t.KEY in near and free:
        return (Option("pick up", t.KEY),)
    for thing in (t.MARKED, t.BOX):
        if thing in near and (free or not state.unexplored):
            return (Option("open", thing),)
    if t.KEY in near and not state.unexplored:
        return (DROP, Option("pick up", t.KEY))
    return (LOOK_BACK,) if state.reach.get(t.CUE) == t.UNKNOWN else (EXPLORE,)
