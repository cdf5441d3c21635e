"""A run that survives: trains the chunks its folder lacks, and leaves each where nothing can lose it."""

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from jaxteach.runs.checkpoints import Checkpoints
from jaxteach.runs.chunk_files import Finished, read_chunk, write_chunk, write_params
from jaxteach.runs.resources import told_of_memory
from jaxteach.runs.run_folder import RunFolder
from jaxteach.training.evaluation import as_arrays
from jaxteach.training.metrics import join_chunks
from jaxteach.training.nan_locator import DivergenceWatch
from jaxteach.training.program import Program
from jaxteach.training.train import Progress, Stop, Tally, split, train_chunk
from jaxteach.training.trials import IntArray, points_of, seeds_of
from jaxteach.utils.numerics import as_fixed


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run has come to, over all of its processes.

    Attributes:
        chunks: what each chunk came to; the last may have been stopped.
        complete: whether every trial reached its environment steps and was evaluated.
        earlier_seconds: seconds of training and evaluation by earlier processes.
    """

    chunks: list[Finished]
    complete: bool
    earlier_seconds: float

    @property
    def seed_ids(self) -> npt.NDArray[np.int64]:
        """The seeds of the trials begun so far, int64[trial]."""
        return seeds_of(np.concatenate([chunk.trials for chunk in self.chunks])).astype(np.int64)

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        return sum(chunk.seconds for chunk in self.chunks)

    @property
    def evaluate_seconds(self) -> float:
        """Seconds of evaluation."""
        return sum(chunk.evaluate_seconds for chunk in self.chunks)

    @property
    def diverged(self) -> list[dict[str, int]]:
        """The seeds that diverged: {seed, update} each, for summary.json."""
        ids = self.seed_ids
        updates = np.concatenate([chunk.diverged_at for chunk in self.chunks])
        return [{"seed": int(ids[i]), "update": int(updates[i])} for i in np.flatnonzero(updates >= 0)]

    def metrics(self) -> dict[str, npt.NDArray[Any]]:
        """The [trial, update] arrays of metrics.npz."""
        return join_chunks([chunk.metrics for chunk in self.chunks])

    def final(self) -> dict[str, npt.NDArray[Any]]:
        """The final evaluation of a complete run: success_rate, return and length, float64[trial]."""
        names = self.chunks[0].final
        return {name: np.concatenate([chunk.final[name] for chunk in self.chunks]) for name in names}

    def at(self, point: int) -> "Outcome":
        """The same for one point of the sweep; there may be nothing yet."""
        parts = [(chunk, points_of(chunk.trials) == point) for chunk in self.chunks]
        own = [chunk.where(rows) for chunk, rows in parts if rows.any()]
        return Outcome(own, self.complete, 0.0)


@as_fixed
def run_session(
    program: Program,
    folder: RunFolder,
    checkpoints: Checkpoints,
    *,
    on_segment: Callable[[Progress], None] = lambda progress: None,
    on_evaluation: Callable[[int, int], None] = lambda chunk, n_trials: None,
    stop: Stop = lambda: False,
    notice: Callable[[str], None] = lambda line: None,
    keep_params: bool = True,
    debug_nans: bool = False,
    only: range | None = None,
) -> Outcome:
    """Train what a run's folder does not hold yet.

    Finished chunks are taken from the folder, the running one from its newest intact checkpoint. Each
    chunk is evaluated and written as it ends, and its parameters leave memory.

    Args:
        program: compiled.
        folder: the run's.
        checkpoints: the run's.
        on_segment: called after each segment.
        on_evaluation: called before a chunk is evaluated, with its number and how many trials it has.
        stop: asked after each segment; the state is then saved, and the session ends.
        notice: told in one line what a user should know.
        keep_params: whether parameters are written, or gone once they are evaluated.
        debug_nans: look for the place where the first NaN arises, and end there.
        only: the numbers of the chunks to train, those of a shard; by default all.

    Returns:
        What the run has come to so far.

    Raises:
        UserError: something cannot be written, or was written by another run; what was saved stays. Or,
            with debug_nans, a seed diverged.
    """
    points, run = program.points, checkpoints.fingerprint
    numbered = list(enumerate(split(program.plan.config, program.width)))
    chunks = numbered if only is None else [numbered[chunk] for chunk in only]
    tally = Tally.of(program.plan, [trials for _, trials in chunks], len(numbered))
    finished, earlier = [], 0.0
    watch = DivergenceWatch(program, notice, debug_nans)

    def after_segment(progress: Progress) -> None:
        watch.after_segment(progress)
        on_segment(progress)
        checkpoints.after_segment(progress)

    for chunk, trials in chunks:
        done = read_chunk(folder, points, chunk, trials, run, keep_params, notice)
        if done is not None:
            env_steps = done.metrics["env_steps"]
            tally.add(len(trials), env_steps.shape[1], int(env_steps[:, -1].sum()), done.seconds)
            finished.append(done)
            earlier += done.seconds + done.evaluate_seconds
            checkpoints.finish(chunk)
            continue
        if stop():
            return Outcome(finished, False, earlier)
        with told_of_memory(program):
            blank = functools.partial(program.init, program.seeds_on_devices(trials))
            start = checkpoints.load(chunk, len(trials), blank)
            earlier += start.seconds if start else 0.0
            folder.rewind_lines(chunk, start.log.n_updates if start else 0)
            watch.begin(start)
            result = train_chunk(
                program, chunk, trials, tally, start=start, on_segment=after_segment, stop=stop
            )
        came_to = Finished(trials, result.metrics, result.diverged_at, result.seconds, {}, 0.0)
        if not result.complete:
            write_params(folder, points, chunk, trials, result.params, finished=False)
            return Outcome([*finished, came_to], False, earlier)
        began = time.perf_counter()
        on_evaluation(chunk, len(trials))
        with told_of_memory(program):
            final = evaluate(program, trials, result.params)
        came_to = dataclasses.replace(came_to, final=final, evaluate_seconds=time.perf_counter() - began)
        if keep_params:
            write_params(folder, points, chunk, trials, result.params, finished=True)
        write_chunk(folder, chunk, came_to, run)
        finished.append(came_to)
        checkpoints.finish(chunk)
    return Outcome(finished, True, earlier)


def evaluate(program: Program, trials: IntArray, params: Any) -> dict[str, npt.NDArray[Any]]:
    """Fresh episodes of a chunk's students.

    Args:
        program: the run's.
        trials: the chunk's.
        params: [trial, ...].

    Returns:
        success_rate, return and length, float64[trial].
    """
    rows = np.minimum(np.arange(program.width), len(trials) - 1)
    params = jax.device_put(jax.tree.map(lambda x: x[rows], params), program.by_seed)
    played = program.evaluation()(params, program.seeds_on_devices(trials))
    return {name: values[: len(trials)] for name, values in as_arrays(played).items()}
