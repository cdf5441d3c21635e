"""What a run needs: memory for a chunk, disk for its results, and how wide a chunk may be."""

import contextlib
import dataclasses
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from jaxteach.config import Config
from jaxteach.runs.checkpoints import KEPT
from jaxteach.runs.folders import in_words
from jaxteach.runs.memory import device_memory, free_memory
from jaxteach.teacher.table import PlanTable
from jaxteach.training.compilation import compile_program
from jaxteach.training.metrics import ARRAYS
from jaxteach.training.program import Program
from jaxteach.training.train import split
from jaxteach.utils.errors import UserError

PROBE = 8
"""Seeds a device of the program that is compiled to measure what a seed needs."""
WIDEST = 256
"""Seeds a device that run together by default on accelerators, at most."""
SHARE = 0.6
"""Share of a device's memory that a chunk takes by default, at most."""


def on_cpu() -> bool:
    """Whether training runs on a CPU: there a fixed narrow width is fastest, and not chosen by memory."""
    return jax.default_backend() == "cpu"


def choose_width(config: Config, table: PlanTable | None) -> int:
    """How many seeds to run together on accelerators: as many as fit, up to `WIDEST` a device.

    Compiles the program for `PROBE` seeds a device to see what a seed needs; never looks at how many
    seeds there are, nor at what else is in memory, for results depend on the width in their last bits.

    Args:
        config: resolved, but for the width.
        table: the teacher's table, or None.

    Returns:
        A power of two for each device.
    """
    n_devices = jax.local_device_count()
    probe = compile_program(
        dataclasses.replace(config, seeds_per_chunk=PROBE * n_devices), table, evaluated=True
    )
    limit = device_memory()
    return n_devices * (PROBE if limit is None else widest(memory_of(probe) / PROBE, SHARE * limit, WIDEST))


def widest(per_seed: float, limit: float, most: int) -> int:
    """The largest power of two of seeds that a limit of bytes has room for, at least 1.

    >>> widest(per_seed=1e6, limit=1e8, most=256), widest(1e6, 1e12, 256), widest(1e6, 1.0, 256)
    (64, 256, 1)
    """
    width = 1
    while 2 * width <= most and 2 * width * per_seed <= limit:
        width *= 2
    return width


def memory_of(program: Program) -> int:
    """What a chunk needs on each device to be trained and evaluated, in bytes, as the compiler counts it."""
    return max(needed(program.segment), needed(program.evaluation()))


def needed(compiled: Any) -> int:
    """What a compiled program needs on each device, in bytes."""
    # Compiled.memory_analysis knows one device; what is donated is not needed twice.
    found = compiled.memory_analysis()
    parts = found.temp_size_in_bytes, found.argument_size_in_bytes, found.output_size_in_bytes
    return int(sum(parts) - found.alias_size_in_bytes)


def check_memory(program: Program, begun: bool = False) -> None:
    """Refuse a chunk that has no room, where it can be told how much there is.

    Args:
        program: compiled.
        begun: whether the run continues, and has to keep its width.

    Raises:
        UserError: saying which width would fit.
    """
    need, free = memory_of(program), free_memory()
    if free is not None and need > free:
        raise UserError(
            f"a chunk of {program.width} seeds needs about {in_words(need)} of memory on each device, and "
            f"{in_words(free)} are free: {what_fits(program, free, begun)}"
        )


@contextlib.contextmanager
def told_of_memory(program: Program | None = None) -> Iterator[None]:
    """A context in which running out of memory is reported in one line.

    Args:
        program: what runs; None while there is none yet.

    Raises:
        UserError: saying which width would fit.
    """
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        if program is None:
            raise UserError(
                "out of memory while compiling: choose a smaller --seeds-per-chunk, or end other processes"
            ) from error
        raise UserError(
            f"out of memory with {program.width} seeds together; finished chunks stay: "
            f"{what_fits(program, memory_of(program) // 2, begun=True)}"
        ) from error


def what_fits(program: Program, limit: float, begun: bool) -> str:
    """What to do about a chunk that has no room, in words."""
    elsewhere = ", in another --out: a run that has begun keeps its width" if begun else ""
    n_devices = program.by_seed.mesh.size
    per_seed = memory_of(program) * n_devices / program.width
    if per_seed > limit:
        return "not even one seed fits; choose fewer --rollout.envs or --rollout.steps, or a smaller student"
    width = n_devices * widest(per_seed, limit, max(1, program.width // (2 * n_devices)))
    return f"--seeds-per-chunk {width} would fit{elsewhere}"


def count_trials(program: Program, folder: Path, only: range | None = None) -> tuple[int, int]:
    """How many trials a run has, and how many of them are in chunks that are finished.

    Args:
        program: compiled.
        folder: the run's.
        only: the numbers of its shard's chunks; None for all.
    """
    chunks = split(program.plan.config, program.width)
    numbers = range(len(chunks)) if only is None else only
    finished = [chunk for chunk in numbers if (folder / f"metrics/{chunk:05d}.npz").exists()]
    return sum(len(chunks[chunk]) for chunk in numbers), sum(len(chunks[chunk]) for chunk in finished)


def disk_of(program: Program, n_trials: int, keep_params: bool, n_finished: int = 0) -> int:
    """What a run has yet to leave on disk or needs there on the way, in bytes, at most.

    Args:
        program: compiled.
        n_trials: seeds times points of the sweep.
        keep_params: whether parameters are written.
        n_finished: trials of chunks that are on disk already.
    """
    n_left = n_trials - n_finished
    state = program.segment.args_info[0][0]
    metrics = (n_left + n_trials) * program.plan.n_updates * len(ARRAYS) * 8  # by chunk, and joined
    params = n_left * bytes_of(state.params) // program.width if keep_params else 0
    # One more than are kept, for the oldest goes once the newest is whole.
    return metrics + params + ((KEPT + 1) * bytes_of(state) if n_left else 0)


def check_disk(program: Program, folder: Path, n_trials: int, keep_params: bool, n_finished: int = 0) -> str:
    """Refuse a run whose results have no room.

    Args:
        program: compiled.
        folder: the run's, there already.
        n_trials: seeds times points of the sweep.
        keep_params: whether parameters are written.
        n_finished: trials of chunks that are on disk already.

    Returns:
        What is needed and free, in words.

    Raises:
        UserError: if there is not enough.
    """
    need, free = disk_of(program, n_trials, keep_params, n_finished), shutil.disk_usage(folder).free
    words = f"up to {in_words(need)} of disk needed, {in_words(free)} free"
    if need > free:
        keep = ", or --keep-params none" if keep_params else ""
        raise UserError(f"{folder}: {words}: choose another --out, fewer --seeds{keep}")
    return words


def bytes_of(tree: Any) -> int:
    """Bytes of all arrays of a tree."""
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(tree))
