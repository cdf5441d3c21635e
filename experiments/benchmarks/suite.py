"""What is timed: groups of variants, timed in turn within a group, small for --quick and else in full."""

import contextlib
import dataclasses
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
from common import say

from benchmarks import farama, levels
from benchmarks.chunk import ALWAYS, Chunk, config_of
from benchmarks.env import Batch, Ours, random_play
from benchmarks.flops import matmul
from benchmarks.mapping import grouped_training
from benchmarks.peer_ppo import navix_ppo
from benchmarks.peers import Navix, Xminigrid
from benchmarks.ratios import VMAP
from benchmarks.runs import Run, run
from benchmarks.stages import rollouts, training, updates
from benchmarks.timing import Timing, Variant, measure
from jaxteach.config import PPO, Decay
from jaxteach.utils.jax_setup import devices_for


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        name: quick or full.
        repeats: of every variant.
        seconds: how long a repeat lasts at least.
        n_envs: environments side by side, of environments alone.
        n_updates: updates of the runs that are compared with and without a teacher.
        widths: seeds of a chunk, where widths are compared.
        groups: (seeds of a chunk, seeds of a group), where groups are.
        one_device: whether all is timed on one device too.
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
    one_device: bool
    seeds: tuple[int, ...]
    short_seeds: tuple[int, ...]


SIZES = {
    "quick": Size(
        name="quick",
        repeats=5,
        seconds=0.2,
        n_envs=(1024,),
        n_updates=16,
        widths=(8,),
        groups=((8, 1),),
        one_device=False,
        seeds=(1, 8, 64),
        short_seeds=(),
    ),
    "full": Size(
        name="full",
        repeats=7,
        seconds=0.5,
        n_envs=(1024, 4096),
        n_updates=48,
        widths=(1, 2, 4, 8, 16, 64),
        groups=((2, 1), (4, 1), (8, 1), (16, 1), (64, 1), (64, 4)),
        one_device=True,
        seeds=(1, 8, 64),
        short_seeds=(64, 64, 512, 4096, 64),
    ),
}
SHORT = 8192
"""Environment steps a seed of a short run: a sixth of the default, so that 4096 seeds take minutes."""
WIDTH = 8
"""Seeds of a chunk by default."""
UPDATE = 512
"""Environment steps of an update, a seed, by default."""
FEW = 16
"""Updates in a call, where a call need not be a whole run."""
TASK = "simple_door_key"

Timings = dict[str, Timing]


def splits(n: int, one_device: bool = True) -> tuple[int, ...]:
    """Over how many devices n things are split: as many as can be, and none but the first."""
    return tuple(sorted({devices_for(n), *([1] if one_device else [])}))


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
        for devices in splits(n, size.one_device)
    }
    if not importlib.util.find_spec("minigrid"):
        say("minigrid is not installed, and left out: python -m pip install -e '.[bench]'")
        return in_turn(size, variants)
    processes = jax.local_device_count()
    with farama.random_play(5_000, processes) as variant:
        return in_turn(size, {**variants, f"minigrid, {processes} processes": lambda: variant})


def level_rows(size: Size) -> list[levels.Row]:
    """MiniGrid's levels: all of them, or a few."""
    from jaxteach.worlds.minigrid.levels import LEVELS

    return levels.rows(levels.FEW if size.name == "quick" else tuple(LEVELS))


def learning(size: Size) -> Timings:
    """Rollouts and runs, with a teacher and without, and navix's PPO; a unit is an environment step."""
    n, most = size.n_updates, devices_for(WIDTH)
    variants: dict[str, Callable[[], Variant]] = {}
    for devices in splits(WIDTH, size.one_device):
        for label, teacher, decay in (
            ("alone", "none", Decay()),
            ("taught", "chatglm", Decay()),
            ("always taught", "chatglm", ALWAYS),
        ):
            config = config_of(teacher, decay=decay, env_steps=n * UPDATE)
            chunk = Chunk(config, devices)
            variants[f"training: {label}, {devices} devices"] = lambda c=chunk: training(c, n)
            if decay is not ALWAYS:
                variants[f"rollouts: {label}, {devices} devices"] = lambda c=chunk: rollouts(c, FEW)
    config = config_of("none", env_steps=n * UPDATE)
    hidden = config.student.hidden
    peers = [("as wide", hidden, "features"), ("as many weights", hidden // 2, "features")]
    if size.name == "full":
        peers += [("on the map, as wide", hidden, "map"), ("as registered, as wide", hidden, "registered")]
    for label, units, sees in peers:
        variants[f"navix PPO: {label}, {most} devices"] = lambda u=units, s=sees: navix_ppo(
            config, n, most, u, s
        )
    return in_turn(size, variants)


def operations(size: Size) -> Timings:
    """The updates of both students and the matmul peak; floating point operations."""
    variants: dict[str, Callable[[], Variant]] = {}
    for devices in splits(WIDTH):
        for side in (1024, 2048):
            variants[f"matmul {side}, {devices} devices"] = lambda s=side, d=devices: matmul(s, d)
    for devices in splits(WIDTH, size.one_device):
        ego = Chunk(config_of("none", "ego"), devices)
        # One epoch, for this student's takes a second; epochs are alike.
        cnn = Chunk(config_of("none", "cnn", ppo=PPO(epochs=1)), devices)
        variants[f"learn: ego, {devices} devices"] = lambda c=ego: updates(c, FEW // 2)
        variants[f"learn: cnn, {devices} devices"] = lambda c=cnn: updates(c, 1)
    return in_turn(size, variants)


def widths(size: Size) -> Timings:
    """Chunks of various widths, side by side, one after another and in groups; environment steps."""
    variants: dict[str, Callable[[], Variant]] = {}
    for width in size.widths:
        chunk = Chunk(config_of("chatglm", width=width), devices_for(width))
        n = max(1, FEW * WIDTH // max(width, WIDTH))
        variants[f"{VMAP}{width} seeds"] = lambda c=chunk, n=n: training(c, n)
    for width, together in size.groups:
        chunk = Chunk(config_of("chatglm", width=width), devices_for(width))
        n = max(1, FEW * WIDTH // max(width, WIDTH))
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
