"""From a configuration to its compiled program: compiled, kept from an earlier run, or reused."""

import dataclasses
import functools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jax.stages import Compiled, Lowered

from jaxteach.config import Config
from jaxteach.config.fields import compiled_for
from jaxteach.config.pytree import Hyper, make_hyper
from jaxteach.config.sweep import Point, grid
from jaxteach.student.decay import REACTIVE
from jaxteach.student.registry import DISTILLATIONS, STUDENTS
from jaxteach.tasks.registry import ships_task
from jaxteach.teacher.corruption import AnyTeacher, make_teacher
from jaxteach.teacher.table import PlanTable
from jaxteach.training.evaluation import TEACHER_EPISODES, jit_play_teacher
from jaxteach.training.executables import Executables, Facts, Store, surroundings
from jaxteach.training.loop import init_chunk, run_segment
from jaxteach.training.program import (
    SEEDS,
    SEGMENT_UPDATES,
    Outline,
    Program,
    compile_evaluation,
    group_size,
    seed_mesh,
    segment_length,
)
from jaxteach.training.state import Plan, make_plan
from jaxteach.utils.numerics import as_fixed


@as_fixed
def compile_program(
    config: Config, table: PlanTable | None, *, evaluated: bool = False, store: Store | None = None
) -> Program:
    """Compile a run's program ahead of time, or take it from where it is kept.

    Args:
        config: resolved.
        table: the teacher's table, or None.
        evaluated: compile its evaluation as well, beside the rest; otherwise that waits for its first use.
        store: where compiled programs are kept: of tasks, students and losses that ship with this package,
            whose code is known. What is not there yet is compiled, evaluation included, and put there.

    Returns:
        The program; nothing in it compiles again, whatever seeds it runs.

    Raises:
        UserError: if the configuration cannot be run.
    """
    began = time.perf_counter()
    outline = outline_program(config, table)
    if store is not None and ships(config):
        made = store.get(decisive(outline), lambda: compile_all(outline, evaluated=True))
    else:
        made = compile_all(outline, evaluated)
    program = informed(Program(**vars(outline), **made._asdict(), compile_seconds=0.0))
    return dataclasses.replace(program, compile_seconds=time.perf_counter() - began)


def outline_program(config: Config, table: PlanTable | None) -> Outline:
    """Work out all of a program that needs no compiler.

    Args:
        config: resolved.
        table: the teacher's table, or None.

    Raises:
        UserError: if the configuration cannot be run.
    """
    plan = make_plan(config, table is not None)
    assert config.seeds_per_chunk is not None
    width = config.seeds_per_chunk
    # Whole episodes end by environment steps, not by updates: any length of segment will do.
    k = SEGMENT_UPDATES // 2 if plan.by_episodes else segment_length(plan.n_updates)
    by_seed = NamedSharding(seed_mesh(width), SEEDS)
    points = grid(config)
    teacher, hyper = traced_parts(plan, points, table, by_seed)
    return Outline(plan, points, teacher, hyper, width, by_seed, k)


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
        The teacher, or None, on every device; and the hyperparameters of the points, see `hypers`.
    """
    corrupt = plan.config.corrupt
    mode = plan.config.distill.teacher
    teacher = make_teacher(table, plan.task, corrupt, room, mode) if table is not None else None
    placed = jax.device_put(teacher, NamedSharding(by_seed.mesh, PartitionSpec()))
    return placed, hypers(plan, points)


def hypers(plan: Plan, points: Sequence[Point], goal: float = 0.0) -> Hyper:
    """The hyperparameters of a sweep's points, [point], on the host.

    Args:
        plan: static.
        points: of the sweep.
        goal: the teacher's success rate, for schedules that read it.
    """
    each = [make_hyper(point.config, plan.n_updates, goal) for point in points]
    return jax.tree.map(lambda *values: np.stack(values), *each)


def informed(program: Program) -> Program:
    """The program with the teacher's success among its hyperparameters, if a schedule reads it."""
    if program.teacher is None or all(point.config.decay.name not in REACTIVE for point in program.points):
        return program
    hyper = hypers(program.plan, program.points, program.teacher_success or 0.0)
    return dataclasses.replace(program, hyper=hyper)


def compile_all(outline: Outline, evaluated: bool) -> Executables:
    """Compile a program's parts side by side.

    Args:
        outline: of the program.
        evaluated: whether the evaluation is compiled as well.
    """
    width, by_seed = outline.width, outline.by_seed
    ids = jax.device_put(jnp.zeros((width,), jnp.uint32), by_seed)
    update = jax.device_put(jnp.zeros((), jnp.int32), NamedSharding(by_seed.mesh, PartitionSpec()))
    begin = functools.partial(init_chunk, outline.plan)
    lowered_init = jax.jit(begin, out_shardings=by_seed).lower(ids)
    # Seeds share nothing, so each device runs its own as if it were alone: no collective anywhere.
    shard = jax.shard_map(
        functools.partial(
            run_segment, outline.plan, outline.segment_updates, group_size(width // by_seed.mesh.size)
        ),
        mesh=by_seed.mesh,
        in_specs=(SEEDS, SEEDS, SEEDS, PartitionSpec(), PartitionSpec()),
        out_specs=(SEEDS, PartitionSpec(None, *SEEDS)),
        check_vma=False,
    )
    state, hyper = by_trial(outline, jax.eval_shape(begin, ids)), by_trial(outline, outline.hyper)
    # XLA compiles one program while Python, which it does not need, traces the next.
    with ThreadPoolExecutor(max_workers=2) as compilers:
        init = compilers.submit(compiled, lowered_init)
        lowered = jax.jit(shard, donate_argnums=0).lower(state, ids, hyper, outline.teacher, update)
        segment = compilers.submit(compiled, lowered)
        evaluation = compile_evaluation(outline) if evaluated else None
        teacher = compile_teacher_alone(outline) if evaluated and outline.teacher is not None else None
    return Executables(init.result(), segment.result(), evaluation, teacher)


def compile_teacher_alone(outline: Outline) -> Compiled:
    """What plays the teacher alone, see `evaluation.teacher_success`."""
    return jit_play_teacher.lower(
        outline.plan.task, outline.teacher, np.uint32(0), TEACHER_EPISODES, False
    ).compile()


def by_trial(outline: Outline, tree: Any) -> Any:
    """Shapes of a chunk's arrays, [trial, ...], from arrays of any leading length."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((outline.width, *x.shape[1:]), x.dtype, sharding=outline.by_seed), tree
    )


@as_fixed
def compiled(lowered: Lowered) -> Compiled:
    """Compile a lowered program, in any thread: JAX's settings are a thread's own."""
    return lowered.compile()


def decisive(outline: Outline) -> Facts:
    """All that decides what is compiled; to be compared with what a kept program was compiled for."""
    config = outline.plan.config
    traced = outline.teacher, by_trial(outline, outline.hyper)
    shapes = jax.tree.map(lambda x: f"{x.dtype}{x.shape}", traced)
    return {
        **surroundings(),
        "configuration": repr(compiled_for(config)),
        "episodes": config.eval_episodes,
        "width": outline.width,
        "updates": outline.segment_updates,
        "group": group_size(outline.width // outline.by_seed.mesh.size),
        "shapes": repr(shapes),
    }


def ships(config: Config) -> bool:
    """Whether all that a program is made of comes with this package."""
    student, loss = config.student.name, config.distill.name
    return ships_task(config.task) and STUDENTS.ships(student) and DISTILLATIONS.ships(loss)


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
    reused = dataclasses.replace(program, plan=plan, points=points, teacher=teacher, hyper=hyper)
    return informed(dataclasses.replace(reused, compile_seconds=0.0))
