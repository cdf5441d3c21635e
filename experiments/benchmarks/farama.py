"""Farama's minigrid, stepped in Python: one process a core, each with one environment. No JAX here."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from benchmarks.timing import Variant

TASK = "MiniGrid-DoorKey-8x8-v0"


def play(n_steps: int, seed: int = 0) -> tuple[int, float]:
    """Step one environment at random; what it observes is summed up.

    Args:
        n_steps: how many times.
        seed: of layouts and actions.

    Returns:
        The sum, and the seconds of the steps alone.
    """
    import gymnasium
    import minigrid  # noqa: F401  # registers the tasks
    import numpy as np

    env = gymnasium.make(TASK)
    actions = np.random.default_rng(seed).integers(env.action_space.n, size=n_steps).tolist()
    env.reset(seed=seed)
    total, began = 0, time.perf_counter()
    for action in actions:
        obs, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            obs, _ = env.reset()
        total += int(obs["image"].sum())
    return total, time.perf_counter() - began


@contextmanager
def random_play(n_steps: int, processes: int) -> Iterator[Variant]:
    """Environments in separate processes, as something to be timed.

    Args:
        n_steps: steps each takes in a call.
        processes: how many run at once.
    """
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:

        def call() -> None:
            done: list[Future[tuple[int, float]]] = [pool.submit(play, n_steps, i) for i in range(processes)]
            for each in done:
                each.result()

        yield Variant(call, float(n_steps * processes), 0.0, processes)


if __name__ == "__main__":
    print(f"{play(20_000)[1] / 20_000 * 1e6:.1f} us a step, {os.cpu_count()} cores")
