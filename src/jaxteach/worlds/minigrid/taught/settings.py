"""How students of the hard levels are taught: what was found for each on seeds below 1000. No JAX."""

from typing import Any

_FOLLOWING = {"name": "adaptive", "off_at": 0.9}
"""Lambda follows the student: the levels take very different numbers of steps to learn."""
_LASTING = {"name": "adaptive", "floor": 0.3, "off_at": 1.0}
"""In the long mazes: without a teacher the students forget again what they were taught."""
_MAZE = {"decay": _LASTING, "ppo": {"entropy_weight": 0.003}}
# In nine rooms students of smaller updates, or of narrower networks, ended far lower (docs/results.md).
_NINE_ROOMS = {
    "decay": _LASTING,
    "student": {"hidden": 256},
    "rollout": {"envs": 128, "steps": 64},
    "ppo": {"entropy_weight": 0.003, "lr": 1e-3, "minibatch": 512},
}

ENV_STEPS = {
    "DoorKey-8x8-v0": 65_536,
    "DoorKey-16x16-v0": 262_144,
    "Unlock-v0": 65_536,
    "UnlockPickup-v0": 131_072,
    "BlockedUnlockPickup-v0": 262_144,
    "MultiRoom-N4-S5-v0": 131_072,
    "MultiRoom-N6-v0": 524_288,
    "KeyCorridorS3R3-v0": 131_072,
    "KeyCorridorS6R3-v0": 1_048_576,
    "LockedRoom-v0": 524_288,
    "ObstructedMaze-1Dlhb-v0": 262_144,
    "ObstructedMaze-2Dlhb-v1": 1_048_576,
    "ObstructedMaze-Full-v1": 2_097_152,
    "RedBlueDoors-8x8-v0": 131_072,
    "Fetch-8x8-N3-v0": 262_144,
    "PutNear-8x8-N3-v0": 524_288,
    "GoToDoor-8x8-v0": 262_144,
    "MemoryS17Random-v0": 131_072,
}
"""Environment steps a seed, by the id without MiniGrid-."""
_OTHERS = {"ObstructedMaze-2Dlhb-v1": _MAZE, "ObstructedMaze-Full-v1": _NINE_ROOMS}
SETTINGS: dict[str, dict[str, Any]] = {
    f"MiniGrid-{level}": {
        "teacher": "rule-ideal",
        "env_steps": steps,
        "decay": _FOLLOWING,
        **_OTHERS.get(level, {}),
    }
    for level, steps in ENV_STEPS.items()
}
"""By id: fields of a configuration, those of its groups as objects, as in a file of settings; with the table
that they were found with."""
