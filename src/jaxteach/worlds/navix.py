"""Any environment of navix as a task: navix's own rules, rewards and layouts, its symbolic observation."""

import difflib
import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import navix
from jax import Array
from navix.environments.environment import StepType

from jaxteach.tasks.language import AbstractState
from jaxteach.tasks.protocol import Features
from jaxteach.utils.errors import UserError, nearest
from jaxteach.worlds.gymnax import Abstract, GymnaxTask
from jaxteach.worlds.vectors import Map, Symbols

ACTION_NAMES = ("left", "right", "forward", "pick up", "drop", "toggle", "done")
"""navix's default actions, which are MiniGrid's."""

TAUGHT = (
    "Navix-DoorKey-8x8-v0",
    "Navix-DoorKey-16x16-v0",
    "Navix-KeyCorridorS3R3-v0",
    "Navix-LockedRoom-v0",
)
"""navix's levels that have a teacher: in all of them a key opens a locked door on the way to a goal."""


def check_navix_name(name: str) -> None:
    """Refuse an environment that navix has not registered.

    Raises:
        UserError: with the nearest name.
    """
    names = navix.registry()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise UserError(f"navix has no environment '{name}': {hint}navix.registry() lists all {len(names)}")


class _AsGymnax:
    """A navix environment behind gymnax's interface; it does not reset by itself."""

    def __init__(self, env: Any) -> None:
        self._env = env.replace(observation_fn=navix.observations.symbolic)

    def reset(self, key: Array) -> tuple[Array, Any]:
        """A fresh episode."""
        timestep = self._env.reset(key)
        # The cache of rendered tiles is 12 kB and more an environment, and only RGB observations read it.
        return timestep.observation, timestep.replace(state=timestep.state.replace(cache=None))

    def step(
        self, key: Array, state: Any, action: Array
    ) -> tuple[Array, Any, Array, Array, dict[str, Array]]:
        """One action; navix draws from a key in its state."""
        del key
        # Not `step`: under vmap its choice between a step and a reset computes both, at every step.
        after = self._env._step(state, action)
        terminated = after.step_type == StepType.TERMINATION
        ended = after.step_type != StepType.TRANSITION
        info = {"truncated": ended & ~terminated, "success": terminated & (after.reward > 0)}
        return after.observation, after, after.reward, ended, info


class NavixTask(GymnaxTask):
    """A navix environment as a task.

    Args:
        name: what users write after `--task`.
        env_id: navix's name for it, such as "Navix-DoorKey-8x8-v0"; by default the same.
        states: abstract states for a teacher, in words; none for a task that is not taught.
        abstract: from one symbolic observation u8[H, W, 3] to its state's place in `states`.
        facts: the world in a few sentences, for an LLM.
        env_steps: how many environment steps a seed trains for by default.
        **overrides: what `navix.make` takes besides, such as `max_steps`.

    Raises:
        UserError: navix has no such environment.
    """

    def __init__(
        self,
        name: str,
        *,
        env_id: str | None = None,
        states: Sequence[str | AbstractState] = (),
        abstract: Abstract | None = None,
        facts: str = "",
        env_steps: int = 983_040,
        **overrides: Any,
    ) -> None:
        env_id = env_id or name
        check_navix_name(env_id)
        env = navix.make(env_id, **overrides)
        n_actions = len(env.action_set)
        super().__init__(
            name,
            _AsGymnax(env),
            n_actions,
            env.max_steps,
            action_names=ACTION_NAMES[:n_actions] if n_actions <= len(ACTION_NAMES) else (),
            states=states,
            abstract=abstract,
            facts=facts,
            no_op=n_actions - 1,
            env_steps=env_steps,
        )
        self._grid = (env.height, env.width)

    def features(self, kind: str) -> Features:
        """Every cell's kind, colour and state, one-hot; or the map as it is."""
        return Map(*self._grid, 3) if kind == "map" else Symbols(*self._grid)


class _Maker:
    """What builds the task of one navix id; see `tasks.registry.Maker`."""

    env_steps: ClassVar[int] = 983_040

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def variants(self) -> dict[str, dict[str, Any]]:
        """Of a level that is taught, the one that shows navix's own observation."""
        return {"symbolic": {"observation": "symbolic"}} if self.name in TAUGHT else {}

    def make(self, max_steps: int | None = None, observation: str | None = None) -> NavixTask:
        """The task.

        Args:
            max_steps: environment steps an episode may last; by default navix's.
            observation: "symbolic", navix's; "seen", the seen-map that teachers read: by default where
                the level is taught.

        Raises:
            UserError: the level has no such observation.
        """
        known = ("seen", "symbolic") if self.name in TAUGHT else ("symbolic",)
        shown = known[0] if observation is None else observation
        if shown not in known:
            raise UserError(f"unknown observation '{shown}' of {self.name}: {nearest(shown, known)}")
        return _make(self.name, shown == "seen", **({} if max_steps is None else {"max_steps": max_steps}))


@functools.cache
def _make(name: str, seen: bool, **parameters: Any) -> NavixTask:
    """One task object an id, so that programs compiled for it are found again."""
    if not seen:
        return NavixTask(name, **parameters)
    from jaxteach.worlds.navix_seen import SeenNavixTask

    return SeenNavixTask(name, **parameters)


def task_maker(name: str) -> _Maker:
    """What builds the task of a navix id, for the registry.

    Raises:
        UserError: navix has no such environment.
    """
    check_navix_name(name)
    return _Maker(name)
