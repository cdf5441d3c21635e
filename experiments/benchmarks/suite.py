"""What is timed: groups of variants, timed in turn within a group, small for --quick and else in full."""

import contextlib
import dataclasses
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
from common import say

from benchmarks import farama
from benchmarks.chunk import Chunk, config_of
from benchmarks.env import Batch, Ours, random_play
from benchmarks.flops import matmul
from benchmarks.mapping import grouped_training
from benchmarks.peer_ppo import navix_ppo
from benchmarks.peers import Navix, Xminigrid
from benchmarks.runs import Run, run
from benchmarks.stages import rollouts, training, updates
from benchmarks.timing import Timing, Variant, measure
from jaxteach.backend import devices_for
from jaxteach.config import Decay


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        name: quick or full.
        repeats: of every variant.
        seconds: how long a repeat lasts at least.
        n_envs: environments side by side, of environments alone.
        n_updates: updates in a call.
        widths: seeds of a chunk, where widths are compared.
        groups: (seeds of a chunk, seeds of a group), where groups are.
        whole_runs: whether runs of the default length are compared with and without a teacher.
        one_device: whether training is timed on one device too.
        seeds: seeds of runs of the default length.
        short_seeds: seeds of short runs.
    """

    name: str
    repeats: int
    seconds: float
    n_envs: tuple[int, ...]
    n_updates: int
    widths: tuple[int, ...]
    groups: tuple[tuple[int, int], ...]
    whole_runs: bool
    one_device: bool
    seeds: tuple[int, ...]
    short_seeds: tuple[int, ...]


SIZES = {
    "quick": Size(
        name="quick",
        repeats=5,
        seconds=0.2,
        n_envs=(1024,),
        n_updates=8,
        widths=(2, 8, 32),
        groups=((8, 1),),
        whole_runs=False,
        one_device=False,
        seeds=(1, 8, 64),
        short_seeds=(),
    ),
    "full": Size(
        name="full",
        repeats=7,
        seconds=0.5,
        n_envs=(1024, 4096),
        n_updates=16,
        widths=(1, 2, 4, 8, 16, 32, 64),
        groups=((8, 1), (64, 1), (64, 4)),
        whole_runs=True,
        one_device=True,
        seeds=(1, 8, 64),
        short_seeds=(64, 64, 512, 4096, 64),
    ),
}
SHORT = 8192
"""Environment steps a seed of a short run: a sixth of the default, so that 4096 seeds take minutes."""
WIDTH = 8
"""Seeds of a chunk by default."""
TASK = "simple_door_key"

Timings = dict[str, Timing]


def splits(n: int) -> tuple[int, ...]:
    """Over how many devices n things are split: none but the first, and as many as can be."""
    return tuple(sorted({1, devices_for(n)}))


def in_turn(size: Size, variants: dict[str, Callable[[], Variant]]) -> Timings:
    """Compile variants one by one, then time them in turn."""
    ready = {}
    for name, make in variants.items():
        ready[name] = make()
        say(f"  {name}: compiled in {ready[name].compile_seconds:.1f} s")
    timings = measure(ready, size.repeats, size.seconds)
    for name, timing in timings.items():
        say(f"  {name}: {timing}")
    return timings


def environments(size: Size) -> Timings:
    """Environments alone, ours and the peers'; a unit is an environment step."""
    # Steps of 1024 environments in a call, so that a call lasts for a tenth of a second and more.
    batches: dict[str, tuple[Batch, int]] = {
        "ours: observation": (Ours(TASK), 1000),
        "ours: features": (Ours(TASK, "ego"), 200),
        "navix": (Navix(), 100),
    }
    if importlib.util.find_spec("xminigrid"):
        batches["xminigrid"] = (Xminigrid(), 200)
    else:
        say("xminigrid is not installed, and left out: python -m pip install -e '.[bench]'")
    variants = {
        f"{name}, {n} envs, {devices} devices": lambda b=batch, s=steps, n=n, d=devices: random_play(
            b, n, max(1, s * 1024 // n), d
        )
        for n in size.n_envs
        for name, (batch, steps) in batches.items()
        for devices in splits(n)
    }
    if not importlib.util.find_spec("minigrid"):
        say("minigrid is not installed, and left out: python -m pip install -e '.[bench]'")
        return in_turn(size, variants)
    processes = jax.local_device_count()
    with farama.random_play(5_000, processes) as variant:
        return in_turn(size, {**variants, f"minigrid, {processes} processes": lambda: variant})


def learning(size: Size) -> Timings:
    """Rollouts and training, with a teacher and without, and navix's PPO; a unit is an environment step."""
    n = size.n_updates
    variants: dict[str, Callable[[], Variant]] = {}
    for devices in splits(WIDTH) if size.one_device else splits(WIDTH)[-1:]:
        on = f"{devices} devices"
        for label, teacher in (("alone", "none"), ("taught", "chatglm")):
            chunk = Chunk(config_of(teacher), devices)
            variants[f"rollouts: {label}, {on}"] = lambda c=chunk: rollouts(c, n)
            variants[f"update: {label}, {on}"] = lambda c=chunk: training(c, n)
        variants[f"navix PPO: features, {on}"] = lambda d=devices: navix_ppo(config_of("none"), n, d)
    most = splits(WIDTH)[-1]
    silent = Chunk(config_of("chatglm", decay=Decay("none")), most)
    variants[f"update: silent teacher, {most} devices"] = lambda: training(silent, n)
    if size.whole_runs:
        for sees in ("map", "registered"):
            variants[f"navix PPO: {sees}, {most} devices"] = lambda s=sees: navix_ppo(
                config_of("none"), n, most, s
            )
        for label, teacher in (("alone", "none"), ("taught", "chatglm")):
            chunk = Chunk(config_of(teacher, decay=Decay()), most)
            variants[f"run: {label}, {most} devices"] = lambda c=chunk: training(c, c.plan.n_updates)
    return in_turn(size, variants)


def operations(size: Size) -> Timings:
    """The updates of both students and the matmul peak; floating point operations."""
    variants: dict[str, Callable[[], Variant]] = {}
    for devices in splits(WIDTH):
        for side in (1024, 2048):
            variants[f"matmul {side}, {devices} devices"] = lambda s=side, d=devices: matmul(s, d)
    for devices in splits(WIDTH) if size.one_device else splits(WIDTH)[-1:]:
        for student, n in (("ego", size.n_updates), ("cnn", 1)):
            variants[f"learn: {student}, {devices} devices"] = lambda s=student, d=devices, n=n: updates(
                Chunk(config_of("none", s), d), n
            )
    return in_turn(size, variants)


def widths(size: Size) -> Timings:
    """Chunks of various widths, side by side, one after another and in groups; environment steps."""
    variants: dict[str, Callable[[], Variant]] = {}
    for width in size.widths:
        chunk = Chunk(config_of("chatglm", width=width), devices_for(width))
        n = max(1, size.n_updates * WIDTH // max(width, WIDTH))
        variants[f"vmap: {width} seeds"] = lambda c=chunk, n=n: training(c, n)
    for width, together in size.groups:
        chunk = Chunk(config_of("chatglm", width=width), devices_for(width))
        n = max(1, size.n_updates * WIDTH // width)
        variants[f"groups of {together} a device: {width} seeds"] = lambda c=chunk, n=n, t=together: (
            grouped_training(c, n, t)
        )
    return in_turn(size, variants)


def whole_runs(size: Size) -> dict[str, list[Run]]:
    """Runs of the command line: `cold` and then `default` length, and `short` ones of many seeds."""
    found: dict[str, list[Run]] = {"cold": [], "default": [], "short": []}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def one(kind: str, seeds: int, *flags: str) -> None:
            out = folder / f"{sum(map(len, found.values()))}"
            done = run(out, folder / "cache", ["--seeds", str(seeds), "--eval-episodes", "100", *flags])
            found[kind].append(done)
            say(f"  {kind}, {seeds} seeds: {done}")

        one("cold", WIDTH)
        for seeds in size.seeds:
            one("default", seeds)
        for seeds in size.short_seeds:
            one("short", seeds, "--env-steps", str(SHORT))
    return found
