"""MiniGrid's hard levels, what a seed is given in each, and how it is taught."""

from jaxteach.config import PPO, Decay

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
    "ObstructedMaze-Full-v1": 1_048_576,
    "RedBlueDoors-8x8-v0": 131_072,
    "Fetch-8x8-N3-v0": 262_144,
    "PutNear-8x8-N3-v0": 524_288,
    "GoToDoor-8x8-v0": 262_144,
    "MemoryS17Random-v0": 131_072,
}
"""What a seed of every method takes, in environment steps; found on seeds below 1000."""

DECAY = Decay("adaptive", off_at=0.9)
"""Lambda follows the student: the levels take very different numbers of steps to learn."""
LASTING = Decay("adaptive", floor=0.3, off_at=1.0)
"""In the long mazes: without a teacher the students forget again what they were taught."""
TAUGHT = {
    "ObstructedMaze-2Dlhb-v1": (LASTING, PPO(entropy_weight=0.003)),
    "ObstructedMaze-Full-v1": (LASTING, PPO(entropy_weight=0.003)),
}
"""Of LLM4Teach, where it is not `DECAY` and the default; found on seeds 0 to 3."""
