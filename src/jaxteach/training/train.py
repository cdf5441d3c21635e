"""Training many seeds, chunk by chunk."""

import dataclasses
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
from jaxteach.training.metrics import MetricsLog, join_chunks
from jaxteach.training.program import Program, compile_program, run_chunk
from jaxteach.training.state import Plan, SeedState
from jaxteach.training.trials import IntArray, seeds_of, trials_of
from jaxteach.utils.numerics import as_fixed

Stop = Callable[[], bool]


@dataclasses.dataclass(frozen=True)
class Training:
    """What training leaves, per seed, and with a sweep per point.

    Attributes:
        trials: int64[trial], seeds at points of the sweep, see `training.trials`; without one the seeds' ids.
        params: the students' parameters, [trial, ...].
        metrics: [trial, update] arrays, see `training.metrics.ARRAYS`.
        compile_seconds: what compiling took.
        train_seconds: what training took, compiling left out.
        complete: whether every trial reached its environment steps.
        diverged_at: int64[trial], the update in which a trial diverged and was frozen; -1 for the others.
    """

    trials: IntArray
    params: Any
    metrics: dict[str, npt.NDArray[Any]]
    compile_seconds: float
    train_seconds: float
    complete: bool
    diverged_at: IntArray

    @property
    def seed_ids(self) -> npt.NDArray[np.uint32]:
        """The seed of each trial."""
        return seeds_of(self.trials)


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where training stands after a segment.

    Attributes:
        chunk: number of the running chunk, from 0.
        n_chunks: chunks of the whole run, all shards together.
        trials: the chunk's trials.
        log: its metrics so far.
        updates: taken so far, all chunks together.
        all_updates: what `updates` ends at; None where that is not known ahead (whole episodes).
        share: how much of the whole run is done, 0 to 1.
        env_steps: environment steps taken so far, all chunks together.
        seconds: spent training so far, all chunks together.
        chunk_seconds: spent on the running chunk so far.
        state: the chunk's state, padding included; read from it at once, the next segment takes it.
        complete: whether the chunk has ended.
        stopping: whether training ends here.
    """

    chunk: int
    n_chunks: int
    trials: IntArray
    log: MetricsLog
    updates: int
    all_updates: int | None
    share: float
    env_steps: int
    seconds: float
    chunk_seconds: float
    state: SeedState
    complete: bool
    stopping: bool


@dataclasses.dataclass(frozen=True)
class ChunkResult:
    """What a chunk comes to.

    Attributes:
        chunk: its number.
        trials: its trials.
        params: their parameters, [trial, ...].
        metrics: [trial, update] arrays.
        diverged_at: int64[trial], see `Training`.
        seconds: what it took.
        complete: whether it ended, or was stopped.
    """

    chunk: int
    trials: IntArray
    params: Any
    metrics: dict[str, npt.NDArray[Any]]
    diverged_at: IntArray
    seconds: float
    complete: bool


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a chunk goes on: its state, padding included, its metrics so far and the seconds it took."""

    state: SeedState
    log: MetricsLog
    seconds: float


@dataclasses.dataclass
class Tally:
    """What the chunks that have ended come to, and what there is to do.

    Attributes:
        total: trials to train.
        n_chunks: chunks of the whole run, all shards together.
        all_updates: updates to take, all chunks together; None where that is not known ahead.
        trials: of the chunks that have ended; so are the other numbers.
        updates: taken.
        env_steps: taken.
        seconds: of training.
    """

    total: int
    n_chunks: int
    all_updates: int | None
    trials: int = 0
    updates: int = 0
    env_steps: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, plan: Plan, chunks: Sequence[IntArray], n_chunks: int | None = None) -> "Tally":
        """Before the first of some chunks; `n_chunks` if they are not all of the run's."""
        trials = sum(len(chunk) for chunk in chunks)
        all_updates = None if plan.by_episodes else plan.n_updates * len(chunks)
        return cls(trials, n_chunks or len(chunks), all_updates)

    def add(self, trials: int, updates: int, env_steps: int, seconds: float) -> None:
        """Count a chunk that has ended."""
        self.trials += trials
        self.updates += updates
        self.env_steps += env_steps
        self.seconds += seconds


@as_fixed
def train(
    config: Config,
    teacher: PlanTable | None = None,
    seed_ids: Sequence[int] | None = None,
    *,
    program: Program | None = None,
    on_segment: Callable[[Progress], None] = lambda progress: None,
    on_chunk: Callable[[ChunkResult], None] = lambda result: None,
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
    tally, results = Tally.of(program.plan, chunks), []
    for chunk, trials in enumerate(chunks):
        results.append(train_chunk(program, chunk, trials, tally, on_segment=on_segment, stop=stop))
        on_chunk(results[-1])
        if not results[-1].complete or (chunk + 1 < len(chunks) and stop()):
            break
    return Training(
        trials=np.concatenate([result.trials for result in results]),
        params=jax.tree.map(lambda *leaves: np.concatenate(leaves), *(r.params for r in results)),
        metrics=join_chunks([result.metrics for result in results]),
        compile_seconds=program.compile_seconds,
        train_seconds=sum(result.seconds for result in results),
        complete=tally.trials == tally.total,
        diverged_at=np.concatenate([result.diverged_at for result in results]),
    )


def split(config: Config, width: int, seed_ids: Sequence[int] | None = None) -> list[IntArray]:
    """The chunks of a run: the trials that train together, at most `width` each."""
    first, count = config.first_seed, config.seeds
    trials = trials_of(len(grid(config)), range(first, first + count) if seed_ids is None else seed_ids)
    return [trials[start : start + width] for start in range(0, len(trials), width)]


def train_chunk(
    program: Program,
    chunk: int,
    trials: IntArray,
    tally: Tally,
    *,
    start: Start | None = None,
    on_segment: Callable[[Progress], None] = lambda progress: None,
    stop: Stop = lambda: False,
) -> ChunkResult:
    """Train one chunk, from its beginning or from where it was left.

    Args:
        program: compiled.
        chunk: its number.
        trials: its trials, at most the program's width.
        tally: the chunks before; this one is added when it ends.
        start: where it was left.
        on_segment: called after each segment.
        stop: asked after each segment.

    Returns:
        What it has come to, whether it ended or was stopped.
    """
    n, goal = len(trials), program.plan.config.env_steps
    assert goal is not None
    log = start.log if start else MetricsLog(n)
    began = time.perf_counter() - (start.seconds if start else 0.0)
    for state in run_chunk(program, trials, log, start.state if start else None):
        done = np.asarray(jax.device_get(state.env_steps))[:n]
        within = min(1.0, float(np.min(done)) / goal)
        seconds, complete = time.perf_counter() - began, within >= 1.0
        progress = Progress(
            chunk=chunk,
            n_chunks=tally.n_chunks,
            trials=trials,
            log=log,
            updates=tally.updates + log.n_updates,
            all_updates=tally.all_updates,
            share=(tally.trials + within * n) / tally.total,
            env_steps=tally.env_steps + int(np.sum(done)),
            seconds=tally.seconds + seconds,
            chunk_seconds=seconds,
            state=state,
            complete=complete,
            stopping=not complete and stop(),
        )
        on_segment(progress)
        if progress.stopping:
            break
    seconds = time.perf_counter() - began
    if complete:
        tally.add(n, log.n_updates, int(np.sum(done)), seconds)
    params = jax.tree.map(lambda x: np.asarray(x)[:n], state.params)
    return ChunkResult(chunk, trials, params, log.arrays(), log.diverged_at(), seconds, complete)
