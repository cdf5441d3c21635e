"""Runs of a session for tests: stopped where asked, told what it said, compared to the last bit."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxteach.runs import Checkpoints, RunFolder, run_session
from jaxteach.training import Program, Training

FINGERPRINT = "the run of these tests"


@dataclass
class Session:
    """One process's share of a run.

    Attributes:
        path: the run folder.
        program: compiled.
        every: segments between checkpoints.
        fingerprint: of the run.
        said: what the user was told.
        origins: what the fingerprint is of.
    """

    path: Path
    program: Program
    every: int | None = 1
    fingerprint: str = FINGERPRINT
    said: list[str] = field(default_factory=list)
    origins: dict[str, str | None] = field(default_factory=dict)

    def run(
        self, segments: int | None = None, on_segment: Any = lambda progress: None, **options: Any
    ) -> Training:
        """Train until the end, or until so many segments are done."""
        left = [10**6 if segments is None else segments]

        def after_segment(progress: Any) -> None:
            folder.append_line({"chunk": progress.chunk, "update": progress.log.n_updates})
            on_segment(progress)

        def stop() -> bool:
            # Asked before each chunk and after each segment but a chunk's last.
            left[0] -= 1
            return left[0] < 0

        self.path.mkdir(parents=True, exist_ok=True)
        folder = RunFolder(self.path)
        with Checkpoints(
            self.path, self.fingerprint, self.every, self.said.append, self.origins
        ) as checkpoints:
            return run_session(
                self.program,
                folder,
                checkpoints,
                on_segment=after_segment,
                stop=stop,
                notice=self.said.append,
                **options,
            )


def assert_same(path: Path, outcome: Training, expected: Training) -> None:
    """Check that a run came to what it comes to uninterrupted, to the last bit."""
    assert outcome.complete
    np.testing.assert_array_equal(outcome.seed_ids, expected.seed_ids)
    metrics = outcome.metrics
    assert metrics.keys() == expected.metrics.keys()
    for name, array in metrics.items():
        assert array.dtype == expected.metrics[name].dtype
        assert array.tobytes() == expected.metrics[name].tobytes(), name
    parts = [RunFolder(path).read_params(chunk) for chunk in range(len(outcome.chunks))]
    params = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(expected.params), strict=True):
        assert ours.tobytes() == np.asarray(theirs).tobytes()


class Poisoned(Program):
    """A program with another learning rate for the second seed of every chunk."""

    bad_lr: float

    def hyper_on_devices(self, trials: Any) -> Any:
        """The hyperparameters of a chunk, one of them changed."""
        hyper = super().hyper_on_devices(trials)
        rates = np.array(hyper.config.ppo.lr)
        rates[1] = self.bad_lr
        return hyper.changed({"ppo.lr": jax.device_put(rates, self.by_seed)})


def poison(program: Program, lr: float) -> Program:
    """The same compiled program, with another learning rate for the second seed of every chunk."""
    poisoned = type("Poisoned", (Poisoned,), {"bad_lr": lr})
    return poisoned(**{field.name: getattr(program, field.name) for field in dataclasses.fields(program)})


def checkpoints_in(path: Path, chunk: int = 0) -> list[int]:
    """The updates of a chunk's checkpoints."""
    folder = path / "checkpoints" / f"{chunk:05d}"
    return sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal()) if folder.exists() else []
