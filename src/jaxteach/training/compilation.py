"""From a configuration to its compiled program: traced, kept from an earlier run, or reused."""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
from jaxteach.teacher.success import Success, shipped_success
from jaxteach.teacher.table import PlanTable
from jaxteach.training.evaluation import TEACHER_EPISODES, Episodes, chunk_play, play_teacher
from jaxteach.training.exported import Exports, Facts, Part, Store, surroundings
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
    """Compile a run's program ahead of time.

    Args:
        config: resolved.
        table: the teacher's table, or None.
        evaluated: compile its evaluation as well, beside the rest; otherwise that waits for its first use.
        store: where traced programs are kept: of tasks, students and losses that ship with this package,
            whose code is known. What is not there yet is traced, evaluations included, and put there.

    Returns:
        The program; nothing in it compiles again, whatever seeds it runs.

    Raises:
        UserError: if the configuration cannot be run.
    """
    began = time.perf_counter()
    outline = outline_program(config, table)
    if store is not None and ships(config):
        program = compile_kept(outline, store)
    else:
        program = compile_all(outline, evaluated)
    return dataclasses.replace(informed(program), compile_seconds=time.perf_counter() - began)


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
    return Outline(plan, points, teacher, hyper, width, by_seed, k, shipped_for(table, points))


def shipped_for(table: PlanTable | None, points: Sequence[Point]) -> Success | None:
    """What a run's teacher alone is worth, if that ships; None where a run measures it, or has no teacher."""
    # What a schedule reads is measured on the same episodes whatever ships: results do not hang on it.
    if table is None or any(point.config.decay.name in REACTIVE for point in points):
        return None
    return shipped_success(table.sha256, points[0].config)


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
    alone = program.teacher_alone
    hyper = hypers(program.plan, program.points, alone.rate if alone else 0.0)
    return dataclasses.replace(program, hyper=hyper, known=alone)


def compile_all(outline: Outline, evaluated: bool) -> Program:
    """Compile a program's parts side by side.

    Args:
        outline: of the program.
        evaluated: whether the evaluation is compiled as well.
    """
    # XLA compiles one program while Python, which it does not need, traces the next.
    with ThreadPoolExecutor(max_workers=2) as compilers:
        part = init_part(outline)
        traced = jax.jit(part.plain).trace(*part.arguments)
        init = compilers.submit(compiled, traced.lower(), part.options)
        segment = compilers.submit(compiled, segment_part(outline, traced.out_info).lowered())
        if evaluated:
            compile_evaluation(outline)  # remembered, by what decides it
    return Program(**vars(outline), init=init.result(), segment=segment.result())


def compile_kept(outline: Outline, store: Store) -> Program:
    """Compile a program's parts, evaluations included, and trace only those that a store has not.

    Args:
        outline: of the program.
        store: where traced programs are kept.
    """
    futures: dict[str, Future[Compiled]] = {}
    with ThreadPoolExecutor(max_workers=2) as compilers:

        def begin(facts: Facts, parts: Callable[[Exports], Iterable[tuple[str, Part]]]) -> None:
            kept = store.load(facts)
            exports: Exports = {}
            for name, part in parts(exports):
                exports[name] = kept.get(name) or part.exported()
                futures[name] = compilers.submit(compiled, part.lowered(exports[name]), part.options)
            if not kept:
                store.save(facts, exports)

        facts = decisive(outline)
        begin(facts, functools.partial(parts_of, outline))
        if outline.teacher is not None and outline.known is None:
            # In a file of its own, for of tables of one shape some have to be measured.
            teacher = teacher_part(outline)
            begin({**facts, "part": teacher.name}, lambda _: [("kept_teacher", teacher)])
    parts: dict[str, Any] = {name: future.result() for name, future in futures.items()}
    return Program(**vars(outline), **parts)


def parts_of(outline: Outline, exports: Exports) -> Iterator[tuple[str, Part]]:
    """What is kept of every program, by its name in `Program`.

    Args:
        outline: of the program.
        exports: those yielded before, which tell the shapes of a state.
    """
    yield "init", init_part(outline)
    init = exports["init"]
    tree: Any = init.out_tree
    state = tree.unflatten(init.out_avals)
    yield "segment", segment_part(outline, state)
    yield "kept_evaluation", evaluation_part(outline, state)


def init_part(outline: Outline) -> Part:
    """What begins a chunk, seed ids u32[trial] to a state (`loop.init_chunk`); each device begins its own."""
    mesh, begin = outline.by_seed.mesh, functools.partial(init_chunk, outline.plan)
    shard = jax.shard_map(begin, mesh=mesh, in_specs=SEEDS, out_specs=SEEDS, check_vma=False)
    return Part("init_chunk", shard, lambda state: state, (seeds_shape(outline),), options=few_passes())


def few_passes() -> dict[str, Any]:
    """XLA's options for a program that runs once, for a moment: on a CPU fewer of LLVM's passes.

    All of them would take longer than they save; these programs' bits are the same. A segment's are not.
    """
    return {"xla_backend_optimization_level": 1} if jax.default_backend() == "cpu" else {}


def seeds_shape(outline: Outline) -> jax.ShapeDtypeStruct:
    """Of a chunk's seed ids, u32[trial]."""
    return jax.ShapeDtypeStruct((outline.width,), jnp.uint32, sharding=outline.by_seed)


def segment_part(outline: Outline, state: Any) -> Part:
    """One segment, see `loop.run_segment`; the state is donated."""
    mesh = outline.by_seed.mesh
    everywhere = NamedSharding(mesh, PartitionSpec())
    # Seeds share nothing, so each device runs its own as if it were alone: no collective anywhere.
    shard = jax.shard_map(
        functools.partial(
            run_segment, outline.plan, outline.segment_updates, group_size(outline.width // mesh.size)
        ),
        mesh=mesh,
        in_specs=(SEEDS, SEEDS, SEEDS, PartitionSpec(), PartitionSpec()),
        out_specs=(SEEDS, PartitionSpec(None, *SEEDS)),
        check_vma=False,
    )
    tree: Any = jax.tree.structure(state)

    def plain(*arguments: Any) -> Any:
        state, metrics = shard(*arguments)
        return jax.tree.leaves(state), metrics

    arguments = (
        by_trial(outline, state),
        seeds_shape(outline),
        by_trial(outline, outline.hyper),
        outline.teacher,
        jax.ShapeDtypeStruct((), jnp.int32, sharding=everywhere),
    )
    return Part("run_segment", plain, lambda found: (tree.unflatten(found[0]), found[1]), arguments, (0,))


def evaluation_part(outline: Outline, state: Any) -> Part:
    """What evaluates a chunk, see `evaluation.chunk_play`."""
    plan = outline.plan
    assert plan.config.eval_episodes is not None
    play = chunk_play(plan.task, plan.student, plan.config.method, plan.config.eval_episodes, outline.by_seed)
    arguments = by_trial(outline, state.params), seeds_shape(outline)
    return Part("play_students", lambda *given: jax.tree.leaves(play(*given)), episodes_of, arguments)


def teacher_part(outline: Outline) -> Part:
    """What plays the teacher alone, see `evaluation.teacher_success`."""

    def plain(teacher: AnyTeacher, seed: jax.Array) -> Any:
        return jax.tree.leaves(play_teacher(outline.plan.task, teacher, seed, TEACHER_EPISODES, False))

    everywhere = NamedSharding(outline.by_seed.mesh, PartitionSpec())
    seed = jax.ShapeDtypeStruct((), jnp.uint32, sharding=everywhere)
    return Part("play_teacher", plain, episodes_of, (outline.teacher, seed), options=few_passes())


def episodes_of(leaves: Sequence[jax.Array]) -> Episodes:
    """Outcomes from their arrays, in the order of the fields."""
    return Episodes(*leaves)


def by_trial(outline: Outline, tree: Any) -> Any:
    """Shapes of a chunk's arrays, [trial, ...], from arrays of any leading length."""
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((outline.width, *x.shape[1:]), x.dtype, sharding=outline.by_seed), tree
    )


@as_fixed
def compiled(lowered: Lowered, options: dict[str, Any] | None = None) -> Compiled:
    """Compile a lowered program, in any thread: JAX's settings are a thread's own.

    Args:
        lowered: the program.
        options: XLA's, for this program alone.
    """
    return lowered.compile(compiler_options=options or None)


def decisive(outline: Outline) -> Facts:
    """All that decides what is traced; to be compared with what a kept program was traced for."""
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
    known = shipped_for(table, points)
    reused = dataclasses.replace(program, plan=plan, points=points, teacher=teacher, hyper=hyper, known=known)
    return informed(dataclasses.replace(reused, compile_seconds=0.0))
