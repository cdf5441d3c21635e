"""MiniGrid's levels against the peers' own on one core, each id in a process: some of theirs compile long.

`python -m benchmarks.levels MiniGrid-DoorKey-8x8-v0 [navix] [xminigrid]` times one and prints JSON.
"""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from common import say
from jax import Array

from benchmarks.env import random_play
from benchmarks.peers import Navix, Xminigrid
from benchmarks.timing import Timing, compiled, in_words, measure

N_ENVS = 1056
"""Environments side by side; widths that are powers of two are slower for most of the variants."""
REPEATS, SECONDS = 5, 0.2
PATIENCE = 150
"""Seconds a process may take until the peer is given up: not compiled."""
XMINIGRID = {"MiniGrid-DoorKey-8x8-v0": "MiniGrid-DoorKey-8x8", "MiniGrid-FourRooms-v0": "MiniGrid-FourRooms"}
FEW = (
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-FourRooms-v0",
    "MiniGrid-KeyCorridorS3R3-v0",
    "MiniGrid-ObstructedMaze-1Dl-v0",
)
"""What --quick times."""


class Level:
    """One of our levels with its autoreset; it observes Farama's image, uint8[7, 7, 3]."""

    def __init__(self, name: str) -> None:
        from jaxteach import make

        self.env = make(name, autoreset=True)
        self.n_actions = self.env.n_actions

    def reset(self, key: Array, n: int) -> Any:
        """n environments; beside the state the sum of all rewards."""
        return jax.vmap(self.env.reset)(jax.random.split(key, n)), jax.numpy.zeros((n,))

    def step(self, key: Array, state: Any, action: Array) -> tuple[Any, Array]:
        """The reward is summed up, or XLA would leave it out."""
        env, total = state
        env, outcome = jax.vmap(self.env.step)(jax.random.split(key, action.shape[0]), env, action)
        return (env, total + outcome.reward), jax.vmap(self.env.observe)(env).image


@dataclasses.dataclass(frozen=True)
class Row:
    """One id.

    Attributes:
        name: Farama's id.
        cells: of its grid.
        objects: doors and things on it, the mean over 64 layouts.
        bytes: of one environment's state.
        step_seconds: what compiling our step with its autoreset takes.
        timings: by library; a peer that has no such level, or whose did not compile in time, is missing.
        note: what is to be said of a peer.
    """

    name: str
    cells: int
    objects: float
    bytes: int
    step_seconds: float
    timings: dict[str, Timing]
    note: str = ""

    def ratio(self, peer: str) -> float | None:
        """How many times as fast as a peer."""
        if peer not in self.timings:
            return None
        return self.timings["ours"].rate / self.timings[peer].rate

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        timings = {name: timing.to_json() for name, timing in self.timings.items()}
        return {**dataclasses.asdict(self), "timings": timings}


def navix_name(name: str) -> str | None:
    """navix's id for one of Farama's; None if it has no such level."""
    import navix

    theirs = name.replace("MiniGrid-", "Navix-")
    return theirs if theirs in navix.registry() else None


def time_one(name: str, peers: Sequence[str], cores: set[int]) -> dict[str, Any]:
    """Time one id, ours and its peers in turn, in this process; compiled with all cores, timed on `cores`."""
    ours = Level(name)
    variants = {"ours": random_play(ours, N_ENVS, 200, 1)}
    theirs = navix_name(name)
    if "navix" in peers and theirs is not None:
        variants["navix"] = random_play(Navix(theirs), N_ENVS, 20, 1)
    if "xminigrid" in peers and name in XMINIGRID:
        variants["xminigrid"] = random_play(Xminigrid(XMINIGRID[name]), N_ENVS, 20, 1)
    state, _ = jax.jit(ours.reset, static_argnums=1)(jax.random.key(0), 64)
    keys, actions = jax.random.split(jax.random.key(1), 64), jax.numpy.zeros((64,), jax.numpy.int32)
    _, step_seconds = compiled(jax.jit(jax.vmap(ours.env.step)), keys, state, actions)
    keep_to(cores)
    timings = measure(variants, REPEATS, SECONDS)
    grid = np.asarray(state.grid)
    return {
        "name": name,
        "cells": ours.env.level.height * ours.env.level.width,
        "objects": float(((grid & 15) >= 4).sum(axis=1).mean()),  # past empty, wall and floor
        "bytes": sum(leaf.nbytes for leaf in jax.tree.leaves(state)) // 64,
        "step_seconds": step_seconds,
        "timings": {who: dataclasses.asdict(timing) for who, timing in timings.items()},
    }


def rows(names: Sequence[str]) -> list[Row]:
    """Time ids one after another."""
    found = []
    for name in names:
        note, result = "", None
        try:
            result = _process(name, "navix", "xminigrid")
        except subprocess.TimeoutExpired:
            note = f"navix's did not compile within {PATIENCE} s"
        result = result or _process(name, "xminigrid")
        timings = {
            who: Timing(**{**t, "seconds": tuple(t["seconds"])}) for who, t in result["timings"].items()
        }
        row = Row(**{**result, "timings": timings}, note=note)
        rates = ", ".join(f"{who} {in_words(timing.rate)}/s" for who, timing in row.timings.items())
        ratio = row.ratio("navix")
        say(f"  {name}: {rates}" + (f" ({ratio:.0f} x navix)" if ratio else f" {note}"))
        found.append(row)
    return found


def _process(name: str, *peers: str) -> dict[str, Any]:
    """One id in a separate process."""
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.levels", name, *peers],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{folder.parent / 'src'}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-400:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def keep_to(cores: set[int]) -> None:
    """Let all threads of this process run on these cores alone."""
    for task in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


def main() -> None:
    """Time one id on one core, and print JSON.

    On more cores XLA splits the operations of some of the libraries and not of others. As many threads
    compute as there are cores when the backend starts; compiling may have all of them.
    """
    from jaxteach.utils.jax_setup import start_jax

    every = os.sched_getaffinity(0)
    keep_to({min(every)})
    start_jax(cache="off")
    jax.devices()
    keep_to(every)
    print(json.dumps(time_one(sys.argv[1], sys.argv[2:], {min(every)})))


if __name__ == "__main__":
    main()
