"""navix's own levels, taught: its states on our maps, and its rules with our tables."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import navix
import numpy as np
import pytest

from jaxteach.tasks import make_task
from jaxteach.teacher.loading import load_teacher
from jaxteach.teacher.policy import compile_teacher
from jaxteach.training import play_teacher
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.navix import TAUGHT

pytestmark = pytest.mark.unoptimised

DOOR_KEY = "Navix-DoorKey-8x8-v0"
LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE = range(6)


@pytest.fixture(autouse=True)
def loose_ranks() -> Iterator[None]:
    """navix's own code promotes ranks."""
    with jax.numpy_rank_promotion("allow"):
        yield


KEY_CORRIDOR = "Navix-KeyCorridorS3R3-v0"
QUICK = (DOOR_KEY, KEY_CORRIDOR)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in TAUGHT]
)
def test_a_state_is_what_navix_shows(name: str) -> None:
    """Where play at random leads, cell by cell; doors that no key opens are walls."""
    task = make_task(name)
    step = jax.jit(task.step)
    state = jax.jit(task.reset)(jnp.array([3, 5], jnp.uint32))
    rng = np.random.default_rng(0)
    for _ in range(60):
        theirs = state.theirs.env.state
        shown = np.asarray(navix.observations.symbolic(theirs))
        kind, colour, status = (
            np.asarray(x).reshape(shown.shape[:2]) for x in k.channels(np.asarray(state.ours.grid))
        )
        player, doors, keys = theirs.get_player(), theirs.get_doors(), theirs.get_keys()
        here = tuple(int(x) for x in player.position)
        assert (int(state.ours.row), int(state.ours.column)) == here
        assert int(state.ours.direction) == int(player.direction)
        never = {
            tuple(map(int, position))
            for position, needs in zip(doors.position, doors.requires, strict=True)
            if int(needs) not in (-1, *map(int, keys.id))
        }
        for cell in np.ndindex(kind.shape):
            if cell == here:
                assert kind[cell] == k.EMPTY
            elif cell in never:
                assert kind[cell] == k.WALL
            elif shown[cell][0] in (k.DOOR, k.KEY):
                assert (kind[cell], colour[cell], status[cell]) == tuple(shown[cell])
            else:  # what navix calls floor is an empty cell
                assert kind[cell] == (k.EMPTY if shown[cell][0] == 1 else shown[cell][0])
        assert (int(state.ours.carried) != 0) == (int(player.pocket) in map(int, keys.id))
        state, outcome = step(state, jnp.int32(rng.integers(0, 6)))
        assert not bool(outcome.success)


@pytest.mark.parametrize("name", [DOOR_KEY, pytest.param(KEY_CORRIDOR, marks=pytest.mark.slow)])
def test_the_ideal_teacher_solves_the_level_under_navixs_rules(name: str) -> None:
    task, table = make_task(name), load_teacher("rule-ideal", name)
    assert table is not None and table.task == "Navix-DoorKey"
    played = play_teacher(task, compile_teacher(table, task), np.uint32(3), 128, False)
    assert float(played.success) == 1.0


def test_the_key_is_used_up() -> None:
    """The state behind the opened door, without a key: one that MiniGrid's own DoorKey never shows."""
    ours, minigrid = make_task(DOOR_KEY).language, make_task("MiniGrid-DoorKey-8x8-v0").language
    gone = "Agent sees <goal> in reach, holds <nothing>"
    assert any(gone in state.text for state in ours.states)
    assert not any(gone in state.text for state in minigrid.states)


def test_other_observations() -> None:
    assert make_task(f"{DOOR_KEY}:symbolic").language.states == ()
    with pytest.raises(UserError, match="unknown observation 'view' of Navix-DoorKey-8x8-v0"):
        make_task(DOOR_KEY, observation="view")
    with pytest.raises(UserError, match=r"unknown observation 'seen' of Navix-FourRooms-v0: .*symbolic"):
        make_task("Navix-FourRooms-v0", observation="seen")
