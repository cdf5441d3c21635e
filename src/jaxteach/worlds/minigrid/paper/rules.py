"""What the rules of a door-and-key world say of options: possible, sensible, best."""

from jaxteach.tasks.language import Option
from jaxteach.worlds.minigrid.paper.situation import SeenAndHeld


def admissible(state: SeenAndHeld) -> frozenset[Option]:
    """Options that the state allows, sensible or not: things seen can be approached, free hands pick up."""
    found = {Option("explore"), *(Option("go to", name) for name in state.sees)}
    if state.holds is None:
        found |= {Option("pick up", key) for key in _keys(state)}
    else:
        found |= {Option("drop", state.holds)}
        found |= {Option("open", door) for door in _doors(state) if fits(state.holds, door)}
    return frozenset(found)


def sensible(state: SeenAndHeld) -> frozenset[Option]:
    """Options that bring the agent nearer to opening a door, as far as the caption can tell.

    Args:
        state: the abstract state, in canonical or real names.

    Returns:
        The first options a good plan may start with: never empty, all of them `admissible`.
    """
    wanted = _wanted_keys(state)
    if state.holds is not None:
        doors = [door for door in _doors(state) if fits(state.holds, door)]
        if doors:
            return frozenset(Option(kind, door) for kind in ("go to", "open") for door in doors)
        if wanted:
            return frozenset({Option("drop", state.holds), *(Option("go to", key) for key in wanted)})
    elif wanted:
        return frozenset(Option(kind, key) for kind in ("go to", "pick up") for key in wanted)
    return frozenset({Option("explore")})


def ideal_plans(state: SeenAndHeld) -> tuple[tuple[tuple[Option, ...], float], ...]:
    """The plans of a teacher who knows the rules.

    Args:
        state: the abstract state, in canonical or real names.

    Returns:
        Plans and probabilities, the best plan first; each begins with a `sensible` option. Of several equal
        targets the first in the caption is taken. One plan is enough, but a drop fails while a thing is right
        ahead, which no caption tells: so some of the time the agent walks on instead.
    """
    wanted = _wanted_keys(state)
    if state.holds is not None:
        for door in _doors(state):
            if fits(state.holds, door):
                return (((Option("go to", door), Option("open", door)), 1.0),)
        if wanted:
            fetch = Option("go to", wanted[0]), Option("pick up", wanted[0])
            return ((Option("drop", state.holds), *fetch), 0.8), ((fetch[0], Option("explore")), 0.2)
    elif wanted:
        return (((Option("go to", wanted[0]), Option("pick up", wanted[0])), 1.0),)
    return (((Option("explore"),), 1.0),)


def fits(key: str, door: str) -> bool:
    """Whether a key opens a door: their colours agree, or they have none.

    >>> fits("red key", "blue door"), fits("key", "door2")
    (False, True)
    """
    return _colour(key) == _colour(door)


def _wanted_keys(state: SeenAndHeld) -> list[str]:
    """Keys in sight worth having: those of a door in sight; any key if there is none and hands are free."""
    doors = _doors(state)
    if not doors:
        return _keys(state) if state.holds is None else []
    return [key for key in _keys(state) if any(fits(key, door) for door in doors)]


def _keys(state: SeenAndHeld) -> list[str]:
    return [name for name in state.sees if _kind(name) == "key"]


def _doors(state: SeenAndHeld) -> list[str]:
    return [name for name in state.sees if _kind(name) == "door"]


def _kind(name: str) -> str:
    """What a thing is: the name's last word without its number."""
    return name.split()[-1].rstrip("0123456789")


def _colour(name: str) -> str:
    """The words before the last one."""
    return " ".join(name.split()[:-1])
