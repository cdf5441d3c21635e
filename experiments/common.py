"""What the figures share: how large an experiment is, and their command line."""

import argparse
import hashlib
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxteach.config import CHUNK, Config
from jaxteach.utils.errors import cli

ROOT = Path(__file__).resolve().parents[1]
FIRST_SEED = 1000
"""Reported seeds begin here; hyperparameters were chosen on others."""


@dataclass(frozen=True)
class Scale:
    """How large an experiment is.

    Attributes:
        name: quick, default or full.
        seeds: seeds of every run.
        chunk: seeds that train together; None for the preset's choice.
        env_steps: environment steps of every seed; None for the task's own.
        episodes: episodes of the final evaluation, a seed.
        window: episodes that success while learning looks back on.
    """

    name: str
    seeds: int
    chunk: int | None
    env_steps: int | None
    episodes: int
    window: int

    @property
    def quick(self) -> bool:
        """Whether this only shows that everything works."""
        return self.name == "quick"

    def config(self, task: str, **changes: Any) -> Config:
        """The default configuration at this scale, changed."""
        return Config(
            task=task,
            **{
                "seeds": self.seeds,
                "first_seed": FIRST_SEED,
                "seeds_per_chunk": self.chunk,
                "env_steps": self.env_steps,
                "eval_episodes": self.episodes,
                **changes,
            },
        )


SCALES = {
    "quick": Scale("quick", seeds=2, chunk=2, env_steps=12_288, episodes=32, window=20),
    "default": Scale("default", seeds=16, chunk=None, env_steps=None, episodes=200, window=100),
    "full": Scale("full", seeds=256, chunk=None, env_steps=None, episodes=200, window=100),
}


@dataclass(frozen=True)
class Options:
    """What the command line of a figure asks for.

    Attributes:
        figure: the figure's name.
        scale: how large.
        plan: only say what would be done.
        so_far: train nothing: make the figure of the runs that are there.
        redraw: train nothing: draw the committed results again.
        tasks: those asked for; empty for all.
    """

    figure: str
    scale: Scale
    plan: bool
    so_far: bool = False
    redraw: bool = False
    tasks: tuple[str, ...] = ()

    @property
    def out(self) -> Path:
        """Where results go: only those of the default scale belong into the repository."""
        if self.scale.name == "default":
            return ROOT / "experiments" / "results" / self.figure
        return ROOT / "experiments" / "out" / self.scale.name / self.figure


def main(
    description: str,
    body: Callable[["Options"], None],
    *,
    in_parts: bool = False,
    tasks: Sequence[str] = (),
) -> None:
    """Run a figure's script: read its command line, start JAX, and report mistakes in one line.

    Args:
        description: the script's docstring.
        body: the figure, a function of `Options`.
        in_parts: whether the figure can be made of some of its runs.
        tasks: those that `--task` may choose among; none for a script that has no such flag.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="tiny: shows that it works, in a minute")
    size.add_argument("--full", action="store_true", help="hundreds of seeds")
    parser.add_argument(
        "--plan", action="store_true", help="only say what would be trained, and for how long"
    )
    if not tasks:
        parser.add_argument(
            "--redraw", action="store_true", help="train nothing: draw the committed results again"
        )
    if in_parts:
        parser.add_argument(
            "--so-far", action="store_true", help="train nothing: show the runs that are there"
        )
    if tasks:
        parser.add_argument("--task", action="append", choices=tasks, help="this task alone; may be repeated")
    given = parser.parse_args()
    scale = SCALES["quick" if given.quick else "full" if given.full else "default"]

    def begin() -> None:
        from jaxteach.utils.jax_setup import devices_for, start_jax

        if scale.quick:
            # Compiling takes longer than such short runs do.
            os.environ["XLA_FLAGS"] = (
                f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()
            )
        start_jax(host_devices=devices_for(scale.chunk or CHUNK["fast"]))
        chosen = tuple(getattr(given, "task", None) or ())
        so_far = in_parts and given.so_far
        body(Options(Path(sys.argv[0]).stem, scale, given.plan, so_far, not tasks and given.redraw, chosen))

    cli(begin)


def processor() -> str:
    """Family, model and instructions of the CPU: on another one XLA compiles code that rounds otherwise."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").split("\n\n")[0].splitlines() if info.exists() else []
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    named = [facts.get(name, "") for name in ("vendor_id", "cpu family", "model")]
    flags = hashlib.sha256(" ".join(sorted(facts.get("flags", "").split())).encode()).hexdigest()
    return " ".join([*named, flags[:8]]) if all(named) else platform.processor() or platform.machine()


def say(line: str) -> None:
    """Tell how things stand."""
    print(line, flush=True)
