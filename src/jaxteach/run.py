"""`python -m jaxteach.run`: train students on a task with a cached teacher, and evaluate them."""

import dataclasses
import datetime
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxteach.config import Config, from_json, resolve
from jaxteach.effects import out_of_reach
from jaxteach.errors import UserError, cli
from jaxteach.lock import FolderLock
from jaxteach.options import Options, check_unchanged, idle_flags, read_options
from jaxteach.stopping import Stopping

if TYPE_CHECKING:
    from jaxteach.teacher.table import PlanTable


def default_folder(config: Config) -> Path:
    """runs/<task>-<teacher>-<decay>-<date and time>."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    teacher = Path(config.teacher).stem
    return Path("runs") / f"{config.task.replace(':', '-')}-{teacher}-{config.decay.name}-{now}"


def main() -> int:
    """Train, evaluate, and leave a run folder."""
    options, then = read_options(sys.argv[1:])
    for line in idle_flags(options.config, sys.argv[1:]) if then is None else ():
        say(line)
    from jaxteach.backend import start_jax

    start_jax(options.deterministic, options.devices, options.cache)
    config = resolve(options.config)
    for line in out_of_reach(config) if then is None else ():
        say(line)
    if then is not None:
        check_unchanged(then, dataclasses.replace(options, config=config))
        # Flags may write its numbers in another way, 1980.0 for 1980: the run keeps its own, and its digest.
        config = dataclasses.replace(from_json(then), out=config.out)
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.training import check_program, choose_width, make_folder, n_chunks, on_cpu, told_of_memory

    # All that can be refused is refused before a folder is made.
    table = load_teacher(config.teacher, config.task)
    if options.config.seeds_per_chunk is None and not on_cpu():
        with told_of_memory():
            config = dataclasses.replace(config, seeds_per_chunk=choose_width(config, table))
    check_program(config, table)
    only = None if options.part is None else options.part.chunks(n_chunks(config))
    out = options.folder or default_folder(config)
    make_folder(out)
    # Until here nothing can be lost, and a signal ends the process whatever JAX is busy with.
    with Stopping() as stopping, FolderLock(out, notice=say):
        return run(config, table, options, then, out, only, stopping)


def run(
    config: Config,
    table: "PlanTable | None",
    options: Options,
    then: dict[str, Any] | None,
    out: Path,
    only: range | None,
    stopping: Stopping,
) -> int:
    """Begin a run, or go on with it, in a folder that nobody else writes to.

    Args:
        config: resolved.
        table: the teacher's, or None.
        options: the command line's.
        then: config.json of the run to go on with; None for a new one.
        out: its folder.
        only: the chunks of its shard; None for all.
        stopping: signals.

    Returns:
        The exit status: 0, or 130 or 143 if a signal stopped the run.
    """
    from jaxteach.progress import Bar
    from jaxteach.training import (
        Checkpoints,
        RunFolder,
        check_disk,
        check_memory,
        compile_program,
        count_lanes,
        describe,
        fingerprint,
        origins,
        run_session,
        told_of_memory,
        write_metrics,
        write_shard,
        write_summary,
    )

    began = time.perf_counter()
    if then is not None and (table is None) != (then.get("teacher_table") is None):
        raise UserError(
            f"{out}/config.json has been changed: its teacher_table is not that of --teacher {config.teacher}"
        )
    if then is not None and then.get("teacher_table") != describe(table):
        raise UserError(
            f"the teacher table {config.teacher} has changed since {out} was started: bring back the file "
            f"with sha256 {(then.get('teacher_table') or {}).get('sha256')}, or choose another --out"
        )
    identity = fingerprint(config, table, options.deterministic)
    if then is not None and then.get("fingerprint") != identity:
        raise UserError(
            f"{out / 'config.json'} has been changed since the run was started: bring back what it said, "
            "or choose another --out"
        )
    folder = RunFolder.create(out) if then is None else RunFolder(out)
    if then is not None and folder.ended:
        if only is None:
            folder.clean()
        print(f"{out} has ended already: nothing is left to do")
        return 0
    if then is None and options.resume:
        print(f"{out} holds no run to go on with: a new one begins")
    keep = options.keep_params == "all"
    compiling = time.perf_counter()
    with told_of_memory():
        program = compile_program(config, table)
        program.evaluation()
    compile_seconds = time.perf_counter() - compiling
    check_memory(program, begun=then is not None)
    n_lanes, n_finished = count_lanes(program, out, only)
    room = check_disk(program, out, n_lanes, keep, n_finished)
    print(f"run folder: {out} ({room})", flush=True)
    if then is None:
        folder.write_config(config, program.plan.task, table, options.deterministic, options.keep_params)
    else:
        folder.tidy()
        for line in folder.differences(then):
            say(line)

    with (
        Checkpoints(
            out, identity, options.checkpoint_every, say, origins(config, table, options.deterministic)
        ) as checkpoints,
        Bar(f"{config.seeds} seeds" + (f", shard {options.part}" if only else ""), folder) as bar,
    ):
        outcome = run_session(
            program,
            folder,
            checkpoints,
            on_segment=bar.segment,
            stop=lambda: stopping.asked,
            notice=say,
            keep_params=keep,
            debug_nans=options.debug_nans,
            only=only,
        )
    write_metrics(program.plan, program.points, folder, outcome, table)
    if not outcome.complete:
        part = f" --shard {options.part}" if options.part else ""
        say(f"stopped; go on with: python -m jaxteach.run --resume --out {config.out or out}{part}")
        return stopping.status
    total = time.perf_counter() - began + outcome.earlier_seconds
    wall = {"compile": compile_seconds, "total": total}
    if options.part is not None:
        write_shard(options.part, folder, outcome, wall)
        print(f"shard {options.part} has ended; join all of them with: python -m jaxteach.merge {config.out}")
        return 0
    parts = program.plan, program.points, program.teacher
    with told_of_memory(program):
        summary = write_summary(*parts, folder, outcome, table, wall)
    folder.clean()
    report(summary)
    return 0


def say(line: str) -> None:
    """Tell the user one thing, on stderr."""
    print(line, file=sys.stderr, flush=True)


def report(summary: dict[str, Any]) -> None:
    """Print what a run came to."""
    wall, episodes = summary["wall_seconds"], summary["eval_episodes"]
    points = summary.get("points", [{"label": "", **summary}])
    for point in points:
        success = point["success_rate"]
        low, high = success["ci95"]
        print(
            f"{point['label'] or 'student'}: IQM success {success['iqm']:.3f} [{low:.3f}, {high:.3f}] over "
            f"{success['n']} seeds, {episodes} fresh episodes each; {steps_to_95(point)}"
        )
        if point["diverged"]:
            seeds = ", ".join(str(seed["seed"]) for seed in point["diverged"])
            print(f"diverged and frozen, but counted: seeds {seeds}")
    if summary["teacher_success_rate"] is not None:
        print(
            f"teacher: success {summary['teacher_success_rate']:.3f} over 1000 episodes "
            f"({summary['teacher']['name']})"
        )
    print(
        f"trained in {wall['train']:.1f} s ({summary['env_steps_per_second']:,.0f} environment steps/s; "
        f"compile {wall['compile']:.1f} s, evaluate {wall['evaluate']:.1f} s)"
    )


def steps_to_95(point: dict[str, Any]) -> str:
    """When success while learning reached 0.95, in words."""
    steps = point["env_steps_to_success"]["0.95"]
    return "0.95 while learning " + ("not reached" if steps is None else f"after {steps:,.0f} steps (median)")


if __name__ == "__main__":
    cli(main)
