"""Farama's own engine: episodes recorded from its resets, with rare events made common."""

import warnings
from collections import Counter
from typing import Any

import gymnasium
import minigrid  # noqa: F401 (registers the ids)
import numpy as np
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.core.world_object import Door, Key

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.traces import Trace

NAMING = ("obstacles", "success_pos", "target_pos", "targetType")
USABLE = ("door", "key", "ball", "box", "goal", "lava")


def environment(name: str, **settings: Any) -> Any:
    """Farama's environment itself, without wrappers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gymnasium.make(name, **settings).unwrapped


def pair(thing: Any) -> tuple[int, int]:
    """Kind and colour, 0 and 0 for nothing."""
    return (0, 0) if thing is None else (OBJECT_TO_IDX[thing.type], COLOR_TO_IDX[thing.color])


def snapshot(env: Any) -> dict[str, np.ndarray]:
    """One state in the arrays of a trace."""
    _, visible = env.gen_obs_grid()
    inside = np.array([pair(thing.contains if thing else None) for thing in env.grid.grid], np.uint8)
    held = env.carrying
    return {
        "grid": env.grid.encode(),
        "inside": inside.reshape(env.height, env.width, 2).transpose(1, 0, 2),
        "agent_pos": np.array(env.agent_pos, np.uint8),
        "agent_dir": np.uint8(env.agent_dir),
        "carrying": np.array([*pair(held), *pair(held.contains if held else None)], np.uint8),
        "image": env.gen_obs()["image"],
        "visible": visible.astype(np.uint8),
        "obstacles": np.array([ball.cur_pos for ball in getattr(env, "obstacles", [])], np.uint8).reshape(
            -1, 2
        ),
    }


def rooms(env: Any) -> set[tuple[int, int]]:
    """The cells that walls part from the world outside: all that the agent may ever reach."""
    seen = {(int(env.agent_pos[0]), int(env.agent_pos[1]))}
    queue = list(seen)
    while queue:
        x, y = queue.pop()
        thing = env.grid.get(x, y)
        # GoToDoor's doors, in a room smaller than the grid, lead nowhere: walking out would leave the grid.
        closed = ("wall", "door") if hasattr(env, "target_pos") else ("wall",)
        if thing is not None and thing.type in closed:
            continue
        near = {(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)} - seen
        seen |= near
        queue += near
    return seen


def scatter(env: Any, rng: np.random.Generator) -> None:
    """Stand the agent before something to use, often with a key that fits in its hand."""
    things = [i for i, thing in enumerate(env.grid.grid) if thing is not None and thing.type in USABLE]
    places, within = [], rooms(env)
    for i in things:
        x, y = i % env.width, i // env.width
        for direction, (by_x, by_y) in enumerate(((1, 0), (0, 1), (-1, 0), (0, -1))):
            px, py = x - by_x, y - by_y
            if (px, py) in within and env.grid.get(px, py) is None:
                places.append((env.grid.get(x, y).type, px, py, direction))
    if not places:
        return
    kind = rng.choice(sorted({place[0] for place in places}))
    chosen = [place for place in places if place[0] == kind]
    _, x, y, env.agent_dir = chosen[rng.integers(len(chosen))]
    env.agent_pos = (x, y)
    keys = [i for i, thing in enumerate(env.grid.grid) if isinstance(thing, Key)]
    hidden = [t.contains for t in env.grid.grid if t is not None and t.contains is not None]
    # Where the mission names a thing, all must lie on the grid: that is how a replay finds it.
    if any(hasattr(env, name) for name in NAMING) or rng.random() < 0.3:
        return
    ahead = env.grid.get(*env.front_pos)
    if isinstance(ahead, Door) and ahead.is_locked and rng.random() < 0.7:
        fitting = [i for i in keys if env.grid.grid[i].color == ahead.color]
        if fitting:
            env.carrying = env.grid.grid[fitting[0]]
            env.grid.grid[fitting[0]] = None
        elif hidden:
            env.carrying = Key(ahead.color)
    elif keys and env.grid.grid[keys[0]] is not ahead and rng.random() < 0.5:
        env.carrying = env.grid.grid[keys[0]]
        env.grid.grid[keys[0]] = None


def choose(env: Any, rng: np.random.Generator) -> int:
    """Often what the cell ahead invites, else anything."""
    if rng.random() < 0.5:
        ahead = env.grid.get(*env.front_pos)
        if ahead is None:
            return k.DROP if env.carrying and rng.random() < 0.3 else k.FORWARD
        if ahead.type == "door":
            return k.TOGGLE if not ahead.is_open or rng.random() < 0.3 else k.FORWARD
        if ahead.type in ("key", "ball", "box"):
            return int(rng.choice([k.PICKUP, k.PICKUP, k.TOGGLE, k.DROP]))
    return int(rng.choice(7, p=[0.17, 0.17, 0.32, 0.1, 0.08, 0.12, 0.04]))


def record(name: str, n_episodes: int, seed: int, longest: int = 60) -> tuple[Trace, Counter[str]]:
    """Episodes of one id, and how often rare things happened in them.

    Half start as Farama's reset left them, half with the agent put before something to use; a third
    are given few steps.
    """
    rng = np.random.default_rng(seed)
    states: list[dict[str, np.ndarray]] = []
    given: list[tuple[int, float, bool, bool]] = []
    steps, limits, missions = [], [], []
    events: Counter[str] = Counter()
    env = environment(name)
    own_limit = env.max_steps
    for episode in range(n_episodes):
        env.reset(seed=int(rng.integers(2**31)))
        env.max_steps = int(rng.integers(3, 25)) if episode % 3 == 2 else own_limit
        if episode % 2:
            scatter(env, rng)
        states.append(snapshot(env))
        for _ in range(longest):
            action = choose(env, rng)
            ahead, held = env.grid.get(*env.front_pos), env.carrying
            was_open = isinstance(ahead, Door) and ahead.is_open
            was_locked = isinstance(ahead, Door) and ahead.is_locked
            _, reward, terminated, truncated, _ = env.step(action)
            now = ahead if isinstance(ahead, Door) else None
            events.update(_events(env, action, ahead, held, (was_open, was_locked, now)))
            events.update(success=reward > 0, failure=terminated and reward <= 0, out_of_time=truncated)
            events.update(both_flags=terminated and truncated)
            states.append(snapshot(env))
            given.append((action, reward, terminated, truncated))
            if terminated or truncated:
                break
        steps.append(len(given) - sum(steps))
        limits.append(env.max_steps)
        missions.append(env.mission)
    arrays = {key: np.stack([state[key] for state in states]) for key in states[0]}
    if not arrays["obstacles"].size:
        del arrays["obstacles"]
    action, reward, terminated, truncated = zip(*given, strict=True)
    arrays |= {"action": np.array(action, np.uint8), "reward": np.array(reward, float)}
    arrays |= {"terminated": np.array(terminated, np.uint8), "truncated": np.array(truncated, np.uint8)}
    arrays |= {"steps": np.array(steps), "max_steps": np.array(limits), "mission": np.array(missions)}
    arrays |= {"id": np.array(name), "minigrid": np.array("3.2.0")}
    first = np.cumsum(steps) - steps
    return Trace(name, arrays, first, first + np.arange(n_episodes)), +events


def _events(env: Any, action: int, ahead: Any, held: Any, door: tuple[bool, bool, Any]) -> Counter[str]:
    """What happened in one step."""
    kind = ahead.type if ahead is not None else None
    was_open, was_locked, now = door
    happened = {
        "picked up": held is None and env.carrying is not None,
        "pickup with full hands": action == k.PICKUP and held is not None and kind in ("key", "ball", "box"),
        "dropped": held is not None and env.carrying is None,
        "drop blocked": action == k.DROP and held is not None and env.carrying is held,
        "bumped": action == k.FORWARD and kind in ("wall", "key", "ball", "box"),
        "closed door": action == k.TOGGLE and was_open and now is not None and not now.is_open,
        "opened door": action == k.TOGGLE and kind == "door" and not (was_open or was_locked),
        "unlocked door": action == k.TOGGLE and was_locked and now is not None and now.is_open,
        "locked, no key": action == k.TOGGLE and was_locked and held is None,
        "opened box": action == k.TOGGLE and kind == "box",
        "opened full box": action == k.TOGGLE and kind == "box" and ahead.contains is not None,
        "into lava": action == k.FORWARD and kind == "lava",
        "done": action == k.DONE,
    }
    return Counter({name: int(value) for name, value in happened.items() if value})
