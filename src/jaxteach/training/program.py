"""The compiled program of a run: one segment for one chunk width, compiled once, timed apart."""

import dataclasses
import functools
from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.stages import Compiled

from jaxteach.config import Config
from jaxteach.config.pytree import Hyper
from jaxteach.config.sweep import Point
from jaxteach.teacher.corruption import AnyTeacher
from jaxteach.teacher.success import Success
from jaxteach.teacher.table import PlanTable
from jaxteach.training.evaluation import chunk_player, teacher_success
from jaxteach.training.metrics import MetricsLog
from jaxteach.training.state import Plan, SeedState, make_plan
from jaxteach.training.trials import IntArray, pad, points_of, seeds_of
from jaxteach.utils.jax_setup import check_width
from jaxteach.utils.on_host import on_host

SEGMENT_UPDATES = 8
"""Updates between two looks at the host, at most: short enough for a progress bar and for Ctrl-C."""
CPU_GROUP = 4
"""Seeds that run side by side on a device of a CPU, at most (docs/performance.md: wide chunks are slower)."""


@dataclasses.dataclass(frozen=True)
class Outline:
    """What is known of a program before anything is compiled.

    Attributes:
        plan: what is static.
        points: of the sweep; a single one without.
        teacher: the compiled table, or None.
        hyper: traced hyperparameters, [point].
        width: trials in a chunk.
        by_seed: how arrays with a leading trial axis lie on the devices: split evenly over all of them.
        segment_updates: K, updates in a segment.
        known: the success of the teacher alone, where it ships with its table or was measured; else None.
    """

    plan: Plan
    points: tuple[Point, ...]
    teacher: AnyTeacher | None
    hyper: Hyper
    width: int
    by_seed: NamedSharding
    segment_updates: int
    known: Success | None

    def seeds_on_devices(self, trials: IntArray) -> jax.Array:
        """The seed of each of a chunk's trials, u32[trial], split over the devices."""
        return jax.device_put(seeds_of(pad(trials, self.width)), self.by_seed)

    def hyper_on_devices(self, trials: IntArray) -> Hyper:
        """The hyperparameters of each of a chunk's trials, [trial], split over the devices."""
        points = points_of(pad(trials, self.width))
        return jax.device_put(jax.tree.map(lambda x: x[points], self.hyper), self.by_seed)

    def name(self, trial: int) -> str:
        """A trial as a user calls it: "seed 3", and in a sweep at which point."""
        point = self.points[trial >> 32]
        return f"seed {trial % 2**32}" + (f" at {point.label}" if point.label else "")


@dataclasses.dataclass(frozen=True)
class Program(Outline):
    """What runs a chunk of seeds.

    Attributes:
        init: seed ids u32[trial] to a state.
        segment: one segment, see `loop.run_segment`.
        compile_seconds: what compiling took.
        kept_evaluation: compiled, where it came with the rest.
        kept_teacher: compiled likewise, what plays the teacher alone; None where nothing has to.
    """

    init: Compiled
    segment: Compiled
    compile_seconds: float = 0.0
    kept_evaluation: Compiled | None = None
    kept_teacher: Compiled | None = None

    def evaluation(self) -> Compiled:
        """Fresh episodes of a chunk's students, see `chunk_player`; compiled when first asked for."""
        return self.kept_evaluation or compile_evaluation(self)

    @functools.cached_property
    def teacher_alone(self) -> Success | None:
        """The success of the teacher alone, known or by `evaluation.teacher_success`; None without one."""
        if self.teacher is None or self.known is not None:
            return self.known
        return teacher_success(self.plan.task, self.teacher, self.kept_teacher)


def segment_length(n_updates: int, limit: int = SEGMENT_UPDATES) -> int:
    """Updates a segment should have: the largest divisor of the run's updates within the limit.

    >>> segment_length(48), segment_length(50), segment_length(7)
    (8, 5, 7)
    """
    return max(k for k in range(1, limit + 1) if n_updates % k == 0)


def check_program(config: Config, table: PlanTable | None) -> None:
    """Refuse what cannot be compiled, long before it would be.

    Args:
        config: resolved.
        table: the teacher's table, or None.

    Raises:
        UserError: if the configuration cannot be run.
    """
    assert config.seeds_per_chunk is not None
    make_plan(config, table is not None)
    seed_mesh(config.seeds_per_chunk)


def compile_evaluation(outline: Outline) -> Compiled:
    """What evaluates a chunk, compiled when first asked for, see `chunk_player`."""
    plan = outline.plan
    assert plan.config.eval_episodes is not None
    return chunk_player(
        plan.task,
        plan.student,
        plan.config.method,
        plan.config.eval_episodes,
        outline.by_seed,
        outline.width,
    )


def group_size(trials: int) -> int:
    """How many of a device's seeds run side by side: all, but on a CPU few, whose data stay in its caches.

    Args:
        trials: seeds of a device.
    """
    if jax.default_backend() != "cpu":
        return trials
    return max(n for n in range(1, min(trials, CPU_GROUP) + 1) if trials % n == 0)


SEEDS = PartitionSpec("seed")


def seed_mesh(width: int) -> Mesh:
    """All devices in a row, those of other processes too, each to hold an equal part of a chunk's seeds.

    Args:
        width: seeds in a chunk.

    Raises:
        UserError: if they cannot be split evenly.
    """
    check_width(width)
    return Mesh(np.asarray(jax.devices()), ("seed",))


def run_chunk(
    program: Program, trials: IntArray, log: MetricsLog, start: SeedState | None = None
) -> Iterator[SeedState]:
    """Train one chunk, segment by segment.

    Args:
        program: compiled.
        trials: up to `width` of them; fewer are padded.
        log: metrics are added to it; those of earlier segments are in it if the chunk continues.
        start: the state to continue from, donated; by default the seeds begin.

    Yields:
        The state after each segment, [trial, ...], padding included. It is donated to the next
        segment: read from it before asking for another.
    """
    ids, hyper = program.seeds_on_devices(trials), program.hyper_on_devices(trials)
    state = program.init(ids) if start is None else start
    config = program.plan.config
    assert config.env_steps is not None
    while True:
        first = jax.device_put(np.int32(log.n_updates), NamedSharding(program.by_seed.mesh, PartitionSpec()))
        # Restores the sharding of zero-size arrays, such as an `ego` student's memory, which XLA drops;
        # copies nothing.
        state = jax.device_put(state, program.by_seed)
        state, metrics = program.segment(state, ids, hyper, program.teacher, first)
        log.add(on_host(metrics))
        yield state
        if int(np.min(on_host(state.env_steps))) >= config.env_steps:
            return
