"""navix's own levels, taught: its state on the engine's seen-map, under its own rules and rewards."""

from typing import Any

import jax.numpy as jnp
import navix
from flax import struct
from jax import Array
from navix.entities import Door, EntityIds

from jaxteach.tasks.language import WAIT, Option
from jaxteach.tasks.protocol import Features, Outcome
from jaxteach.worlds.gymnax import GymnaxState
from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.batch import merged
from jaxteach.worlds.minigrid.features import KINDS, Legend, RawCells, SeenMap
from jaxteach.worlds.minigrid.state import State, start
from jaxteach.worlds.minigrid.taught.families import family_of
from jaxteach.worlds.minigrid.taught.perceive import Options, carry_out, rows_of
from jaxteach.worlds.minigrid.view import grow, look, map_of, unseen
from jaxteach.worlds.navix import NavixTask

_SHOWN = ("empty", "wall", "open door", "closed door", "locked door", "key", "goal")


class SeenNavixState(struct.PyTreeNode):
    """One environment.

    Attributes:
        theirs: navix's state.
        ours: the same as the engine's, with the seen-map.
    """

    theirs: GymnaxState
    ours: State


class SeenNavixTask(NavixTask):
    """A navix level that shows everything seen so far, as MiniGrid's levels do: their tables teach it.

    Args:
        name: navix's id.
        **overrides: what `navix.make` takes besides, such as `max_steps`.
    """

    missions = ("use the key to open the door and then get to the goal",)
    """navix has no missions; its levels that are taught share this one."""

    def __init__(self, name: str, **overrides: Any) -> None:
        family = family_of(name)
        assert family is not None, f"no family teaches {name}"
        super().__init__(name, **overrides)
        self.family, self.language, self.facts = family, family.language, family.facts

    # ---- Task ----------------------------------------------------------------------------

    def reset(self, words: Array) -> SeenNavixState:  # type: ignore[override]
        """See `Task.reset`."""
        theirs = super().reset(words)
        seen = unseen(1, self._grid[0])[0]
        return SeenNavixState(theirs, as_ours(theirs.env.state, seen))

    def step(self, state: SeenNavixState, action: Array) -> tuple[SeenNavixState, Outcome]:  # type: ignore[override]
        """See `Task.step`."""
        theirs, outcome = super().step(state.theirs, action)
        return SeenNavixState(theirs, as_ours(theirs.env.state, state.ours.seen)), outcome

    def update_seen(self, state: SeenNavixState) -> SeenNavixState:
        """Add what is visible to the seen-map."""
        height, width = self._grid

        def batch(ours: State) -> Array:
            assert ours.seen is not None
            return grow(ours.seen, ours, look(ours, height, width, see_through=False), width)

        return state.replace(ours=state.ours.replace(seen=merged(batch)(state.ours)))

    def observe(self, state: SeenNavixState) -> dict[str, Array]:  # type: ignore[override]
        """As `LevelTask.observe` of "seen": cells u8[H, W, 4] and mission u16[]."""
        cells: Array = merged(lambda ours: map_of(ours, *self._grid))(state.ours)
        return {"cells": cells, "mission": state.ours.mission}

    def features(self, kind: str) -> Features:
        """See `Task.features`."""
        legend = Legend(
            *self._grid, tuple(name for name in KINDS if name in _SHOWN), k.COLOURS, self.missions
        )
        return RawCells(legend, "seen") if kind == "map" else SeenMap(legend)

    # ---- Teachable -----------------------------------------------------------------------

    @property
    def option_groups(self) -> tuple[tuple[int, ...], ...]:  # type: ignore[override]
        """The family's options together: one search serves them all."""
        return (tuple(range(len(self.family.options))),)

    def perceive(self, obs: dict[str, Array], memory: Any) -> tuple[Array, Options]:  # type: ignore[override]
        """See `Teachable.perceive`."""
        return rows_of(self.family, self.missions, obs)

    def act(self, view: Options, group: int, option: Array) -> tuple[Array, Array]:
        """See `Teachable.act`."""
        return carry_out(view, option, self.no_op)

    def fixed_action(self, state: int, option: Option) -> int | None:
        """Waiting."""
        return self.no_op if option.kind == WAIT else None


def as_ours(state: navix.states.State, seen: Array | None) -> State:
    """navix's state of one environment as the engine's.

    A door that no key opens becomes a wall: navix's KeyCorridor puts such doors where rooms do not connect.

    Args:
        state: navix's.
        seen: u32[H + 12], the seen-map so far; None without one.
    """
    shown = navix.observations.symbolic(state)
    kind, colour, status = (shown[..., i].astype(jnp.uint8) for i in range(3))
    kind = jnp.where(kind == k.DOOR, k.OPEN + status, kind)
    # navix's floor is MiniGrid's empty cell; the agent's own cell shows the agent.
    kind = jnp.where((kind == EntityIds.FLOOR) | (kind == EntityIds.PLAYER), k.EMPTY, kind)
    colour = jnp.where(kind == k.EMPTY, 0, colour)
    grid = k.code(kind, colour).astype(jnp.uint8)
    door, key = state.entities.get("door"), state.entities.get("key")
    if isinstance(door, Door):
        ids = jnp.zeros((0,), jnp.int32) if key is None else key.id
        never = door.locked & ~jnp.any(door.requires[:, None] == ids[None], axis=1)
        row = jnp.where(never, door.position[:, 0], grid.shape[0])
        grid = grid.at[row, door.position[:, 1]].set(jnp.uint8(k.WALL_CODE), mode="drop")
    player = state.get_player()
    carried = jnp.zeros((), jnp.uint8)
    if key is not None:
        held = key.id == player.pocket
        carried = jnp.max(jnp.where(held, k.code(k.KEY, key.colour.astype(jnp.uint8)), 0)).astype(jnp.uint8)
    begun = start(grid, player.position[0], player.position[1], player.direction)
    return begun.replace(carried=carried, seen=seen)
