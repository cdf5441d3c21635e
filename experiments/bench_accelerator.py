"""What an accelerator does with all of this, in ten minutes at most: one JSON, no arguments.

Environments, rollouts and training at 8 to 4096 seeds on this machine's default device, beside its CPU, navix
and xminigrid; whether --deterministic gives the same bits twice, a resumed run those of a whole one; how a
chunk without room is refused; whether seeds side by side (vmap) or in groups (map) are faster. Without an
accelerator it measures the CPU, for comparison. A part that fails is written down so, and the rest goes on.
"""

import datetime
import hashlib
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from common import ROOT, say

from jaxteach.utils.errors import cli, one_line
from jaxteach.utils.files import write_atomic
from jaxteach.utils.jax_setup import start_jax, versions

NAME = "bench_accelerator"
LIMIT = 600.0
"""Seconds for all; a part begins only with at least `SPARE` of them left."""
SPARE = 75.0
SEEDS = (8, 64, 512, 4096)
GROUPS = (1, 4, 16, 64, 256)
"""Seeds side by side, of a chunk of the largest."""
N_ENVS = 8192
LEVELS = ("MiniGrid-DoorKey-8x8-v0", "MiniGrid-KeyCorridorS3R3-v0")
REPEATS, SECONDS = 3, 0.5
RUN = ["--seeds", "64", "--env-steps", "65536", "--eval-episodes", "20"]
TRAIN_ON_CPU = """
import json
from bench_accelerator import training
from jaxteach.utils.jax_setup import start_jax
from jaxteach.utils.machine import cores
start_jax(host_devices=cores())
print(json.dumps(dict(training((8, 64)))))
"""


def main() -> None:
    """Measure part by part, and write after each."""
    began = time.perf_counter()
    # The runs in other processes need their share of the device's memory.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    start_jax()
    import jax

    found: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "device": f"{len(jax.devices())} {jax.devices()[0].device_kind} ({jax.default_backend()})",
        "host": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
    }
    say(found["device"])
    out = ROOT / "experiments" / "results" / NAME / f"{jax.default_backend()}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    for name, part in PARTS.items():
        if time.perf_counter() - began > LIMIT - SPARE:
            found[name] = {"left out": "no time was left"}
            continue
        try:
            found[name] = dict(part())
        except Exception as error:  # one part must not cost the others
            found[name] = {"failed": one_line(f"{type(error).__name__}: {error}")[:300]}
        say(f"{name}: {json.dumps(found[name])}")
        found["seconds"] = time.perf_counter() - began
        write_atomic(out, (json.dumps(found, indent=2) + "\n").encode())
    say(f"written: {out}")


def environments() -> Iterator[tuple[str, Any]]:
    """Environment steps a second, random actions, all that is observed consumed; the peers beside."""
    from benchmarks.env import Ours, random_play
    from benchmarks.levels import XMINIGRID, Level, navix_name
    from benchmarks.peers import Navix, Xminigrid
    from benchmarks.timing import measure

    variants = {"simple_door_key": random_play(Ours("simple_door_key"), N_ENVS, 64, 1)}
    for name in LEVELS:
        variants[name] = random_play(Level(name), N_ENVS, 64, 1)
        if (theirs := navix_name(name)) is not None:
            variants[f"navix: {name}"] = random_play(Navix(theirs), N_ENVS, 16, 1)
        if name in XMINIGRID and importlib.util.find_spec("xminigrid") is not None:  # the bench extra has it
            variants[f"xminigrid: {name}"] = random_play(Xminigrid(XMINIGRID[name]), N_ENVS, 16, 1)
    for name, timing in measure(variants, REPEATS, SECONDS).items():
        yield name, timing.rate


def training(widths: tuple[int, ...] = SEEDS) -> Iterator[tuple[str, Any]]:
    """Environment steps a second of taught training on SimpleDoorKey, and seconds a seed, by seeds.

    A CPU would take minutes for a call of the wide ones, and is left to the others.
    """
    import jax
    from benchmarks.chunk import Chunk, config_of
    from benchmarks.mapping import grouped_training
    from benchmarks.timing import measure

    from jaxteach.training.compilation import group_size

    for width in widths if jax.default_backend() != "cpu" else widths[:2]:
        devices = jax.local_device_count()
        chunk = Chunk(config_of("chatglm", width=width), devices)
        timing = measure({"": grouped_training(chunk, 4, group_size(width // devices))}, REPEATS, SECONDS)[""]
        steps = chunk.plan.env_steps
        yield f"{width} seeds", {"env_steps_per_second": timing.rate, "seconds_a_seed": steps / timing.rate}


def cpu() -> Iterator[tuple[str, Any]]:
    """The same on this machine's CPU, in another process."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_ON_CPU],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        cwd=ROOT / "experiments",
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    yield from json.loads(done.stdout.splitlines()[-1]).items()


def mapping() -> Iterator[tuple[str, Any]]:
    """Environment steps a second of a chunk whose seeds run side by side, or in groups one after another."""
    import jax
    from benchmarks.chunk import Chunk, config_of
    from benchmarks.mapping import grouped_training
    from benchmarks.timing import measure

    groups = GROUPS if jax.default_backend() != "cpu" else GROUPS[:3]
    config = config_of("chatglm", width=groups[-1])
    variants = {f"{n} side by side": grouped_training(Chunk(config, 1), 2, n) for n in groups}
    for name, timing in measure(variants, REPEATS, SECONDS).items():
        yield name, timing.rate


def promises() -> Iterator[tuple[str, Any]]:
    """Bits of two runs with --deterministic and of one that was resumed; and a chunk without room."""
    with tempfile.TemporaryDirectory() as folder:
        whole, again, parts = (Path(folder) / name for name in ("whole", "again", "parts"))
        for out in (whole, again):
            command(["--deterministic", *RUN, "--out", str(out)])
        yield "deterministic: equal bits", digest(whole) == digest(again)
        interrupt(["--deterministic", *RUN, "--out", str(parts)], parts / "metrics.jsonl")
        stopped = not (parts / "summary.json").exists()
        command(["--deterministic", *RUN, "--out", str(parts), "--resume"])
        yield "resumed: equal bits", digest(whole) == digest(parts)
        yield "resumed: was stopped before it ended", stopped
        refused = command(
            ["--seeds", str(2**22), "--seeds-per-chunk", str(2**22), "--out", f"{folder}/large"], check=False
        )
        yield "a chunk without room", {"status": refused.returncode, "said": refused.stderr.strip()[-300:]}


def command(flags: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
    """`python -m jaxteach.run`, to its end."""
    words = [sys.executable, "-m", "jaxteach.run", *flags]
    return subprocess.run(words, capture_output=True, text=True, timeout=240, check=check)


def interrupt(flags: list[str], log: Path) -> None:
    """Start a run and send it Ctrl-C after its first segment."""
    with subprocess.Popen(
        [sys.executable, "-m", "jaxteach.run", *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not (log.exists() and log.stat().st_size):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)


def digest(run: Path) -> str:
    """Of the arrays that a run leaves."""
    import numpy as np

    total = hashlib.sha256()
    with np.load(run / "metrics.npz", allow_pickle=False) as arrays:
        for name in sorted(arrays):
            total.update(name.encode() + arrays[name].tobytes())
    return total.hexdigest()


PARTS: dict[str, Callable[[], Iterator[tuple[str, Any]]]] = {
    "environments": environments,
    "training": training,
    "cpu": cpu,
    "mapping": mapping,
    "promises": promises,
}


if __name__ == "__main__":
    cli(main)
