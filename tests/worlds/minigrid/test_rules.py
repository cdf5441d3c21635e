"""Single actions, worked by hand."""

import pytest

from jaxteach.worlds.minigrid import kinds as k
from tests.worlds.minigrid.scenes import BALL, BLUE_KEY, BOX, KEY, act, picture, scene

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)


@pytest.mark.parametrize(
    ("before", "held", "action", "after", "holds"),
    [
        (">.", 0, FORWARD, ".>", 0),
        (">.", 0, LEFT, "^.", 0),
        (">.", 0, RIGHT, "v.", 0),
        ("^.", 0, LEFT, "<.", 0),
        (">.", 0, DONE, ">.", 0),
        (">#", 0, FORWARD, ">#", 0),
        (">k", 0, FORWARD, ">k", 0),
        (">o", 0, FORWARD, ">o", 0),
        (">b", 0, FORWARD, ">b", 0),
        (">D", 0, FORWARD, ">D", 0),
        (">L", KEY, FORWARD, ">L", KEY),
        (">k", 0, PICKUP, ">.", KEY),
        (">o", 0, PICKUP, ">.", BALL),
        (">c", 0, PICKUP, ">.", BOX | BLUE_KEY << 8),
        (">k", BALL, PICKUP, ">k", BALL),
        (">.", 0, PICKUP, ">.", 0),
        (">#", 0, PICKUP, ">#", 0),
        (">G", 0, PICKUP, ">G", 0),
        (">D", 0, PICKUP, ">D", 0),
        (">.", BALL, DROP, ">o", 0),
        (">.", BOX | BLUE_KEY << 8, DROP, ">c", 0),
        (">.", 0, DROP, ">.", 0),
        (">_", BALL, DROP, ">_", BALL),
        (">G", BALL, DROP, ">G", BALL),
        (">~", BALL, DROP, ">~", BALL),
        (">O", BALL, DROP, ">O", BALL),
        (">k", BALL, DROP, ">k", BALL),
        (">#", BALL, DROP, ">#", BALL),
        (">L", KEY, TOGGLE, ">O", KEY),
        (">L", BLUE_KEY, TOGGLE, ">L", BLUE_KEY),
        (">L", k.code(k.BALL, k.RED), TOGGLE, ">L", k.code(k.BALL, k.RED)),
        (">L", k.code(k.BOX, k.RED) | KEY << 8, TOGGLE, ">L", k.code(k.BOX, k.RED) | KEY << 8),
        (">L", 0, TOGGLE, ">L", 0),
        (">D", 0, TOGGLE, ">O", 0),
        (">D", BLUE_KEY, TOGGLE, ">O", BLUE_KEY),
        (">O", 0, TOGGLE, ">D", 0),
        (">b", 0, TOGGLE, ">.", 0),
        (">c", 0, TOGGLE, ">K", 0),
        (">c", BALL, TOGGLE, ">K", BALL),
        (">k", 0, TOGGLE, ">k", 0),
        (">#", 0, TOGGLE, ">#", 0),
        (">G", 0, TOGGLE, ">G", 0),
    ],
)
def test_what_an_action_does(before: str, held: int, action: int, after: str, holds: int) -> None:
    state, _ = act(scene(before, carried=held), 1, 2, action)
    assert picture(state, 2) == (after,)
    assert (int(state.carried[0]), int(state.clock[0])) == (holds, 1)


@pytest.mark.parametrize("sign", "_GO~.")
def test_what_is_walked_over_stays(sign: str) -> None:
    state, happened = act(scene(f">{sign}."), 1, 3, FORWARD)
    assert bool(happened.moved[0]) and int(state.column[0]) == 1
    state, _ = act(state, 1, 3, FORWARD)
    assert picture(state, 3) == (f".{sign}>",)


@pytest.mark.parametrize(("arrow", "row", "column"), [(">", 1, 2), ("v", 2, 1), ("<", 1, 0), ("^", 0, 1)])
def test_forward_follows_the_direction(arrow: str, row: int, column: int) -> None:
    state, _ = act(scene("...", f".{arrow}.", "..."), 3, 3, FORWARD)
    assert (int(state.row[0]), int(state.column[0])) == (row, column)


@pytest.mark.parametrize("arrow", "<^")
@pytest.mark.parametrize("action", range(7))
def test_the_grids_edge_is_a_wall(arrow: str, action: int) -> None:
    state, happened = act(scene(f"{arrow}k", "..", carried=BALL), 2, 2, action)
    assert not bool(happened.moved[0] | happened.dropped[0] | happened.picked[0])
    assert picture(state, 2)[0][1] == "k"
    assert int(state.grid[0, 0]) == k.EMPTY
