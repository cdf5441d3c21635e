"""What `SeenMap` makes of Farama's environments is what our engine shows of the same episodes."""

import json
from pathlib import Path

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.gymnasium import SeenMap, play
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.conformance import first_states
from jaxteach.worlds.minigrid.engine import advance, remembered, see
from jaxteach.worlds.minigrid.levels import level_of
from jaxteach.worlds.minigrid.traces import Trace
from jaxteach.worlds.minigrid.view import image_of, map_of, unseen
from tests.commands import ROOT, here
from tests.test_minigrid_levels import SMALL
from tests.worlds.minigrid.farama import choose, snapshot

# Occluded and see-through; carrying; boxes; moving balls; hundreds of missions; not square.
NAMES = (
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-ObstructedMaze-1Dlhb-v0",
    "MiniGrid-Dynamic-Obstacles-6x6-v0",
    "MiniGrid-Fetch-5x5-N2-v0",
    "MiniGrid-DistShift2-v0",
    "MiniGrid-MemoryS7-v0",
)
STEPS = 60
OLD_RUN = ROOT / "tests" / "data" / "v1_runs" / "taught"


def play_once(env, n_balls, rng, seed):
    """One episode: what is shown, Farama's states and the actions."""
    obs, _ = env.reset(seed=seed)
    shown, states, actions = [obs], [snapshot(env.unwrapped)], []
    ended = False
    while not ended:
        action = min(choose(env.unwrapped, rng), env.action_space.n - 1)
        if n_balls and env.unwrapped.grid.get(*env.unwrapped.front_pos) is not None:
            action = int(rng.integers(2))  # walking into a ball would end the episode
        obs, _, terminated, truncated, _ = env.step(action)
        ended = terminated or truncated
        shown.append(obs)
        states.append(snapshot(env.unwrapped))
        actions.append(action)
    return shown, states, actions


@pytest.mark.parametrize("name", NAMES)
def test_an_episode_looks_as_it_does_here(name: str) -> None:
    level, env = level_of(name), SeenMap(gymnasium.make(name, max_steps=STEPS))
    rng, seed, actions = np.random.default_rng(3), 0, []
    while len(actions) < 10:  # an episode of some length
        seed += 1
        shown, states, actions = play_once(env, level.n_balls, rng, seed)
    obs = shown[-1]
    assert env.observation_space.contains(obs)
    arrays = {key: np.stack([state[key] for state in states]) for key in states[0]}
    trace = Trace(name, arrays, np.array([0]), np.array([0]))
    mission = int(shown[0]["mission"])
    assert level.missions[mission] == env.unwrapped.mission

    @jax.jit
    def look(state):
        view = see(level, state)
        state = remembered(level, state, view)
        return state, map_of(state, level.height, level.width)[0], image_of(view)[0]

    move = jax.jit(lambda state, action, balls: advance(level, state, action, ball_cells=balls)[0])
    state = first_states(level, trace, [mission]).replace(seen=unseen(1, level.height))
    for t, obs in enumerate(shown):
        state, cells, image = look(state)
        np.testing.assert_array_equal(obs["cells"], cells, err_msg=f"step {t}")
        np.testing.assert_array_equal(obs["image"], image)
        assert (obs["direction"], obs["mission"]) == (state.direction[0], state.mission[0])
        if t < len(actions):
            balls = None
            if level.n_balls:
                after = jnp.asarray(arrays["obstacles"][t + 1 : t + 2], jnp.uint8)
                balls = (after[..., 1], after[..., 0])
            state = move(state, jnp.array([actions[t]], jnp.uint8), balls)


def test_what_was_seen_is_forgotten_at_a_reset() -> None:
    env = SeenMap(gymnasium.make("MiniGrid-FourRooms-v0"))
    first, _ = env.reset(seed=1)
    for action in (0, 2, 2, 0):
        obs, *_ = env.step(action)
    assert (obs["cells"][..., 0] != 0).sum() > (first["cells"][..., 0] != 0).sum()
    again, _ = env.reset(seed=1)
    np.testing.assert_array_equal(first["cells"], again["cells"])


class Walk:
    """Turns once and then walks: the goal of Empty-5x5 is reached in 5 steps from its fixed start."""

    def __init__(self) -> None:
        self.t = 0

    def reset(self) -> None:
        self.t = 0

    def __call__(self, obs: dict[str, np.ndarray]) -> np.ndarray:
        action = (2, 2, 1, 2, 2)[self.t % 5]
        self.t += 1
        return np.tile(np.eye(7, dtype=np.float32)[action], (len(obs["mission"]), 1))


@pytest.mark.parametrize("n", [1, 70])
def test_every_episode_counts_once(n: int) -> None:
    told: list[int] = []
    found = play(Walk(), "MiniGrid-Empty-5x5-v0", n, seed=0, tell=told.append)
    assert (found["success_rate"], found["length"]) == (1.0, 5.0)
    assert found["return"] == pytest.approx(1 - 0.9 * 5 / 100)
    assert told == ([1] if n == 1 else [64, 70])
    late = play(Walk(), "MiniGrid-Empty-5x5-v0", n, seed=0, max_steps=4, greedy=True)
    assert (late["success_rate"], late["return"], late["length"]) == (0.0, 0.0, 4.0)


@pytest.mark.unoptimised
def test_a_run_is_evaluated_in_faramas_engine(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = here("run", *SMALL, "--out", run)
    assert done.status == 0, done.err
    done = here("evaluate", run, "--engine", "farama", "--episodes", 5, "--json")
    assert done.status == 0, done.err
    result = json.loads(done.out)
    assert (result["engine"], result["seeds"], result["success_rate"]["n"]) == ("farama", [0, 1], 2)
    assert 0 < result["length"]["mean"] <= 100
    assert json.loads((run / "evaluation.json").read_text(encoding="utf-8")) == result
    done = here("evaluate", run, "--engine", "farama", "--episodes", 5)
    assert "in the engine of Farama" in done.out


def test_what_farama_cannot_play_is_refused(tmp_path: Path) -> None:
    for arguments, line in (
        (("--who", "teacher", "--task", "simple_door_key"), "--engine farama plays students"),
        ((OLD_RUN,), "is none of Farama's levels"),
    ):
        done = here("evaluate", *arguments, "--engine", "farama")
        assert done.status == 2 and line in done.err and done.err.count("\n") == 1
    with pytest.raises(UserError, match="unknown level"):
        SeenMap(gymnasium.make("CartPole-v1"))
