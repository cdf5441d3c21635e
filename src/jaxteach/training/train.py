"""Training many seeds, chunk by chunk."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from jaxteach.config import Config, resolve
from jaxteach.config.effects import check_sweep
from jaxteach.config.sweep import grid
from jaxteach.teacher.table import PlanTable
from jaxteach.training.compilation import compile_program
from jaxteach.training.live import LivePoint, live_point
from jaxteach.training.metrics import MetricsLog, join_chunks
from jaxteach.training.program import Program, run_chunk
from jaxteach.training.state import SeedState
from jaxteach.training.trials import IntArray, points_of, seeds_of, trials_of
from jaxteach.utils.numerics import as_fixed
from jaxteach.utils.on_host import on_host

Stop = Callable[[], bool]
Arrays = dict[str, npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A chunk's results.

    Attributes:
        trials: int64[trial], seeds at points of the sweep, see `training.trials`.
        metrics: [trial, update] arrays, see `training.metrics.ARRAYS`.
        diverged_at: int64[trial], the update in which a trial diverged and was frozen; -1 for the others.
        seconds: what training it took.
        final: its final evaluation, [trial] arrays; empty if it has not been evaluated.
        evaluate_seconds: what that took.
        params: the students' parameters, [trial, ...]; None once they are on disk or no longer wanted.
        complete: whether every trial reached its environment steps.
    """

    trials: IntArray
    metrics: Arrays
    diverged_at: IntArray
    seconds: float
    final: Arrays = dataclasses.field(default_factory=dict)
    evaluate_seconds: float = 0.0
    params: Any = None
    complete: bool = True

    @functools.cached_property
    def env_steps(self) -> int:
        """Environment steps taken, all trials together."""
        return int(self.metrics["env_steps"][:, -1].sum())

    @property
    def updates(self) -> int:
        """Updates taken."""
        return self.metrics["env_steps"].shape[1]

    def where(self, rows: npt.NDArray[Any]) -> "Chunk":
        """The same for some of its trials; its seconds are shared out evenly."""
        share = len(self.trials[rows]) / len(self.trials)
        return dataclasses.replace(
            self,
            trials=self.trials[rows],
            metrics={name: array[rows] for name, array in self.metrics.items()},
            diverged_at=self.diverged_at[rows],
            seconds=self.seconds * share,
            final={name: array[rows] for name, array in self.final.items()},
            evaluate_seconds=self.evaluate_seconds * share,
            params=jax.tree.map(lambda x: x[rows], self.params),
        )


@dataclasses.dataclass(frozen=True)
class Training:
    """The result of training so far, over all of a run's processes.

    Attributes:
        chunks: those begun so far; the last may have been stopped.
        n_trials: trials to train in all.
        compile_seconds: what compiling took.
        earlier_seconds: seconds of training and evaluation by earlier processes.
    """

    chunks: tuple[Chunk, ...]
    n_trials: int
    compile_seconds: float = 0.0
    earlier_seconds: float = 0.0

    def plus(self, chunk: Chunk) -> "Training":
        """The same with one chunk more."""
        return dataclasses.replace(self, chunks=(*self.chunks, chunk))

    @property
    def complete(self) -> bool:
        """Whether every trial reached its environment steps."""
        return sum(len(chunk.trials) for chunk in self.chunks if chunk.complete) == self.n_trials

    @property
    def trials(self) -> IntArray:
        """Seeds at points of the sweep, int64[trial], see `training.trials`; without one the seeds' ids."""
        return np.concatenate([chunk.trials for chunk in self.chunks])

    @property
    def seed_ids(self) -> npt.NDArray[np.int64]:
        """The seed of each trial, int64[trial]."""
        return seeds_of(self.trials).astype(np.int64)

    @functools.cached_property
    def params(self) -> Any:
        """The students' parameters, [trial, ...], if they have been kept in memory."""
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *(chunk.params for chunk in self.chunks))

    @functools.cached_property
    def metrics(self) -> Arrays:
        """[trial, update] arrays, see `training.metrics.ARRAYS`."""
        return join_chunks([chunk.metrics for chunk in self.chunks])

    @property
    def final(self) -> Arrays:
        """The final evaluation, if there was one: success_rate, return and length, float64[trial]."""
        names = self.chunks[0].final
        return {name: np.concatenate([chunk.final[name] for chunk in self.chunks]) for name in names}

    @property
    def diverged_at(self) -> IntArray:
        """int64[trial], the update in which a trial diverged and was frozen; -1 for the others."""
        return np.concatenate([chunk.diverged_at for chunk in self.chunks])

    @property
    def diverged(self) -> list[dict[str, int]]:
        """The seeds that diverged: {seed, update} each."""
        ids, updates = self.seed_ids, self.diverged_at
        return [{"seed": int(ids[i]), "update": int(updates[i])} for i in np.flatnonzero(updates >= 0)]

    @property
    def updates(self) -> int:
        """Updates taken, all chunks together."""
        return sum(chunk.updates for chunk in self.chunks)

    @property
    def env_steps(self) -> int:
        """Environment steps taken, all trials together."""
        return sum(chunk.env_steps for chunk in self.chunks)

    @property
    def seconds(self) -> float:
        """Seconds of training, compiling left out."""
        return sum(chunk.seconds for chunk in self.chunks)

    @property
    def evaluate_seconds(self) -> float:
        """Seconds of evaluation."""
        return sum(chunk.evaluate_seconds for chunk in self.chunks)

    def at(self, point: int) -> "Training":
        """The same for one point of the sweep; there may be nothing yet."""
        parts = [(chunk, points_of(chunk.trials) == point) for chunk in self.chunks]
        own = tuple(chunk.where(rows) for chunk, rows in parts if rows.any())
        return Training(own, sum(len(chunk.trials) for chunk in own))


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a running chunk stands: all that it needs to continue.

    Attributes:
        state: its state, padding included; after a segment read it at once, the next segment takes it.
        log: its metrics so far.
        chunk_seconds: spent on it so far.
    """

    state: SeedState
    log: MetricsLog
    chunk_seconds: float


@dataclasses.dataclass(frozen=True)
class Progress(Standing):
    """Where training stands after a segment.

    Attributes:
        chunk: number of the running chunk, from 0.
        n_chunks: chunks of the whole run, all shards together.
        trials: the chunk's trials.
        before: the chunks that have ended.
        all_updates: what `updates` ends at; None where that is not known ahead (whole episodes).
        chunk_share: how much of the chunk is done, 0 to 1.
        chunk_env_steps: environment steps taken by the chunk so far.
        stopping: whether training ends here.
    """

    chunk: int
    n_chunks: int
    trials: IntArray
    before: Training
    all_updates: int | None
    chunk_share: float
    chunk_env_steps: int
    stopping: bool

    @property
    def complete(self) -> bool:
        """Whether the chunk has ended."""
        return self.chunk_share >= 1.0

    @functools.cached_property
    def point(self) -> LivePoint:
        """What this segment has shown, worked out once."""
        return live_point(self)

    @property
    def updates(self) -> int:
        """Updates taken so far, all chunks together."""
        return self.before.updates + self.log.n_updates

    @property
    def share(self) -> float:
        """How much of what there is to train is done, 0 to 1."""
        done = sum(len(chunk.trials) for chunk in self.before.chunks)
        return (done + self.chunk_share * len(self.trials)) / self.before.n_trials

    @property
    def env_steps(self) -> int:
        """Environment steps taken so far, all chunks together."""
        return self.before.env_steps + self.chunk_env_steps

    @property
    def seconds(self) -> float:
        """Seconds spent training so far, all chunks together."""
        return self.before.seconds + self.chunk_seconds


@as_fixed
def train(
    config: Config,
    teacher: PlanTable | None = None,
    seed_ids: Sequence[int] | None = None,
    *,
    program: Program | None = None,
    on_segment: Callable[[Progress], None] = lambda progress: None,
    on_chunk: Callable[[Chunk], None] = lambda chunk: None,
    stop: Stop = lambda: False,
) -> Training:
    """Train students, one for each seed, and keep everything in memory.

    Args:
        config: what to train; presets fill what it leaves open. Each seed is trained at each point of
            its sweep.
        teacher: the teacher's table; None trains by reinforcement alone.
        seed_ids: ids of the seeds; by default `config.seeds` of them from `config.first_seed`.
        program: a program compiled before for the same configuration and teacher.
        on_segment: called after each segment.
        on_chunk: called as each chunk ends, or stops.
        stop: asked after each segment; training ends early, with what it has, once it is true.

    Returns:
        Parameters and metrics of every trial that was begun.

    Raises:
        UserError: if the configuration cannot be run.
    """
    check_sweep(config)
    config = resolve(config)
    program = program or compile_program(config, teacher)
    chunks = split(config, program.width, seed_ids)
    training = Training((), sum(len(trials) for trials in chunks), program.compile_seconds)
    for number, trials in enumerate(chunks):
        chunk = train_chunk(program, number, trials, training, on_segment=on_segment, stop=stop)
        training = training.plus(chunk)
        on_chunk(chunk)
        if not chunk.complete or (number + 1 < len(chunks) and stop()):
            break
    return training


def split(config: Config, width: int, seed_ids: Sequence[int] | None = None) -> list[IntArray]:
    """The chunks of a run: the trials that train together, at most `width` each."""
    first, count = config.first_seed, config.seeds
    trials = trials_of(len(grid(config)), range(first, first + count) if seed_ids is None else seed_ids)
    return [trials[start : start + width] for start in range(0, len(trials), width)]


def train_chunk(
    program: Program,
    number: int,
    trials: IntArray,
    before: Training,
    *,
    n_chunks: int | None = None,
    start: Standing | None = None,
    on_segment: Callable[[Progress], None] = lambda progress: None,
    stop: Stop = lambda: False,
) -> Chunk:
    """Train one chunk, from its beginning or from where it was left.

    Args:
        program: compiled.
        number: its number.
        trials: its trials, at most the program's width.
        before: the chunks before, and how many trials there are to train.
        n_chunks: chunks of the whole run, if those to train are not all of them.
        start: where it was left.
        on_segment: called after each segment.
        stop: asked after each segment.

    Returns:
        Its results, whether it ended or was stopped.
    """
    n, plan = len(trials), program.plan
    to_train = -(-before.n_trials // program.width)
    log = start.log if start else MetricsLog(n)
    began = time.perf_counter() - (start.chunk_seconds if start else 0.0)
    for state in run_chunk(program, trials, log, start.state if start else None):
        done = on_host(state.env_steps)[:n]
        share = min(1.0, float(np.min(done)) / plan.env_steps)
        progress = Progress(
            state=state,
            log=log,
            chunk_seconds=time.perf_counter() - began,
            chunk=number,
            n_chunks=n_chunks or to_train,
            trials=trials,
            before=before,
            all_updates=None if plan.by_episodes else plan.n_updates * to_train,
            chunk_share=share,
            chunk_env_steps=int(np.sum(done)),
            stopping=share < 1.0 and stop(),
        )
        on_segment(progress)
        if progress.stopping:
            break
    return Chunk(
        trials=trials,
        metrics=log.arrays(),
        diverged_at=log.diverged_at(),
        seconds=time.perf_counter() - began,
        params=jax.tree.map(lambda x: x[:n], on_host(state.params)),
        complete=progress.complete,
    )
