"""What the figures share: how large an experiment is, and their command line."""

import argparse
import os
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
    "default": Scale("default", seeds=32, chunk=None, env_steps=None, episodes=200, window=100),
    "full": Scale("full", seeds=256, chunk=None, env_steps=None, episodes=200, window=100),
}


@dataclass(frozen=True)
class Options:
    """What the command line of a figure asks for.

    Attributes:
        figure: the figure's name.
        scale: how large.
        plan: only say what would be done.
        tasks: those asked for; empty for all.
    """

    figure: str
    scale: Scale
    plan: bool
    tasks: tuple[str, ...] = ()

    @property
    def out(self) -> Path:
        """Where results go: only those of the default scale belong into the repository."""
        if self.scale.name == "default":
            return ROOT / "experiments" / "results" / self.figure
        return ROOT / "experiments" / "out" / self.scale.name / self.figure


def main(description: str, body: Callable[["Options"], None], tasks: Sequence[str] = ()) -> None:
    """Run a figure's script: read its command line, start JAX, and report mistakes in one line.

    Args:
        description: the script's docstring.
        body: the figure, a function of `Options`.
        tasks: those that `--task` may choose among; none for a script that has no such flag.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="tiny: shows that it works, in a minute")
    size.add_argument("--full", action="store_true", help="hundreds of seeds")
    parser.add_argument(
        "--plan", action="store_true", help="only say what would be trained, and for how long"
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
        body(Options(Path(sys.argv[0]).stem, scale, given.plan, tuple(getattr(given, "task", None) or ())))

    cli(begin)


def say(line: str) -> None:
    """Tell how things stand."""
    print(line, flush=True)
