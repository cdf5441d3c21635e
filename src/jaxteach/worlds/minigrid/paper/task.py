"""The base of every door/key task: MiniGrid's rules in a room, taught by options."""

from typing import Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.tasks.drawing import Drawing
from jaxteach.tasks.language import Option, Question
from jaxteach.tasks.protocol import Defaults, Outcome, perceive_one
from jaxteach.worlds.minigrid.paper import acting, dynamics, observation, visibility
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.abstraction import situation_table
from jaxteach.worlds.minigrid.paper.facts.base import Facts
from jaxteach.worlds.minigrid.paper.features import Egocentric, RawMap, View
from jaxteach.worlds.minigrid.paper.layout import Draws, Layout
from jaxteach.worlds.minigrid.paper.layout_from_grid import layout_from_grid
from jaxteach.worlds.minigrid.paper.state import GridState, make_state


class Task(Facts, Defaults):
    """A room with keys and locked doors, of which the agent sees a small window at a time.

    A task is one subclass: its name, its facts (for an LLM), its words, its layout, and how many
    environment steps its students are trained by default. Everything else is shared. See `Facts` for its
    numbers, `tasks.protocol` for what the rest of the house asks of it.
    """

    action_names = c.ACTION_NAMES
    n_draws = 1
    no_op = c.DONE
    endings: ClassVar[dict[str, str]] = {
        "success": "door opened",
        "failure": "stepped into lava",
        "time": "out of time",
    }

    # ---- what a task defines, beside its facts ---------------------------------------------

    def layout(self, draws: Draws) -> Layout:
        """Draw where everything lies when an episode starts."""
        raise NotImplementedError

    # ---- construction --------------------------------------------------------------------

    @classmethod
    def make(cls, **numbers: Any) -> Self:
        """Build the task with its defaults and these changes.

        Args:
            **numbers: any of those of `Facts`.

        Returns:
            The task.

        Raises:
            UserError: for an impossible combination, or a number that is unknown.
        """
        task = cls(**numbers)
        task.check()
        return task

    def _identity(self) -> tuple[Any, ...]:
        return (type(self), *(getattr(self, name) for name in self.numbers()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    @property
    def word(self) -> np.dtype:
        """The unsigned type of one row of a bitboard."""
        return np.dtype(np.uint16 if self.width <= 16 else np.uint32)

    # ---- the state machine, for one environment; vmap adds axes -----------------------------

    def reset(self, words: Array) -> GridState:
        """The start of an episode, not yet looked at; see `tasks.protocol.Task.reset`."""
        return self.state_of(self.layout(Draws(words)))

    def state_of(self, layout: Layout) -> GridState:
        """The unseen start state of a layout."""
        return make_state(
            room=layout.room,
            position=layout.agent,
            direction=layout.direction,
            key_positions=jnp.stack(layout.keys),
            key_colours=jnp.stack([jnp.asarray(colour) for colour in layout.key_colours]),
            door_positions=jnp.stack(layout.doors),
            door_colours=jnp.stack([jnp.asarray(colour) for colour in layout.door_colours]),
            lava=jnp.stack(layout.lava) if layout.lava else jnp.zeros((0, 2), jnp.int32),
            n_key_classes=len(self.vocabulary.key_classes),
            height=self.height,
            word=self.word,
        )

    def step(self, state: GridState, action: Array) -> tuple[GridState, Outcome]:
        """One action under MiniGrid's rules; see `dynamics.step`."""
        return dynamics.step(state, action, self.max_steps)

    def update_seen(self, state: GridState) -> GridState:
        """Grow the seen-map and refresh the teacher's memory; see `visibility.update_seen`."""
        return visibility.update_seen(state, self.key_classes, self.view_size, self.width)

    def observe(self, state: GridState) -> Array:
        """The documented observation, u8[H, W, 4]; see `observation.observe`."""
        return observation.observe(state, self.width)

    def features(self, kind: str) -> Egocentric | RawMap:
        """The seen-map in the agent's frame ("compact"), or as it is ("map")."""
        view = View(self.height, self.width, self.key_class_colours)
        return RawMap(view) if kind == "map" else Egocentric(view)

    # ---- what a teacher needs ----------------------------------------------------------------

    @property
    def option_groups(self) -> tuple[tuple[int, ...], ...]:  # type: ignore[override]
        """Exploring, and going to things."""
        return acting.option_groups(self.vocabulary)

    def recall(self, state: GridState) -> Array:
        """Where a key of each class was last seen lying, i32[C, 2]."""
        return state.memory

    def perceive(self, obs: Array, memory: Array) -> tuple[Array, acting.Scene]:
        """See `acting.look_around`."""
        return acting.look_around(obs, memory, self.vocabulary, self.key_class_colours)

    def act(self, view: acting.Scene, group: int, option: Array) -> tuple[Array, Array]:
        """See `acting.act`."""
        return acting.act(self.vocabulary, view, group, option)

    def fixed_action(self, state: int, option: Option) -> int | None:
        """See `acting.fixed_action`."""
        return acting.fixed_action(self.vocabulary, state, option)

    def subject(self, view: acting.Scene, option: Array) -> Array:
        """See `acting.subject`."""
        return acting.subject(self.vocabulary, view, option)

    def asked(self, obs: Any, memory: Any) -> Question:
        """The question that one observation u8[H, W, 4] poses, in its own names; on the host."""
        _, scene = perceive_one(self, obs, memory)
        situation = situation_table(self.vocabulary).situations[int(scene.situation.code[0])]
        assert situation is not None, "no episode can show this observation"
        return self.vocabulary.question(situation)

    # ---- replays and pictures ----------------------------------------------------------------

    def from_grid(self, grid: np.ndarray, position: tuple[int, int], direction: int) -> GridState:
        """An episode's first state from a given layout, for replays and differential tests.

        Args:
            grid: u8[H, W, 3] (row, column): MiniGrid's object, colour and state.
            position: the agent's (row, column).
            direction: the agent's direction.

        Returns:
            The state, with the first view already seen.

        Raises:
            UserError: if the grid is not a layout of this task.
        """
        return self.update_seen(self.state_of(layout_from_grid(self, np.asarray(grid), position, direction)))

    def grid_of(self, state: GridState) -> tuple[Array, Array]:
        """The true grid u8[H, W, 3] and the seen-map bool[H, W] of a state."""
        return observation.true_grid(state, self.width), visibility.cells_of(state.seen, self.width)

    def draw(self, state: GridState) -> Drawing:
        """The room, and what the agent has seen of it; see `drawing.draw`."""
        from jaxteach.worlds.minigrid.paper.drawing import draw

        return draw(self, state)
