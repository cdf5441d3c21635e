"""MiniGrid's levels as tasks: `--task MiniGrid-DoorKey-8x8-v0`."""

import dataclasses
import functools
from typing import Any, ClassVar, Literal, get_args

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

from jaxteach.tasks.drawing import Drawing
from jaxteach.tasks.language import WAIT, Language, Option, plain_language
from jaxteach.tasks.protocol import Defaults, Outcome
from jaxteach.utils.errors import UserError, nearest
from jaxteach.utils.machine import memory_left
from jaxteach.worlds.minigrid import engine
from jaxteach.worlds.minigrid import state as engine_state
from jaxteach.worlds.minigrid.batch import merged
from jaxteach.worlds.minigrid.drawing import draw_level
from jaxteach.worlds.minigrid.draws import GOLDEN, mix
from jaxteach.worlds.minigrid.features import AgentView, Legend, LevelFeatures, RawCells, SeenMap
from jaxteach.worlds.minigrid.kinds import ACTIONS, DONE, LEFT
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.levels import level_of
from jaxteach.worlds.minigrid.taught.families import Family, family_of
from jaxteach.worlds.minigrid.taught.perceive import Options, carry_out, rows_of
from jaxteach.worlds.minigrid.view import image_of, map_of

Observed = Literal["seen", "view"]
Obs = dict[str, Array]

MOST_STEPS = 2**16 - 1
"""Environment steps an episode may last: the engine's clock is u16."""
# Without it the first ball would be drawn from the bits that the level was drawn from.
_BALLS = 0x6A09E667


class LevelState(struct.PyTreeNode):
    """One environment.

    Attributes:
        env: the engine's state, without a batch axis.
        key: u32[2], what the episode was drawn from, balls move by; None where none moves.
    """

    env: engine_state.State
    key: Array | None


@dataclasses.dataclass(frozen=True)
class LevelTask(Defaults):
    """A level of MiniGrid, exact to the step.

    All methods are of one environment; mapped over many they run on the whole batch at once, see `merged`.

    Attributes:
        name: Farama's id.
        level: the level.
        observation: what the agent is shown: "seen", everything seen so far as it is now, or "view", Farama's
            own observation.
        pool_size: see `Task`; 0: every episode has a layout of its own.
    """

    name: str
    level: Level
    observation: Observed = "seen"
    pool_size: int = 0

    n_draws: ClassVar[int] = 2
    endings: ClassVar[dict[str, str]] = {
        "success": "mission accomplished",
        "failure": "mission failed",
        "time": "time is up",
    }

    @property
    def action_names(self) -> tuple[str, ...]:
        """MiniGrid's names, as many as differ in effect here."""
        return ACTIONS[: self.level.n_actions]

    @property
    def max_steps(self) -> int:
        """Environment steps an episode may last."""
        return self.level.max_steps

    @property
    def remembers(self) -> bool:
        """Whether states carry a seen-map."""
        return self.observation == "seen"

    # ---- Task ----------------------------------------------------------------------------

    def reset(self, words: Array) -> LevelState:
        """See `Task.reset`."""

        def batch(words: Array) -> LevelState:
            return LevelState(engine.fresh(self.level, words, self.remembers), self._key(words))

        state: LevelState = merged(batch)(words)
        return state

    def renew(self, words: Array, state: LevelState, done: Array) -> LevelState:
        """See `Task.renew`: levels are generated only where an episode has ended."""

        def batch(words: Array, state: LevelState, done: Array) -> LevelState:
            key = None if state.key is None else jnp.where(done[:, None], words, state.key)
            return LevelState(engine.renew(self.level, state.env, done, words), key)

        renewed: LevelState = merged(batch)(words, state, done)
        return renewed

    def step(self, state: LevelState, action: Array) -> tuple[LevelState, Outcome]:
        """See `Task.step`."""

        def batch(state: LevelState, action: Array) -> tuple[LevelState, Outcome]:
            words = None if state.key is None else _words_now(state.key, state.env.clock)
            env, outcome = engine.advance(self.level, state.env, action, words)
            return LevelState(env, state.key), outcome

        result: tuple[LevelState, Outcome] = merged(batch)(state, action)
        return result

    def update_seen(self, state: LevelState) -> LevelState:
        """Add what is visible to the seen-map, if there is one."""
        if not self.remembers:
            return state

        def batch(state: LevelState) -> LevelState:
            view = engine.see(self.level, state.env)
            return LevelState(engine.remembered(self.level, state.env, view), state.key)

        completed: LevelState = merged(batch)(state)
        return completed

    def observe(self, state: LevelState) -> Obs:
        """What the agent is shown.

        Returns:
            Of "seen": cells u8[H, W, 4] (kind, colour, state, 0 where nothing was seen; in the agent's cell
            what it holds, and its direction, elsewhere 4). Of "view": image u8[7, 7, 3] and direction u8[]
            as Farama gives them. Of both: mission u16[], its number.
        """
        level = self.level

        def batch(state: LevelState) -> Obs:
            env = state.env
            if self.remembers:
                shown = {"cells": map_of(env, level.height, level.width)}
            else:
                shown = {"image": image_of(engine.see(level, env)), "direction": env.direction}
            return {**shown, "mission": env.mission}

        obs: Obs = merged(batch)(state)
        return obs

    def features(self, kind: str) -> LevelFeatures:
        """See `Task.features`."""
        if kind == "map":
            return RawCells(self.legend, self.observation)
        return SeenMap(self.legend) if self.remembers else AgentView(self.legend)

    @property
    def legend(self) -> Legend:
        """What the level can show."""
        level, palette = self.level, self.level.palette
        return Legend(level.height, level.width, palette.kinds, palette.colours, level.missions)

    @property
    def shows(self) -> str:
        """What a student reads, in words; equal for levels that a student can move between."""
        legend = self.legend
        size = f"{legend.height}x{legend.width} maps" if self.remembers else "views"
        missions = (
            f", {legend.n_missions} missions such as '{legend.missions[0]}'" if legend.n_missions else ""
        )
        return (
            f"{size} with {', '.join([*legend.kinds, *legend.colours])}{missions}, "
            f"and has {self.level.n_actions} actions"
        )

    # ---- Teachable -----------------------------------------------------------------------

    @property
    def family(self) -> Family | None:
        """Whose words a teacher uses; None where the level is not taught: teachers read seen-maps."""
        return family_of(self.name) if self.remembers else None

    @property
    def missions(self) -> tuple[str, ...]:
        """The level's, in words."""
        return self.level.missions

    @property
    def facts(self) -> str:
        """The world in a few sentences."""
        if self.family is not None:
            return self.family.facts
        return f"The level {self.name} of MiniGrid. Missions: {'; '.join(self.level.missions[:3])}."

    @property
    def no_op(self) -> int:
        """The action `done`; turning where it does not exist."""
        return DONE if self.level.n_actions > DONE else LEFT

    @functools.cached_property
    def language(self) -> Language:
        """The family's; of a level that is not taught, actions as options and no states."""
        if self.family is not None:
            return self.family.language
        return plain_language((), tuple(Option(action) for action in self.action_names))

    @property
    def option_groups(self) -> tuple[tuple[int, ...], ...]:  # type: ignore[override]
        """The family's options together: one search serves them all."""
        return () if self.family is None else (tuple(range(len(self.family.options))),)

    def perceive(self, obs: Obs, memory: Any) -> tuple[Array, Options | None]:
        """See `Teachable.perceive`; no state is listed of a level that is not taught."""
        if self.family is None:
            return jnp.full(obs["mission"].shape, -1, jnp.int32), None
        return rows_of(self.family, self.level.missions, obs)

    def act(self, view: Options, group: int, option: Array) -> tuple[Array, Array]:
        """See `Teachable.act`."""
        return carry_out(view, option, self.no_op)

    def fixed_action(self, state: int, option: Option) -> int | None:
        """Waiting; of a level that is not taught, the action of that name.

        What the grammar allows and the level has not, such as going to an open door, waits as well: LLMs say
        such things, and the paper's tasks treat them so.
        """
        if option.kind == WAIT or (self.family is not None and option not in self.language.options):
            return self.no_op
        return None if self.family is not None else self.action_names.index(option.kind)

    # ---- Drawable ------------------------------------------------------------------------

    def draw(self, state: LevelState) -> Drawing:
        """See `Drawable.draw`."""
        return draw_level(self.level, state.env)

    def _key(self, words: Array) -> Array | None:
        """The words, where balls move by them."""
        return words if self.level.n_balls else None


def _words_now(key: Array, clock: Array) -> Array:
    """Random words of this step.

    Args:
        key: u32[N, 2], of the episode.
        clock: u16[N], environment steps taken in it.

    Returns:
        u32[N, 2].
    """
    number = (2 * clock.astype(jnp.uint32))[:, None] + jnp.arange(1, 3, dtype=jnp.uint32)[None]
    first = key[:, :1] ^ jnp.uint32(_BALLS)
    return mix(mix(first + number * jnp.uint32(GOLDEN)) ^ key[:, 1:])


@dataclasses.dataclass(frozen=True)
class LevelMaker:
    """What builds the task of one id; see `tasks.registry.Maker`."""

    name: str
    env_steps: int

    variants: ClassVar[dict[str, dict[str, Any]]] = {"view": {"observation": "view"}}

    def make(self, **parameters: Any) -> LevelTask:
        """The task.

        Args:
            **parameters: of `--variant`: observation, max_steps and pool.

        Raises:
            UserError: a parameter that levels do not have, or one out of bounds.
        """
        for unknown in sorted(set(parameters) - {"max_steps", "observation", "pool"}):
            flag = unknown.replace("_", "-")
            raise UserError(f"task {self.name} has no --variant.{flag}: only max-steps, observation and pool")
        level = level_of(self.name)
        steps = parameters.get("max_steps", level.max_steps)
        observation, pool = parameters.get("observation", "seen"), parameters.get("pool", 0)
        if not 1 <= steps <= MOST_STEPS:
            raise UserError(f"impossible variant of {self.name}: {steps} steps, from 1 to {MOST_STEPS}")
        if observation not in get_args(Observed):
            known = nearest(str(observation), get_args(Observed))
            raise UserError(f"unknown observation '{observation}' of {self.name}: {known}")
        task = LevelTask(self.name, dataclasses.replace(level, max_steps=steps), observation, pool)
        if pool:
            check_pool(task)
        return task


def check_pool(task: LevelTask) -> None:
    """Refuse a pool of layouts that memory has no room for.

    Raises:
        UserError: saying how many there may be.
    """
    state = jax.eval_shape(task.reset, jax.ShapeDtypeStruct((task.n_draws,), jnp.uint32))
    size, room = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)), memory_left()
    if task.pool_size < 0 or (room is not None and task.pool_size * size > room):
        most = "" if room is None else f" to {room // size} (what memory has room for)"
        raise UserError(f"--variant.pool {task.pool_size}: {task.name} takes from 0{most}")


def env_steps_for(level: Level) -> int:
    """Environment steps a seed trains for by default: 2048 episodes of the longest, within bounds.

    >>> [env_steps_for(level_of(f"MiniGrid-{name}-v0")) for name in ("Empty-5x5", "DoorKey-8x8")]
    [204800, 1310720]
    """
    return min(max(2048 * level.max_steps, 98_304), 4_194_304)


def task_maker(name: str) -> LevelMaker:
    """What builds the task of one of Farama's ids, for the registry.

    Raises:
        UserError: the id is unknown, or of a family that is not here.
    """
    return LevelMaker(name, env_steps_for(level_of(name)))
