"""The base of every door/key task: a navix Environment with MiniGrid's rules."""

import dataclasses
import functools
from typing import Any, NoReturn, Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from navix.environments.environment import Environment, StepType, Timestep
from navix.rendering.cache import RenderingCache
from navix.spaces import Continuous, Discrete

from jaxteach.utils.errors import UserError, nearest
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.abstract_states import AbstractState
from jaxteach.worlds.minigrid.paper.abstraction import Abstraction, perceive, situation_table
from jaxteach.worlds.minigrid.paper.dynamics import Outcome, transition
from jaxteach.worlds.minigrid.paper.facts.base import NUMBERS, Facts
from jaxteach.worlds.minigrid.paper.layout import Draws, Layout
from jaxteach.worlds.minigrid.paper.layout_from_grid import read_grid
from jaxteach.worlds.minigrid.paper.state import GridState, make_state, with_rendering
from jaxteach.worlds.minigrid.paper.visibility import cells_of, look, observe, packed_grid, unpack

FIXED = ("reward_fn", "termination_fn", "transitions_fn", "action_set", "penalty_coeff")
"""Fields of a navix environment that stand for its rules: those of a task are MiniGrid's, and fixed."""
SPACES = ("observation_space", "action_space", "reward_space")
"""Fields that hold arrays."""


class Task(Facts, Environment):
    """A room with keys and locked doors, of which the agent sees a small window at a time.

    A task is one subclass: its name, its facts (for an LLM), its words, its layout, and how many
    environment steps its students are trained by default. Everything else is shared. Training uses
    `spawn`, `transition` and `perceive_view` directly; `reset` and `step` are navix's own interface
    to the same functions.

    Attributes:
        room_min: smallest side of a room, in cells, walls included.
        room_max: largest side of a room.
        n_keys: how many keys lie in the room.
        n_lava: how many lava cells.
        view_size: V, side of the square the agent sees ahead of it; odd.
        rendering: keep navix's wall map and tile cache in the state (12 kB and more an
            environment: for navix's own tools, not for training).
        n_draws: how many random words one reset needs.
    """

    room_min: int = struct.field(pytree_node=False, default=NUMBERS["room_min"])
    room_max: int = struct.field(pytree_node=False, default=NUMBERS["room_max"])
    n_keys: int = struct.field(pytree_node=False, default=NUMBERS["n_keys"])
    n_lava: int = struct.field(pytree_node=False, default=NUMBERS["n_lava"])
    view_size: int = struct.field(pytree_node=False, default=NUMBERS["view_size"])
    rendering: bool = struct.field(pytree_node=False, default=False)
    n_draws: int = struct.field(pytree_node=False, default=1)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Without eq=False each subclass would get field-wise equality, which fails on the spaces' arrays.
        super().__init_subclass__(eq=False, **kwargs)

    def __post_init__(self) -> None:
        # Here, for `replace` as well. A task never calls these functions: others would be passed over, and an
        # agent would learn what its user did not ask for.
        for field in dataclasses.fields(self):
            if field.name in FIXED and getattr(self, field.name) is not field.default:
                self.refuse(field.name)

    def _identity(self) -> tuple[Any, ...]:
        # Two functions are told apart by their addresses; the spaces follow from the rest.
        values = [getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in SPACES]
        return (type(self), *(str(value) if callable(value) else value for value in values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    # ---- what a task defines, beside its facts ---------------------------------------------

    def layout(self, draws: Draws) -> Layout:
        """Draw where everything lies when an episode starts."""
        raise NotImplementedError

    @classmethod
    def refuse(cls, parameter: str) -> NoReturn:
        """Raise a UserError for a parameter that cannot be changed."""
        raise UserError(
            f"{parameter} of {cls.name} cannot be changed, its rules are MiniGrid's: change rewards, endings "
            "or moves in an environment of your own around it"
        )

    # ---- construction --------------------------------------------------------------------

    @classmethod
    def make(cls, **parameters: Any) -> Self:
        """Build the task with its defaults and these changes.

        Args:
            **parameters: any of the fields above, `height`, `width`, `max_steps`, and of navix's own
                `observation_fn` with its `observation_space`, `gamma` and `disable_autoreset`.

        Returns:
            The task.

        Raises:
            UserError: for an impossible combination, or a parameter that is unknown or cannot be changed.
        """
        fixed = {*FIXED, "action_space", "reward_space"}
        known = {field.name for field in dataclasses.fields(cls)} - fixed
        for name in parameters:
            if name in fixed:
                cls.refuse(name)
            if name not in known:
                raise UserError(f"unknown parameter '{name}' of {cls.name}: {nearest(name, known)}")
        settings = {**cls.defaults, **parameters}
        height, width = settings["height"], settings["width"]
        observation_fn, space = settings.pop("observation_fn", None), settings.pop("observation_space", None)
        own = observation_fn is None
        if own and space is not None:
            raise UserError(f"observation_space of {cls.name} goes with an observation_fn: give both")
        task = cls.create(
            observation_fn=functools.partial(observe, width=width) if own else observation_fn,
            observation_space=Discrete.create(256, (height, width, 4), jnp.uint8) if own else space,
            action_space=Discrete.create(c.N_ACTIONS),
            reward_space=Continuous.create((), jnp.asarray(0.0), jnp.asarray(1.0)),
            **settings,
        )
        task.check()
        return task

    @property
    def word(self) -> np.dtype:
        """The unsigned type of one row of a bitboard."""
        return np.dtype(np.uint16 if self.width <= 16 else np.uint32)

    @property
    def abstract_states(self) -> tuple[AbstractState, ...]:
        """Every abstract state, in the order of the teacher's table."""
        return self.vocabulary.states

    # ---- the state machine, for one environment; vmap adds axes -----------------------------

    def spawn(self, words: Array) -> GridState:
        """The start of an episode, not yet looked at.

        Args:
            words: u32[n_draws], random bits.

        Returns:
            A state with an empty seen-map; `perceive_view` completes it.
        """
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

    def transition(self, state: GridState, action: Array) -> tuple[GridState, Outcome]:
        """One action under MiniGrid's rules; see `dynamics.transition`."""
        return transition(state, action, self.max_steps)

    def perceive_view(self, state: GridState) -> GridState:
        """Grow the seen-map and refresh the teacher's memory; see `view.look`."""
        return look(state, self.key_classes, self.view_size, self.width)

    def observe(self, state: GridState) -> Array:
        """The documented observation, u8[H, W, 4]; see `view.observe`."""
        return observe(state, self.width)

    def perceive(self, obs: Array) -> Abstraction:
        """What observations u8[N, H, W, 4] tell the teacher; see `percept.perceive`."""
        return perceive(obs, self.vocabulary, self.key_class_colours)

    def index(self, obs: Array) -> Array:
        """The abstract state of an observation.

        Args:
            obs: u8[H, W, 4].

        Returns:
            i32[], a row of the teacher's table (-1 for an observation no episode can show).
        """
        return jnp.asarray(situation_table(self.vocabulary).state_index)[self.perceive(obs[None]).code[0]]

    def text(self, index: int) -> str:
        """The caption of an abstract state, in canonical names."""
        return self.abstract_states[index].text

    # ---- navix's interface -----------------------------------------------------------------

    def _reset(self, key: Array, cache: RenderingCache | None = None) -> Timestep:
        # An old cache is of another room: walls would be drawn where they were last episode.
        del cache
        state = self.perceive_view(self.spawn(jax.random.bits(key, (self.n_draws,))))
        return self._timestep(state.replace(key=key))

    def _timestep(self, state: GridState) -> Timestep:
        if self.rendering:
            state = with_rendering(state, self.height, self.width)
        false = jnp.zeros((), bool)
        return Timestep(
            t=jnp.zeros((), jnp.int32),
            observation=self.observation_fn(state),
            action=jnp.zeros((), jnp.int32),
            reward=jnp.zeros((), jnp.float32),
            step_type=jnp.zeros((), jnp.int32),
            state=state,
            info={"return": jnp.zeros(()), "terminated": false, "truncated": false, "success": false},
        )

    def _step(self, timestep: Timestep, action: Array) -> Timestep:
        action = jnp.asarray(action, jnp.int32)
        state, outcome = self.transition(timestep.state, action)
        state = self.perceive_view(state)
        # step_type holds one flag; the pair is in `info`.
        ended = jnp.where(outcome.truncated, StepType.TRUNCATION, StepType.TRANSITION)
        return Timestep(
            t=timestep.t + 1,
            observation=self.observation_fn(state),
            action=action,
            reward=outcome.reward,
            step_type=jnp.where(outcome.terminated, StepType.TERMINATION, ended),
            state=state,
            info={
                "return": timestep.info["return"] + outcome.reward,
                "terminated": outcome.terminated,
                "truncated": outcome.truncated,
                "success": outcome.success,
            },
        )

    def from_grid(self, grid: np.ndarray, position: tuple[int, int], direction: int) -> Timestep:
        """An episode's first timestep from a given layout, for replays and differential tests.

        Args:
            grid: u8[H, W, 3] (row, column): MiniGrid's object, colour and state.
            position: the agent's (row, column).
            direction: the agent's direction.

        Returns:
            The timestep, with the first view already seen.

        Raises:
            UserError: if the grid is not a layout of this task.
        """
        layout = read_grid(self, np.asarray(grid), position, direction)
        # navix wants a key in the state; the rules draw nothing from it.
        key = jax.random.key(0, impl="threefry2x32")
        return self._timestep(self.perceive_view(self.state_of(layout)).replace(key=key))

    def grid_of(self, state: GridState) -> tuple[Array, Array]:
        """The true grid u8[H, W, 3] and the seen-map bool[H, W] of a state."""
        grid = unpack(packed_grid(state, self.height, self.width))[..., :3]
        return grid, cells_of(state.seen, self.width)
