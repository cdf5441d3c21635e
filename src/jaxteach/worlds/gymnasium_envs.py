"""Tasks as Gymnasium environments, one or many at a time, jitted underneath; needs the `minigrid` extra."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jax import Array

from jaxteach.tasks import make_task, task_names
from jaxteach.tasks.drawing import Drawable
from jaxteach.tasks.protocol import Obs, Outcome, State, Task
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.levels import LEVELS

METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 5}
MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
Arrays = npt.NDArray[Any] | dict[str, npt.NDArray[Any]]
Infos = dict[str, Any]


class TaskEnv(gymnasium.Env[Arrays, Any]):
    """A task as an environment.

    Episodes follow from Gymnasium's seeds: each draws its words, `task.n_draws` of 32 bits, from
    `np_random`. `info["success"]` is the task's own word; rewards, endings and all else are the task's.

    Args:
        task: its name, or `name:variant`.
        flat: observations are one float32 vector, what students read, instead of the arrays that the task
            shows and that a policy of `load_policy` takes.
        render_mode: None or "rgb_array": `render` gives a picture of the room.
        **parameters: changes to the task's numbers, such as `room_min=8`.

    Raises:
        UserError: for an unknown task, or impossible parameters; or there is no such render mode.
    """

    metadata: dict[str, Any] = METADATA

    def __init__(
        self, task: str, flat: bool = False, render_mode: str | None = None, **parameters: Any
    ) -> None:
        self.task, self._reader = _made(task, flat, parameters)
        self.render_mode = _checked(self.task, render_mode)
        self.observation_space = _space(self.task, self._reader)
        self.action_space = Discrete(len(self.task.action_names))
        self._state: State = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Arrays, Infos]:
        """A new episode; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        words = _words(self.task, [self.np_random])
        self._state, obs = _begin(self.task, self._reader, words)
        return _row(_host(obs), 0), {"success": False}

    def step(self, action: Any) -> tuple[Arrays, float, bool, bool, Infos]:
        """One action; see `gymnasium.Env.step`."""
        if not self.action_space.contains(action):
            raise ValueError(f"action {action!r} must be from 0 to {len(self.task.action_names) - 1}")
        self._state, obs, outcome = _move(self.task, self._reader, self._state, np.array([action], np.int32))
        told = _host(outcome)
        ends = bool(told.terminated[0]), bool(told.truncated[0])
        return _row(_host(obs), 0), float(told.reward[0]), *ends, {"success": bool(told.success[0])}

    def render(self) -> Any:
        """The room as it is, u8[rows, columns, 3]; None without a render mode."""
        return _picture(self.task, self._state, 0) if self.render_mode else None


class TaskVectorEnv(VectorEnv[Arrays, Any, npt.NDArray[Any]]):
    """Many of a task's environments, stepped in one call; each is as `TaskEnv` would be by itself.

    Args:
        task: its name, or `name:variant`.
        num_envs: how many.
        flat: as for `TaskEnv`.
        autoreset_mode: NEXT_STEP: the step after an episode's last one begins the next episode, whatever the
            action; SAME_STEP: the last one does, and `infos["final_obs"]` has what the episode ended with.
        render_mode: as for `TaskEnv`; `render` gives a picture of each.
        **parameters: as for `TaskEnv`.

    Raises:
        UserError: as of `TaskEnv`; or there is no such mode here.
    """

    def __init__(
        self,
        task: str,
        num_envs: int = 1,
        flat: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **parameters: Any,
    ) -> None:
        self.task, self._reader = _made(task, flat, parameters)
        self.num_envs, self.render_mode = num_envs, _checked(self.task, render_mode)
        if num_envs < 1:
            raise UserError(f"num_envs {num_envs}: must be at least 1")
        self._mode = next((mode for mode in MODES if autoreset_mode in (mode, mode.value, mode.name)), None)
        if self._mode is None:
            raise UserError(f"autoreset_mode {autoreset_mode}: must be NextStep or SameStep")
        self.metadata = {**METADATA, "autoreset_mode": self._mode}
        self.single_observation_space = _space(self.task, self._reader)
        self.single_action_space = Discrete(len(self.task.action_names))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._chances = [seeding.np_random()[0] for _ in range(num_envs)]
        self._state: State = None
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Arrays, Infos]:
        """New episodes everywhere; see `gymnasium.vector.VectorEnv.reset`.

        Args:
            seed: one for each environment; or one number, counted up from environment to environment; None
                goes on with the random numbers that are there.
            options: not read.
        """
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        if seeds is not None and len(seeds) != self.num_envs:
            raise ValueError(
                f"there must be {self.num_envs} seeds, one for each environment, not {len(seeds)}"
            )
        for i, own in enumerate(seeds or ()):
            if own is not None:
                self._chances[i] = seeding.np_random(own)[0]
        self._ended[:] = False
        self._state, obs = _begin(self.task, self._reader, _words(self.task, self._chances))
        return _host(obs), self._told(np.zeros(self.num_envs, bool))

    def step(
        self, actions: Any
    ) -> tuple[Arrays, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], Infos]:
        """One action each; see `gymnasium.vector.VectorEnv.step`."""
        taken = np.asarray(actions)
        if not self.action_space.contains(taken):
            last = len(self.task.action_names) - 1
            raise ValueError(f"actions must be {self.num_envs}, each from 0 to {last}")
        state, seen, outcome = _move(self.task, self._reader, self._state, taken.astype(np.int32))
        told, obs = _host(outcome), _host(seen)
        same = self._mode is AutoresetMode.SAME_STEP
        done = told.terminated | told.truncated
        fresh = done if same else self._ended
        if fresh.any():
            chances = [self._chances[i] if fresh[i] else None for i in range(self.num_envs)]
            state, seen = _renew(self.task, self._reader, state, _words(self.task, chances), fresh)
        self._state = state
        shown = _host(seen) if fresh.any() else obs
        if same:
            infos = self._told(told.success & ~done) | self._finals(obs, done, told.success)
            return shown, told.reward.astype(float), told.terminated, told.truncated, infos
        going = ~self._ended
        self._ended = done & going
        rewards = np.where(going, told.reward, 0.0).astype(float)
        ends = told.terminated & going, told.truncated & going
        return shown, rewards, *ends, self._told(told.success & going)

    def render(self) -> Any:
        """The rooms as they are, u8[rows, columns, 3] each; None without a render mode."""
        if not self.render_mode:
            return None
        return tuple(_picture(self.task, self._state, i) for i in range(self.num_envs))

    def _told(self, success: npt.NDArray[np.bool_]) -> Infos:
        return {"success": success, "_success": np.ones(self.num_envs, bool)}

    def _finals(self, obs: Arrays, done: npt.NDArray[np.bool_], success: npt.NDArray[np.bool_]) -> Infos:
        """What episodes ended with, as Gymnasium's own vector environments tell it."""
        infos: Infos = {}
        for i in map(int, np.flatnonzero(done)):
            own = {"final_obs": _row(obs, i), "final_info": {"success": bool(success[i])}}
            infos = self._add_info(infos, own, i)
        return infos


def register() -> None:
    """Tell Gymnasium of every task and level: `jaxteach/lava_door_key`, `jaxteach/MiniGrid-Unlock-v0`, ..."""
    own = "jaxteach.worlds.gymnasium_envs"
    for name in (*task_names(), *LEVELS):
        if f"jaxteach/{name}" not in gymnasium.registry:
            gymnasium.register(
                f"jaxteach/{name}",
                entry_point=f"{own}:TaskEnv",
                vector_entry_point=f"{own}:TaskVectorEnv",
                kwargs={"task": name},
            )


def _made(name: str, flat: bool, parameters: Mapping[str, Any]) -> tuple[Task, Any]:
    """The task, and how a vector is read of its observations, None for all that it shows."""
    task = make_task(name, **parameters)
    return task, task.features("compact") if flat else None


def _checked(task: Task, render_mode: str | None) -> str | None:
    if render_mode not in (None, *METADATA["render_modes"]):
        raise UserError(f"render_mode {render_mode}: must be rgb_array, or None")
    if render_mode and not isinstance(task, Drawable):
        raise UserError(f"render_mode {render_mode}: {task.name} does not draw its states")
    return render_mode


def _picture(task: Any, state: State, i: int) -> npt.NDArray[np.uint8]:
    """The first of the pictures that a task draws of a state: the room."""
    picture: npt.NDArray[np.uint8] = task.draw(jax.tree.map(lambda x: x[i], state)).panels[0][1]
    return picture


def _space(task: Task, reader: Any) -> Any:
    """The space of one observation."""
    words = jax.ShapeDtypeStruct((1, task.n_draws), jnp.uint32)
    _, obs = jax.eval_shape(functools.partial(_begin, task, None), words)
    if reader is not None:
        return _box(jax.eval_shape(lambda obs: reader.read(obs, jnp), obs), np.float32)
    if isinstance(obs, dict):
        return Dict({name: _box(x, x.dtype.type) for name, x in obs.items()})
    return _box(obs, obs.dtype.type)


def _box(array: Any, kind: Any) -> Box:
    """All that an array [N, ...] of one type can hold, told in another."""
    low, high = -np.inf, np.inf
    if array.dtype == bool:
        low, high = 0, 1
    elif array.dtype.kind in "iu":
        low, high = np.iinfo(array.dtype).min, np.iinfo(array.dtype).max
    return Box(low, high, array.shape[1:], kind)


def _words(task: Task, chances: Sequence[np.random.Generator | None]) -> npt.NDArray[np.uint32]:
    """Random words for the episodes that begin, u32[N, n_draws]; zeros where none does."""
    words = np.zeros((len(chances), task.n_draws), np.uint32)
    for row, chance in zip(words, chances, strict=True):
        if chance is not None:
            row[:] = chance.integers(2**32, size=task.n_draws, dtype=np.uint32)
    return words


@functools.partial(jax.jit, static_argnums=(0, 1))
def _begin(task: Task, reader: Any, words: Array) -> tuple[State, Obs]:
    return _seen(task, reader, jax.vmap(task.reset)(words))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _move(task: Task, reader: Any, state: State, actions: Array) -> tuple[State, Obs, Outcome]:
    state, outcome = jax.vmap(task.step)(state, actions)
    return *_seen(task, reader, state), outcome


@functools.partial(jax.jit, static_argnums=(0, 1))
def _renew(task: Task, reader: Any, state: State, words: Array, fresh: Array) -> tuple[State, Obs]:
    """New episodes in place of the completed states of some."""
    begun = jax.vmap(task.update_seen)(jax.vmap(task.renew)(words, state, fresh))

    def chosen(new: Array, old: Array) -> Array:
        return jnp.where(fresh.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    state = jax.tree.map(chosen, begun, state)
    return state, _read(reader, jax.vmap(task.observe)(state))


def _seen(task: Task, reader: Any, state: State) -> tuple[State, Obs]:
    """States completed, and what they show."""
    state = jax.vmap(task.update_seen)(state)
    return state, _read(reader, jax.vmap(task.observe)(state))


def _read(reader: Any, obs: Obs) -> Obs:
    return obs if reader is None else reader.read(obs, jnp).astype(jnp.float32)


def _host(tree: Any) -> Any:
    """Arrays of one's own, to be written to as well."""
    return jax.tree.map(np.array, tree)


def _row(obs: Any, i: int) -> Arrays:
    """One observation of a batch."""
    return {name: x[i, ...] for name, x in obs.items()} if isinstance(obs, dict) else obs[i]
