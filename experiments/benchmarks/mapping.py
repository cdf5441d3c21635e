"""Seeds of a chunk side by side (vmap), one after another (map), or in groups: which is faster."""

import functools

from benchmarks.chunk import EVERYWHERE, STACKED, Chunk
from benchmarks.stages import timed_over
from benchmarks.timing import Variant
from jaxteach.training.loop import run_segment
from jaxteach.training.program import SEEDS


def grouped_training(chunk: Chunk, n_updates: int, together: int) -> Variant:
    """Whole updates of a chunk whose seeds run in groups, on each device one group after another.

    Args:
        chunk: the seeds.
        n_updates: in a call, from the first.
        together: seeds of a group, side by side; divides the seeds of a device.

    Returns:
        A unit is an environment step.
    """

    run = chunk.split(
        functools.partial(run_segment, chunk.plan, n_updates, together),
        (SEEDS, SEEDS, SEEDS, EVERYWHERE, EVERYWHERE),
        (SEEDS, STACKED),
    )
    arguments = (chunk.state(), chunk.ids, chunk.hyper, chunk.teacher, chunk.first)
    return timed_over(chunk, run, arguments, float(chunk.env_steps * n_updates))
