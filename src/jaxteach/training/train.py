"""Training many seeds, chunk by chunk: results are written as each chunk ends."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from jaxteach.config import Config, resolve
from jaxteach.teacher.table import PlanTable
from jaxteach.training.metrics import MetricsLog, join_chunks
from jaxteach.training.program import Program, compile_program, run_chunk
from jaxteach.training.state import SeedState

Stop = Callable[[], bool]


@dataclasses.dataclass(frozen=True)
class Training:
    """What training leaves, per seed.

    Attributes:
        seed_ids: int64[seed].
        params: the students' parameters, [seed, ...].
        metrics: [seed, update] arrays, see `training.metrics.ARRAYS`.
        compile_seconds: what compiling took.
        train_seconds: what training took, compiling left out.
        complete: whether every seed reached its environment steps.
    """

    seed_ids: npt.NDArray[np.int64]
    params: Any
    metrics: dict[str, npt.NDArray[Any]]
    compile_seconds: float
    train_seconds: float
    complete: bool


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where training stands after a segment.

    Attributes:
        chunk: number of the running chunk.
        seed_ids: its seeds.
        log: its metrics so far.
        share: how much of the whole run is done, 0 to 1.
        env_steps: environment steps taken so far, all chunks together.
        seconds: since training began.
    """

    chunk: int
    seed_ids: npt.NDArray[np.int64]
    log: MetricsLog
    share: float
    env_steps: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class ChunkResult:
    """A chunk's end: its seeds, parameters [seed, ...] and metrics [seed, update]."""

    chunk: int
    seed_ids: npt.NDArray[np.int64]
    params: Any
    metrics: dict[str, npt.NDArray[Any]]


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
    """Train students, one for each seed.

    Args:
        config: what to train; presets fill what it leaves open.
        teacher: the teacher's table; None trains by reinforcement alone.
        seed_ids: ids of the seeds; by default `config.seeds` of them from `config.first_seed`.
        program: a program compiled before for the same configuration and teacher.
        on_segment: called after each segment.
        on_chunk: called as each chunk ends, or stops.
        stop: asked after each segment; training ends early, with what it has, once it is true.

    Returns:
        Parameters and metrics of every seed that was begun.

    Raises:
        UserError: if the configuration cannot be run.
    """
    config = resolve(config)
    program = program or compile_program(config, teacher)
    first, count = config.first_seed, config.seeds
    ids = np.asarray(range(first, first + count) if seed_ids is None else seed_ids, np.int64)
    began, results, env_steps = time.perf_counter(), [], 0
    complete = True
    for chunk, start in enumerate(range(0, len(ids), program.width)):
        if not complete:
            break
        chunk_ids = ids[start : start + program.width]
        log = MetricsLog(len(chunk_ids))
        for state in run_chunk(program, chunk_ids, log):
            done = steps_taken(state, len(chunk_ids))
            within = min(1.0, float(np.min(done)) / program.plan.config.env_steps)  # type: ignore[operator]
            on_segment(
                Progress(
                    chunk=chunk,
                    seed_ids=chunk_ids,
                    log=log,
                    share=(start + within * len(chunk_ids)) / len(ids),
                    env_steps=env_steps + int(np.sum(done)),
                    seconds=time.perf_counter() - began,
                )
            )
            complete = within >= 1.0
            if not complete and stop():
                break
        env_steps += int(np.sum(done))
        n_seeds = len(chunk_ids)
        params = jax.tree.map(lambda x, n=n_seeds: np.asarray(x)[:n], state.params)
        results.append(ChunkResult(chunk, chunk_ids, params, log.arrays()))
        on_chunk(results[-1])
        if start + program.width < len(ids) and stop():
            complete = False
    return Training(
        seed_ids=np.concatenate([result.seed_ids for result in results]),
        params=jax.tree.map(lambda *leaves: np.concatenate(leaves), *(r.params for r in results)),
        metrics=join_chunks([result.metrics for result in results]),
        compile_seconds=program.compile_seconds,
        train_seconds=time.perf_counter() - began,
        complete=complete,
    )


def steps_taken(state: SeedState, n_seeds: int) -> npt.NDArray[Any]:
    """Environment steps of each seed of a chunk so far, padding left out."""
    return np.asarray(jax.device_get(state.env_steps))[:n_seeds]
