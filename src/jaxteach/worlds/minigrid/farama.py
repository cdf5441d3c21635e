"""Farama's own environments, showing what students trained here read; needs the `minigrid` extra."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import minigrid  # noqa: F401 (registers Farama's ids)
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, Dict, Discrete

from jaxteach.worlds.minigrid.features import VIEW
from jaxteach.worlds.minigrid.levels import level_of

SIDE_BY_SIDE = 64
"""Episodes run side by side: a student reads a batch hardly slower than one observation."""
_OF_NOTHING = 4
"""The direction of every cell without the agent."""
# Where the cell shown at image[i, j] lies, seen from the agent, [V, V, 1].
_STEPS_RIGHT, _STEPS_AHEAD = np.mgrid[-(VIEW // 2) : VIEW // 2 + 1, VIEW - 1 : -1 : -1][..., None]
Observation = dict[str, Any]


class SeenMap(gymnasium.Wrapper):
    """A MiniGrid environment of Farama's that shows all a student can read.

    Its observations hold `cells` u8[H, W, 4], the map of what was seen so far as it is now; `image`
    u8[7, 7, 3] and `direction`, Farama's own; and `mission`, its number among the level's missions. A policy
    takes what it reads of them.

    Args:
        env: made by `gymnasium.make`; whatever wrappers it has, what is shown is the environment's own.

    Raises:
        UserError: the level is not one of `jaxteach`'s.
    """

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        level = level_of(env.spec.id)
        self._missions = {text: number for number, text in enumerate(level.missions)}
        size = (level.height, level.width)
        self.observation_space = Dict(
            {
                "cells": Box(0, 255, (*size, 4), np.uint8),
                "image": Box(0, 255, (VIEW, VIEW, 3), np.uint8),
                "direction": Discrete(4),
                "mission": Discrete(len(level.missions)),
            }
        )
        self._seen = np.zeros(size, bool)

    def reset(self, **given: Any) -> tuple[Observation, dict[str, Any]]:
        """A new episode, of which nothing is known yet."""
        _, info = self.env.reset(**given)
        self._seen[:] = False
        return self._shown(), info

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """Farama's step."""
        _, reward, terminated, truncated, info = self.env.step(action)
        return self._shown(), reward, terminated, truncated, info

    def _shown(self) -> Observation:
        """The observation; what is in view is added to what was seen."""
        env: Any = self.env.unwrapped
        own = env.gen_obs()
        image = own["image"]
        ahead, right = np.asarray(env.dir_vec), np.asarray(env.right_vec)
        places = np.asarray(env.agent_pos) + _STEPS_AHEAD * ahead + _STEPS_RIGHT * right  # [V, V, (x, y)]
        # What is hidden has kind 0; what lies beyond the grid is hidden, or a wall.
        x, y = places[image[..., 0] != 0].T
        inside = (x >= 0) & (x < env.width) & (y >= 0) & (y < env.height)
        self._seen[y[inside], x[inside]] = True
        cells = np.full((*self._seen.shape, 4), _OF_NOTHING, np.uint8)
        cells[..., :3] = np.where(self._seen[..., None], env.grid.encode().transpose(1, 0, 2), 0)
        x, y = env.agent_pos
        cells[y, x] = (*image[VIEW // 2, VIEW - 1], env.agent_dir)
        mission = np.uint16(self._missions[own["mission"]])
        return {"cells": cells, "image": image, "direction": np.uint8(env.agent_dir), "mission": mission}


def play(
    policy: Any,
    name: str,
    n_episodes: int,
    seed: int | Sequence[int],
    greedy: bool = False,
    max_steps: int | None = None,
    tell: Callable[[int], None] = lambda played: None,
) -> dict[str, float]:
    """Episodes of a student in Farama's engine.

    Args:
        policy: from `load_policy`.
        name: Farama's id.
        n_episodes: how many; every one is counted, however long.
        seed: of the layouts and of the student's choices.
        greedy: take the likeliest action instead of sampling.
        max_steps: environment steps an episode may last; None for Farama's.
        tell: called with the number of episodes played so far, after each batch of them.

    Returns:
        success_rate, return and length: means over the episodes.
    """
    rng = np.random.default_rng(seed)
    changes: dict[str, Any] = {} if max_steps is None else {"max_steps": max_steps}
    envs = [SeenMap(gymnasium.make(name, **changes)) for _ in range(min(SIDE_BY_SIDE, n_episodes))]
    sums = np.zeros(3)
    for done in range(0, n_episodes, SIDE_BY_SIDE):
        batch = envs[: n_episodes - done]
        sums += _play_batch(policy, batch, rng, greedy)
        tell(done + len(batch))
    return dict(zip(("success_rate", "return", "length"), map(float, sums / n_episodes), strict=True))


def _play_batch(
    policy: Any, envs: list[SeenMap], rng: np.random.Generator, greedy: bool
) -> npt.NDArray[np.float64]:
    """One episode of each environment: sums of successes, returns and lengths."""
    shown = [env.reset(seed=int(rng.integers(2**31)))[0] for env in envs]
    sums, playing = np.zeros(3), list(range(len(envs)))
    policy.reset()
    while playing:
        # Those that have ended are shown again as they were: a recurrent student wants the same batch.
        chances = policy({field: np.stack([obs[field] for obs in shown]) for field in shown[0]})
        drawn = (chances.cumsum(axis=1) <= rng.random((len(envs), 1))).sum(axis=1)
        actions = chances.argmax(axis=1) if greedy else np.minimum(drawn, chances.shape[1] - 1)
        for i in list(playing):
            shown[i], reward, terminated, truncated, _ = envs[i].step(int(actions[i]))
            sums += (terminated and reward > 0, reward, 1)
            if terminated or truncated:
                playing.remove(i)
    return sums
