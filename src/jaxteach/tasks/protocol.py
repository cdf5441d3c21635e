"""What the house may know of a world: `Task` for training, `Teachable` for whoever teaches or shows it."""

import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.tasks.language import Language, Option, Question

State = Any
"""A pytree of arrays: one environment, without a batch axis."""
Obs = Any
"""A pytree of arrays: what an environment shows."""
Memory = Any
"""A pytree of arrays: what the teacher remembers besides the observation; `()` for nothing."""
View = Any
"""A pytree of arrays: what `act` needs of a batch of observations."""


class Outcome(struct.PyTreeNode):
    """What one environment step gave.

    Attributes:
        reward: f32[].
        terminated: bool[], the episode is over: nothing follows.
        truncated: bool[], the episode is cut off: the value of its last state stands for the rest.
        success: bool[], the task was solved at this step; the task's own word, whatever the reward.
    """

    reward: Array
    terminated: Array
    truncated: Array
    success: Array

    @property
    def done(self) -> Array:
        """bool[], the episode ends at this step for either reason."""
        return self.terminated | self.truncated


class Features(Protocol):
    """How a student reads observations: the same code for JAX arrays and for NumPy's. Static and hashable."""

    @property
    def size(self) -> int:
        """F, numbers a student reads of one observation."""

    @property
    def shape(self) -> tuple[int, ...]:
        """What the F numbers are before they are flattened, such as (H, W, C); (F,) for a vector."""

    @property
    def observed(self) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
        """The shape of one observation, such as (H, W, 4); of several arrays, each one's by name."""

    def read(self, obs: Any, xp: Any) -> Any:
        """Observations [N, ...] to features [N, F], in the smallest type that holds them.

        Args:
            obs: a batch of observations.
            xp: jax.numpy or numpy.
        """

    def described(self) -> dict[str, Any]:
        """What config.json says of them, as JSON values, so that `load_policy` finds them again."""


class Task(Protocol):
    """All that training may know of a world. Static, hashable; methods are for one environment, under vmap.

    Attributes:
        name: what users write after `--task`.
        action_names: the actions, in order; their number is the number of actions.
        max_steps: environment steps an episode may last.
        n_draws: random words one reset needs.
        pool_size: how many starts are drawn once an update for its episodes to begin from, each from a random
            one: for worlds whose reset is too dear for every environment step. 0: a fresh one each.
    """

    @property
    def name(self) -> str: ...

    @property
    def action_names(self) -> tuple[str, ...]: ...

    @property
    def max_steps(self) -> int: ...

    @property
    def n_draws(self) -> int: ...

    @property
    def pool_size(self) -> int: ...

    def __hash__(self) -> int: ...

    def reset(self, words: Array) -> State:
        """The start of an episode.

        Args:
            words: u32[n_draws], random bits. A world that draws while it runs keeps a key made of them.

        Returns:
            A state that `update_seen` completes.
        """

    def renew(self, words: Array, state: State, done: Array) -> State:
        """The start of an episode where the last has ended, the given state where it goes on.

        Apart from `reset`, so that a world may run a dear one only for environments that ended.

        Args:
            words: u32[n_draws], as for `reset`.
            state: from `step`; of no meaning where `done`, zeros before an evaluation's first episodes.
            done: bool[].

        Returns:
            A state that `update_seen` completes.
        """

    def step(self, state: State, action: Array) -> tuple[State, Outcome]:
        """One action.

        Args:
            state: a completed state.
            action: i32[].

        Returns:
            A state that `update_seen` completes, and what the step gave.
        """

    def update_seen(self, state: State) -> State:
        """Complete a state from `reset` or `step` with what is computed from it.

        Apart from both, so that it runs once for each step, after the choice between the two.
        """

    def observe(self, state: State) -> Obs:
        """What a completed state shows."""

    def features(self, kind: str) -> Features:
        """How students read the observations.

        Args:
            kind: "compact", the shortest vector that tells all, or "map", [H, W, C] for convolutions.

        Raises:
            UserError: the task has no such features.
        """


class Teachable(Task, Protocol):
    """All that teacher, precompute, evaluation and rendering may know of a world besides.

    Attributes:
        facts: the world in a few sentences, for an LLM.
        language: states, options and words.
        no_op: the action of a teacher who waits.
        option_groups: the options that `act` decides, by place in `language.options`; those that share a
            computation form a group. Options in no group have a `fixed_action` in every state.
    """

    @property
    def facts(self) -> str: ...

    @property
    def language(self) -> Language: ...

    @property
    def no_op(self) -> int: ...

    @property
    def option_groups(self) -> tuple[tuple[int, ...], ...]: ...

    def recall(self, state: State) -> Memory:
        """What the teacher remembers in a completed state, besides the observation."""

    def perceive(self, obs: Obs, memory: Memory) -> tuple[Array, View]:
        """Abstract states of a batch of observations.

        Args:
            obs: [N, ...].
            memory: [N, ...].

        Returns:
            i32[N], rows of the teacher's table, -1 for a state that is not listed; and what `act` needs.
        """

    def act(self, view: View, group: int, option: Array) -> tuple[Array, Array]:
        """What options of one group do now.

        Args:
            view: of N observations.
            group: place in `option_groups` (static).
            option: i32[K, N], places in `language.options`; whatever the result where it is not of the group.

        Returns:
            Actions i32[K, N], and whether each option has ended, bool[K, N]: another is then
            asked instead, and its action does not count.
        """

    def fixed_action(self, state: int, option: Option) -> int | None:
        """The action of an option that is the same whatever the view, for compiling a table.

        Args:
            state: row of the table.
            option: what the grammar allows; an option that the state rules out is a `no_op`.

        Returns:
            The action; None for options that `act` decides.
        """

    def subject(self, view: View, option: Array) -> Array:
        """What a running option is about, as a number that stays the same when objects change their names.

        Args:
            view: of N observations.
            option: i32[N].

        Returns:
            i32[N], from 0 on; an option whose subject changes while it runs has ended.
        """

    def asked(self, obs: Obs, memory: Memory) -> Question | None:
        """The question that one observation poses, in the names the objects have there; on the host.

        None where the state is not listed.
        """


@functools.partial(jax.jit, static_argnums=0)
def perceive_one(task: Teachable, obs: Obs, memory: Memory) -> tuple[Array, View]:
    """The abstract state i32[1] and the view of one observation: `Teachable.perceive` for the host."""
    return task.perceive(*jax.tree.map(lambda x: jnp.asarray(x)[None], (obs, memory)))


class Defaults:
    """What most worlds answer alike; a world may inherit it, none has to."""

    pool_size: int = 0
    option_groups: tuple[tuple[int, ...], ...] = ()

    def renew(self: Task, words: Array, state: State, done: Array) -> State:
        """A reset that is cheap runs for every environment, and a choice follows."""
        return jax.tree.map(lambda new, old: jnp.where(done, new, old), self.reset(words), state)

    def update_seen(self, state: State) -> State:
        """Nothing is computed from a state."""
        return state

    def recall(self, state: State) -> Memory:
        """The observation tells all."""
        return ()

    def act(self, view: View, group: int, option: Array) -> tuple[Array, Array]:
        """Every option has a fixed action: there is no group."""
        raise NotImplementedError("no option of this task depends on the view")

    def subject(self, view: View, option: Array) -> Array:
        """No object changes its name."""
        return jnp.zeros(option.shape, jnp.int32)

    def asked(self: Teachable, obs: Obs, memory: Memory) -> Question | None:
        """The state's own question."""
        state, _ = perceive_one(self, obs, memory)
        row = int(state[0])
        return self.language.questions[row] if row >= 0 else None
