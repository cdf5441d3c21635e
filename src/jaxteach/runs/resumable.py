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
from jaxteach.runs.chunk_files import read_chunk, write_chunk, write_params
from jaxteach.runs.resources import told_of_memory
from jaxteach.runs.run_folder import RunFolder
from jaxteach.training.evaluation import as_arrays
from jaxteach.training.nan_locator import DivergenceWatch
from jaxteach.training.program import Program
from jaxteach.training.train import Progress, Stop, Training, split, train_chunk
from jaxteach.training.trials import IntArray
from jaxteach.utils.numerics import as_fixed


@as_fixed
def run_session(
    program: Program,
    folder: RunFolder,
    checkpoints: Checkpoints,
    *,
    on_segment: Callable[[Progress], None] = lambda progress: None,
    on_evaluation: Callable[[int, int, int], None] = lambda chunk, n_chunks, n_trials: None,
    stop: Stop = lambda: False,
    notice: Callable[[str], None] = lambda line: None,
    keep_params: bool = True,
    debug_nans: bool = False,
    only: range | None = None,
) -> Training:
    """Train what a run's folder does not hold yet.

    Finished chunks are taken from the folder, the running one from its newest intact checkpoint. Each
    chunk is evaluated and written as it ends, and its parameters leave memory.

    Args:
        program: compiled.
        folder: the run's.
        checkpoints: the run's.
        on_segment: called after each segment.
        on_evaluation: called before a chunk is evaluated, with its number, how many chunks the run
            has and how many trials the chunk.
        stop: asked after each segment; the state is then saved, and the session ends.
        notice: called with one line for the user.
        keep_params: whether parameters are written, or gone once they are evaluated.
        debug_nans: look for the place where the first NaN arises, and end there.
        only: the numbers of the chunks to train, those of a shard; by default all.

    Returns:
        The run's result so far.

    Raises:
        UserError: something cannot be written, or was written by another run; what was saved stays. Or,
            with debug_nans, a seed diverged.
    """
    points, run = program.points, checkpoints.fingerprint
    chunks = split(program.plan.config, program.width)
    numbers = range(len(chunks)) if only is None else only
    training = Training((), sum(len(chunks[number]) for number in numbers))
    watch = DivergenceWatch(program, notice, debug_nans)

    def after_segment(progress: Progress) -> None:
        watch.after_segment(progress)
        on_segment(progress)
        checkpoints.after_segment(progress)

    def earlier(seconds: float) -> Training:
        return dataclasses.replace(training, earlier_seconds=training.earlier_seconds + seconds)

    for number in numbers:
        trials = chunks[number]
        done = read_chunk(folder, points, number, trials, run, keep_params, notice)
        if done is not None:
            training = earlier(done.seconds + done.evaluate_seconds).plus(done)
            checkpoints.finish(number)
            continue
        if stop():
            break
        with told_of_memory(program):
            blank = functools.partial(program.init, program.seeds_on_devices(trials))
            start = checkpoints.load(number, len(trials), blank)
            training = earlier(start.chunk_seconds if start else 0.0)
            folder.rewind_lines(number, start.log.n_updates if start else 0)
            watch.begin(start)
            chunk = train_chunk(
                program,
                number,
                trials,
                training,
                n_chunks=len(chunks),
                start=start,
                on_segment=after_segment,
                stop=stop,
            )
        if not chunk.complete:
            write_params(folder, points, number, trials, chunk.params, finished=False)
            return training.plus(dataclasses.replace(chunk, params=None))
        began = time.perf_counter()
        on_evaluation(number, len(chunks), len(trials))
        with told_of_memory(program):
            final = evaluate(program, trials, chunk.params)
        seconds = time.perf_counter() - began
        if keep_params:
            write_params(folder, points, number, trials, chunk.params, finished=True)
        chunk = dataclasses.replace(chunk, final=final, evaluate_seconds=seconds, params=None)
        write_chunk(folder, number, chunk, run)
        training = training.plus(chunk)
        checkpoints.finish(number)
    return training


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
