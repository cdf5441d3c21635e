"""The compiled program of a run: one segment for one chunk width, compiled once, timed apart."""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxteach.config import Config
from jaxteach.config.fields import compiled_for
from jaxteach.config.pytree import Hyper, make_hyper
from jaxteach.config.sweep import Point, grid
from jaxteach.student.decay import REACTIVE
from jaxteach.teacher.corruption import AnyTeacher, make_teacher
from jaxteach.teacher.table import PlanTable
from jaxteach.training.evaluation import Episodes, chunk_player, teacher_success
from jaxteach.training.loop import init_chunk, run_segment
from jaxteach.training.metrics import MetricsLog
from jaxteach.training.state import Plan, SeedState, make_plan
from jaxteach.training.trials import IntArray, pad, points_of, seeds_of
from jaxteach.utils.jax_setup import check_width
from jaxteach.utils.numerics import as_fixed

SEGMENT_UPDATES = 8
"""Updates between two looks at the host, at most: short enough for a progress bar and for Ctrl-C."""
CPU_GROUP = 4
"""Seeds that run side by side on a device of a CPU, at most (docs/performance.md: wide chunks are slower)."""


@dataclasses.dataclass(frozen=True)
class Program:
    """What runs a chunk of seeds.

    Attributes:
        plan: what is static.
        points: of the sweep; a single one without.
        teacher: the compiled table, or None.
        hyper: traced hyperparameters, [point].
        width: trials in a chunk.
        by_seed: how arrays with a leading trial axis lie on the devices: split evenly over all of them.
        segment_updates: K, updates in a segment.
        init: compiled, seed ids u32[trial] to a state.
        segment: compiled, one segment.
        compile_seconds: what compiling took.
    """

    plan: Plan
    points: tuple[Point, ...]
    teacher: AnyTeacher | None
    hyper: Hyper
    width: int
    by_seed: NamedSharding
    segment_updates: int
    init: Callable[..., SeedState]
    segment: Callable[..., tuple[SeedState, dict[str, Any]]]
    compile_seconds: float

    def seeds_on_devices(self, trials: IntArray) -> jax.Array:
        """The seed of each of a chunk's trials, u32[trial], split over the devices."""
        return jax.device_put(seeds_of(pad(trials, self.width)), self.by_seed)

    def hyper_on_devices(self, trials: IntArray) -> Hyper:
        """The hyperparameters of each of a chunk's trials, [trial], split over the devices."""
        points = points_of(pad(trials, self.width))
        return jax.device_put(jax.tree.map(lambda x: x[points], self.hyper), self.by_seed)

    def evaluation(self) -> Callable[[Any, jax.Array], Episodes]:
        """Fresh episodes of a chunk's students, see `chunk_player`; compiled when first asked for."""
        return compile_evaluation(self.plan, self.by_seed, self.width)

    def name(self, trial: int) -> str:
        """A trial as a user calls it: "seed 3", and in a sweep at which point."""
        point = self.points[trial >> 32]
        return f"seed {trial % 2**32}" + (f" at {point.label}" if point.label else "")


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


@as_fixed
def compile_program(config: Config, table: PlanTable | None, *, evaluated: bool = False) -> Program:
    """Compile a run's program ahead of time.

    Args:
        config: resolved.
        table: the teacher's table, or None.
        evaluated: compile its evaluation as well, beside the rest; otherwise that waits for its first use.

    Returns:
        The program; nothing in it compiles again, whatever seeds it runs.

    Raises:
        UserError: if the configuration cannot be run.
    """
    began = time.perf_counter()
    plan = make_plan(config, table is not None)
    assert config.seeds_per_chunk is not None
    width = config.seeds_per_chunk
    # Whole episodes end by environment steps, not by updates: any length of segment will do.
    k = SEGMENT_UPDATES // 2 if plan.by_episodes else segment_length(plan.n_updates)
    mesh = seed_mesh(width)
    by_seed = NamedSharding(mesh, SEEDS)
    points = grid(config)
    teacher, hyper = traced_parts(plan, points, table, by_seed)
    trial_hyper = jax.tree.map(lambda x: jax.ShapeDtypeStruct((width,), x.dtype, sharding=by_seed), hyper)
    ids = jax.device_put(jnp.zeros((width,), jnp.uint32), by_seed)
    update = jax.device_put(jnp.zeros((), jnp.int32), NamedSharding(mesh, PartitionSpec()))
    begin = functools.partial(init_chunk, plan)
    lowered_init = jax.jit(begin, out_shardings=by_seed).lower(ids)
    # Seeds share nothing, so each device runs its own as if it were alone: no collective anywhere.
    shard = jax.shard_map(
        functools.partial(run_segment, plan, k, group_size(width // mesh.size)),
        mesh=mesh,
        in_specs=(SEEDS, SEEDS, SEEDS, PartitionSpec(), PartitionSpec()),
        out_specs=(SEEDS, PartitionSpec(None, *SEEDS)),
        check_vma=False,
    )
    state = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=by_seed), jax.eval_shape(begin, ids)
    )
    # XLA compiles one program while Python, which it does not need, traces the next.
    with ThreadPoolExecutor(max_workers=2) as compilers:
        init = compilers.submit(compiled, lowered_init)
        lowered = jax.jit(shard, donate_argnums=0).lower(state, ids, trial_hyper, teacher, update)
        segment = compilers.submit(compiled, lowered)
        if evaluated:
            compile_evaluation(plan, by_seed, width)
    seconds = time.perf_counter() - began
    return Program(plan, points, teacher, hyper, width, by_seed, k, init.result(), segment.result(), seconds)


@as_fixed
def compiled(lowered: jax.stages.Lowered) -> jax.stages.Compiled:
    """Compile a lowered program, in any thread: JAX's settings are a thread's own."""
    return lowered.compile()


def compile_evaluation(
    plan: Plan, by_seed: NamedSharding, width: int
) -> Callable[[Any, jax.Array], Episodes]:
    """What evaluates a chunk, compiled when first asked for, see `chunk_player`."""
    assert plan.config.eval_episodes is not None
    return chunk_player(plan.task, plan.student, plan.hierarchical, plan.config.eval_episodes, by_seed, width)


def group_size(trials: int) -> int:
    """How many of a device's seeds run side by side: all, but on a CPU few, whose data stay in its caches.

    Args:
        trials: seeds of a device.
    """
    if jax.default_backend() != "cpu":
        return trials
    return max(n for n in range(1, min(trials, CPU_GROUP) + 1) if trials % n == 0)


def traced_parts(
    plan: Plan,
    points: Sequence[Point],
    table: PlanTable | None,
    by_seed: NamedSharding,
    room: tuple[int, ...] = (),
) -> tuple[AnyTeacher | None, Hyper]:
    """What a program is given, rather than compiled for.

    Args:
        plan: static.
        points: of the sweep.
        table: the teacher's table, or None.
        by_seed: how arrays with a leading trial axis lie on the devices.
        room: see `teacher.policy.compile_teacher`.

    Returns:
        The teacher, or None, on every device; and the hyperparameters of the points, [point], on the host.
    """
    corrupt = plan.config.corrupt
    mode = plan.config.distill.teacher
    teacher = make_teacher(table, plan.task, corrupt, room, mode) if table is not None else None
    goal = 0.0
    if teacher is not None and any(point.config.decay.name in REACTIVE for point in points):
        goal = teacher_success(plan.task, teacher)
    hypers = [make_hyper(point.config, plan.n_updates, goal) for point in points]
    hyper = jax.tree.map(lambda *values: np.stack(values), *hypers)
    return jax.device_put(teacher, NamedSharding(by_seed.mesh, PartitionSpec())), hyper


@as_fixed
def reuse_program(program: Program, config: Config, table: PlanTable | None) -> Program | None:
    """Take a compiled program for another configuration, if they differ in nothing it was compiled for.

    Args:
        program: compiled.
        config: resolved.
        table: the teacher's table, or None.

    Returns:
        The program with the other teacher and hyperparameters; None if it has to be compiled anew.

    Raises:
        UserError: if the configuration cannot be run.
    """
    if compiled_for(config) != compiled_for(program.plan.config):
        return None
    plan = make_plan(config, table is not None)
    room = program.teacher.room if program.teacher is not None else ()
    points = grid(config)
    teacher, hyper = traced_parts(plan, points, table, program.by_seed, room)
    shapes = [jax.tree.map(lambda x: (x.shape, x.dtype), tree) for tree in (teacher, program.teacher)]
    if shapes[0] != shapes[1]:
        return None
    return dataclasses.replace(
        program, plan=plan, points=points, teacher=teacher, hyper=hyper, compile_seconds=0.0
    )


SEEDS = PartitionSpec("seed")


def seed_mesh(width: int) -> Mesh:
    """All local devices in a row, each to hold an equal part of a chunk's seeds.

    Args:
        width: seeds in a chunk.

    Raises:
        UserError: if they cannot be split evenly.
    """
    check_width(width)
    return Mesh(np.asarray(jax.local_devices()), ("seed",))


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
        log.add(jax.device_get(metrics))
        yield state
        if int(np.min(jax.device_get(state.env_steps))) >= config.env_steps:
            return
