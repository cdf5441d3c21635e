"""`python -m jaxteach.run`: train students on a task with a cached teacher, and evaluate them."""

import dataclasses
import datetime
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxteach.cli.options import Options, check_unchanged, idle_flags, read_options
from jaxteach.config import Config, from_json, resolve
from jaxteach.config.effects import out_of_reach
from jaxteach.config.sweep import n_chunks
from jaxteach.runs.folders import check_free, held, in_words
from jaxteach.runs.shards import note_tasks
from jaxteach.tasks import needs_jax
from jaxteach.utils.errors import UserError, cli
from jaxteach.utils.signals import Stopping

if TYPE_CHECKING:
    from jaxteach.cli.progress import Bar
    from jaxteach.teacher.table import PlanTable
    from jaxteach.training import Program


def default_folder(config: Config) -> Path:
    """runs/<task>-<teacher>-<decay>-<date and time>."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    teacher = Path(config.teacher).stem
    return Path("runs") / f"{config.task.replace(':', '-')}-{teacher}-{config.decay.name}-{now}"


@dataclass(frozen=True)
class Request:
    """What is to be run, checked as far as that needs no JAX.

    Attributes:
        options: the command line's.
        config: resolved.
        table: the teacher's, or None.
        then: config.json of the run to go on with; None for a new one.
        out: the run folder.
    """

    options: Options
    config: Config
    table: "PlanTable | None"
    then: dict[str, Any] | None
    out: Path

    @property
    def only(self) -> range | None:
        """The chunks of its shard; None for all."""
        part = self.options.part
        return None if part is None else part.chunks(n_chunks(self.config))


def main() -> int:
    """Train, evaluate, and leave a run folder."""
    request = read_request(sys.argv[1:])
    from jaxteach.cli.progress import Bar

    options, config, out = request.options, request.config, request.out
    part = "" if options.part is None else f", shard {options.part}"
    with Bar(f"{config.seeds} seeds{part}") as bar:
        bar.begin("starting JAX", only_bar=True)
        from jaxteach.utils.jax_setup import check_width, devices_in_words, start_jax

        if not needs_jax(config.task):
            start_jax(options.deterministic, options.devices, options.cache)
        assert config.seeds_per_chunk is not None
        if options.config.seeds_per_chunk is not None:
            check_width(config.seeds_per_chunk)
        with held(out, notice=say, anew=options.folder is None) as out:
            request = dataclasses.replace(request, out=out)
            if not ended(request):
                bar.say(f"run folder: {out} ({in_words(shutil.disk_usage(out).free)} free)")
                bar.begin(f"compiling for {devices_in_words()}")
            return run(request, bar)


def read_request(args: list[str]) -> Request:
    """Read and check a command line: what can be refused without JAX is refused here, in a moment.

    Args:
        args: the command line.

    Raises:
        UserError: naming what is wrong.
    """
    options, then = read_options(args)
    for line in idle_flags(options.config, args) if then is None else ():
        say(line)
    if needs_jax(options.config.task):
        from jaxteach.utils.jax_setup import start_jax

        start_jax(options.deterministic, options.devices, options.cache)
    config = resolve(options.config)
    for line in out_of_reach(config) if then is None else ():
        say(line)
    if then is not None:
        check_unchanged(then, dataclasses.replace(options, config=config))
        # Flags may write its numbers in another way, 1980.0 for 1980: the run keeps its own, and its digest.
        config = dataclasses.replace(from_json(then), out=config.out)
    from jaxteach.teacher.loading import load_teacher

    table = load_teacher(config.teacher, config.task)
    request = Request(options, config, table, then, options.folder or default_folder(config))
    check_table(request)
    if options.config.seeds_per_chunk is not None:
        _ = request.only  # refuses more shards than there are chunks
    # A folder by default gets a name that is free when it is made.
    where = request.out if options.folder is not None else request.out.parent
    check_free(where, new=then is None, notice=say)
    return request


def check_table(request: Request) -> None:
    """Refuse to go on with a run under another teacher table than it was started with.

    Raises:
        UserError: if the table has changed, or what config.json says of it.
    """
    then, table, out = request.then, request.table, request.out
    if then is None:
        return
    was: dict[str, str] | None = then.get("teacher_table")
    if (table is None) != (was is None):
        raise UserError(
            f"{out}/config.json has been changed: its teacher_table is not that of "
            f"--teacher {request.config.teacher}"
        )
    if table is not None and was is not None and was != {"name": table.name, "sha256": table.sha256}:
        raise UserError(
            f"the teacher table {request.config.teacher} has changed since {out} was started: bring back the "
            f"file with sha256 {was.get('sha256')}, or choose another --out"
        )


def ended(request: Request) -> bool:
    """Whether the run has come to its end already."""
    return request.then is not None and (request.out / "summary.json").exists()


def run(request: Request, bar: "Bar") -> int:
    """Begin a run, or go on with it, in a folder that nobody else writes to.

    Args:
        request: what is to be run.
        bar: where it is told how far it is.

    Returns:
        The exit status: 0, or 130, 143 or 140 if a signal stopped the run.
    """
    from jaxteach.runs import RunFolder, choose_width, fingerprint, on_cpu, told_of_memory

    began = time.perf_counter()
    options, config, then, out = request.options, request.config, request.then, request.out
    if options.config.seeds_per_chunk is None and not on_cpu():
        with told_of_memory():
            config = dataclasses.replace(config, seeds_per_chunk=choose_width(config, request.table))
        request = dataclasses.replace(request, config=config)
    if then is not None and then.get("fingerprint") != fingerprint(
        config, request.table, options.deterministic
    ):
        raise UserError(
            f"{out / 'config.json'} has been changed since the run was started: bring back what it said, "
            "or choose another --out"
        )
    if ended(request):
        if request.only is None:
            RunFolder(out).clean()
        print(f"{out} has ended already: nothing is left to do")
        return 0
    if then is None and options.resume:
        bar.say(f"{out} holds no run to go on with: a new one begins")
    program, compile_seconds = compiled(request, bar)
    # Until here nothing has been written, and a signal ends the process at once.
    with Stopping() as stopping:
        return trained(request, bar, program, compile_seconds, began, stopping)


def compiled(request: Request, bar: "Bar") -> "tuple[Program, float]":
    """Compile all that a run needs, and see that there is room for it.

    Returns:
        The program, and how many seconds that took.
    """
    from jaxteach.runs import check_disk, check_memory, count_trials, told_of_memory
    from jaxteach.training import compile_program

    compiling = time.perf_counter()
    with told_of_memory():
        program = compile_program(request.config, request.table)
        program.evaluation()
    seconds = time.perf_counter() - compiling
    check_memory(program, begun=request.then is not None)
    n_trials, n_finished = count_trials(program, request.out, request.only)
    room = check_disk(program, request.out, n_trials, request.options.keep_params == "all", n_finished)
    bar.say(f"compiled in {seconds:.1f} s; {room}")
    return program, seconds


def trained(
    request: Request, bar: "Bar", program: "Program", compile_seconds: float, began: float, stopping: Stopping
) -> int:
    """Train and evaluate until all is done or a signal asks to stop, and write what it has come to.

    Args:
        request: what is to be run.
        bar: where it is told how far it is.
        program: the run's.
        compile_seconds: what compiling took.
        began: when the run began, by `time.perf_counter`.
        stopping: signals.

    Returns:
        The exit status.
    """
    from jaxteach.cli.progress import log_line
    from jaxteach.runs import (
        Checkpoints,
        RunFolder,
        fingerprint,
        origins,
        run_session,
        told_of_memory,
        write_metrics,
        write_shard,
        write_summary,
    )
    from jaxteach.training import Progress

    options, config, table, out = request.options, request.config, request.table, request.out
    facts = config, table, options.deterministic
    if request.then is None:
        folder = RunFolder.create(out)
        folder.write_config(
            config, program.plan.student.reader, table, options.deterministic, options.keep_params
        )
    else:
        folder = RunFolder(out)
        folder.tidy()
        for line in folder.differences(request.then):
            say(line)
    if options.shard == "slurm" and config.out is not None:
        note_tasks(config.out)

    def stop() -> bool:
        stopping.after = "this segment"
        return stopping.asked

    def on_segment(progress: Progress) -> None:
        bar.segment(progress)
        folder.append_line(log_line(progress))

    def on_evaluation(chunk: int, n_trials: int) -> None:
        stopping.after = "the evaluation of this chunk"
        bar.evaluation(chunk, n_chunks(config), n_trials)

    with Checkpoints(out, fingerprint(*facts), options.checkpoint_every, say, origins(*facts)) as checkpoints:
        outcome = run_session(
            program,
            folder,
            checkpoints,
            on_segment=on_segment,
            on_evaluation=on_evaluation,
            stop=stop,
            notice=say,
            keep_params=options.keep_params == "all",
            debug_nans=options.debug_nans,
            only=request.only,
        )
    stopping.after = "the last files are written"
    write_metrics(program.plan, program.points, folder, outcome, table)
    if not outcome.complete:
        bar.close()
        part = f" --shard {options.part}" if options.part else ""
        say(f"stopped; go on with: python -m jaxteach.run --resume --out {config.out or out}{part}")
        return stopping.status
    wall = {"compile": compile_seconds, "total": time.perf_counter() - began + outcome.earlier_seconds}
    if options.part is not None:
        write_shard(options.part, folder, outcome, wall)
        bar.close()
        print(f"shard {options.part} has ended; join all of them with: python -m jaxteach.merge {config.out}")
        return 0
    if table is not None:
        bar.begin("measuring the teacher")
    with told_of_memory(program):
        summary = write_summary(program.plan, program.points, program.teacher, folder, outcome, table, wall)
    folder.clean()
    bar.close()
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
