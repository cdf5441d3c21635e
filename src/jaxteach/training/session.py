"""A run that survives: trains the chunks its folder lacks, and leaves each where nothing can lose it."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from jaxteach.training.checkpoints import Checkpoints
from jaxteach.training.locating import DivergenceWatch
from jaxteach.training.metrics import join_chunks
from jaxteach.training.program import Program, pad
from jaxteach.training.runfolder import Finished, RunFolder
from jaxteach.training.train import Progress, Stop, Tally, split, train_chunk


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run has come to, over all of its processes.

    Attributes:
        chunks: what each chunk came to; the last may have been stopped.
        complete: whether every seed reached its environment steps.
        earlier_seconds: seconds of training by earlier processes.
    """

    chunks: list[Finished]
    complete: bool
    earlier_seconds: float

    @property
    def seed_ids(self) -> npt.NDArray[np.int64]:
        """The seeds begun so far, int64[seed]."""
        return np.concatenate([chunk.seed_ids for chunk in self.chunks])

    @property
    def seconds(self) -> float:
        """Seconds of training."""
        return sum(chunk.seconds for chunk in self.chunks)

    @property
    def diverged(self) -> list[dict[str, int]]:
        """The seeds that diverged: {seed, update} each, for summary.json."""
        ids = self.seed_ids
        updates = np.concatenate([chunk.diverged_at for chunk in self.chunks])
        return [{"seed": int(ids[i]), "update": int(updates[i])} for i in np.flatnonzero(updates >= 0)]

    def metrics(self) -> dict[str, npt.NDArray[Any]]:
        """The [seed, update] arrays of metrics.npz."""
        return join_chunks([chunk.metrics for chunk in self.chunks])


def run_session(
    program: Program,
    folder: RunFolder,
    checkpoints: Checkpoints,
    *,
    on_segment: Callable[[Progress], None] = lambda progress: None,
    stop: Stop = lambda: False,
    notice: Callable[[str], None] = lambda line: None,
    debug_nans: bool = False,
) -> Outcome:
    """Train what a run's folder does not hold yet.

    Finished chunks are taken from the folder, the running one from its newest intact checkpoint. Each
    chunk is written as it ends, and its parameters leave memory.

    Args:
        program: compiled.
        folder: the run's.
        checkpoints: the run's.
        on_segment: called after each segment.
        stop: asked after each segment; the state is then saved, and the session ends.
        notice: told in one line what a user should know.
        debug_nans: look for the place where the first NaN arises, and end there.

    Returns:
        What the run has come to so far.

    Raises:
        UserError: something cannot be written, or was written by another run; what was saved stays. Or,
            with debug_nans, a seed diverged.
    """
    chunks = split(program.plan.config, program.width)
    tally, finished, earlier = Tally(sum(len(ids) for ids in chunks)), [], 0.0
    watch = DivergenceWatch(program, notice, debug_nans)

    def after_segment(progress: Progress) -> None:
        watch.after_segment(progress)
        on_segment(progress)
        checkpoints.after_segment(progress)

    for chunk, ids in enumerate(chunks):
        done = folder.read_chunk(chunk, ids, checkpoints.fingerprint, notice)
        if done is not None:
            tally.add(len(ids), int(done.metrics["env_steps"][:, -1].sum()), done.seconds)
            finished.append(done)
            earlier += done.seconds
            checkpoints.finish(chunk)
            continue
        if stop():
            return Outcome(finished, False, earlier)
        padded = jax.device_put(pad(ids, program.width), program.by_seed)
        start = checkpoints.load(chunk, len(ids), functools.partial(program.init, padded))
        earlier += start.seconds if start else 0.0
        folder.rewind_lines(chunk, start.log.n_updates if start else 0)
        watch.begin(start)
        result = train_chunk(program, chunk, ids, tally, start=start, on_segment=after_segment, stop=stop)
        finished.append(Finished(ids, result.metrics, result.diverged_at, result.seconds))
        if not result.complete:
            folder.write_unfinished(chunk, ids, result.params)
            return Outcome(finished, False, earlier)
        folder.write_chunk(chunk, finished[-1], result.params, checkpoints.fingerprint)
        checkpoints.finish(chunk)
    return Outcome(finished, True, earlier)
