"""`python -m jaxteach.run`: train students on a task with a cached teacher, and evaluate them."""

import dataclasses
import datetime
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxteach.cli.options import Options, check_unchanged, idle_flags, read_options
from jaxteach.config import Config, from_json, resolve
from jaxteach.config.effects import out_of_reach
from jaxteach.config.sweep import n_chunks
from jaxteach.runs.folders import check_free, check_table
from jaxteach.runs.shards import note_tasks
from jaxteach.tasks import needs_jax
from jaxteach.utils.errors import cli
from jaxteach.utils.signals import Stopping

if TYPE_CHECKING:
    from jaxteach.cli.progress import Bar
    from jaxteach.runs import Hooks
    from jaxteach.teacher.table import PlanTable


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
        then: config.json of the run to continue with; None for a new one.
        out: the run folder.
    """

    options: Options
    config: Config
    table: "PlanTable | None"
    then: dict[str, Any] | None
    out: Path


def main() -> int:
    """Train, evaluate, and leave a run folder."""
    request = read_request(sys.argv[1:])
    from jaxteach.cli.progress import Bar

    options, config = request.options, request.config
    part = "" if options.part is None else f", shard {options.part}"
    with Bar(f"{config.seeds} seeds{part}") as bar:
        bar.begin("starting JAX", only_bar=True)
        from jaxteach.utils.jax_setup import check_width, start_jax

        if not needs_jax(config.task):
            start_jax(options.deterministic, options.devices, options.cache)
        if options.config.seeds_per_chunk is not None:
            check_width(options.config.seeds_per_chunk)
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
    out = options.folder or default_folder(config)
    if then is not None and options.folder is not None:
        check_table(options.folder, then, table, config.teacher)
    if options.part is not None and options.config.seeds_per_chunk is not None:
        options.part.chunks(n_chunks(config))  # refuses more shards than there are chunks
    # A folder by default gets a name that is free when it is made.
    check_free(out if options.folder is not None else out.parent, new=then is None, notice=say)
    return Request(options, config, table, then, out)


def run(request: Request, bar: "Bar") -> int:
    """Begin a run, or continue with it, and report.

    Args:
        request: what is to be run.
        bar: where progress is shown.

    Returns:
        The exit status: 0, or 130, 143 or 140 if a signal stopped the run.
    """
    from jaxteach.runs import Settings, execute

    options, config, out = request.options, request.config, request.out
    ended = request.then is not None and (out / "summary.json").exists()
    if request.then is None and options.resume:
        bar.say(f"{out} holds no run to continue with: a new one begins")
    stopping = Stopping()
    settings = Settings(
        resume=options.resume,
        anew=options.folder is None,
        deterministic=options.deterministic,
        keep_params=options.keep_params,
        checkpoint_every=options.checkpoint_every,
        debug_nans=options.debug_nans,
        shard=options.part,
    )
    # A width that was not asked for is the run's own, or that of the accelerator.
    config = dataclasses.replace(config, seeds_per_chunk=options.config.seeds_per_chunk)
    summary = execute(config, request.table, out, hooks_of(request, bar, stopping), settings)
    bar.close()
    where = config.out or summary.folder
    if ended:
        print(f"{out} has ended already: nothing is left to do")
    elif not summary.complete:
        part = f" --shard {options.part}" if options.part else ""
        say(f"stopped; continue with: python -m jaxteach.run --resume --out {where}{part}")
        return stopping.status
    elif options.part is not None:
        print(f"shard {options.part} has ended; join all of them with: python -m jaxteach.merge {where}")
    else:
        report(summary.values)
    return 0


def hooks_of(request: Request, bar: "Bar", stopping: Stopping) -> "Hooks":
    """What the command does while a run is on its way: it shows progress, and hears signals.

    Args:
        request: what is run.
        bar: where progress is shown.
        stopping: signals; entered once there is something to lose.
    """
    from jaxteach.runs.recipe import WRITING, Hooks

    def on_begun(folder: Path) -> None:
        if request.options.shard == "slurm" and request.config.out is not None:
            note_tasks(request.config.out)

    def on_evaluation(chunk: int, chunks: int, n_trials: int) -> None:
        stopping.after = "the evaluation of this chunk"
        bar.evaluation(chunk, chunks, n_trials)

    def begin(what: str) -> None:
        if what == WRITING:
            stopping.after = "the last files are written"
        bar.begin(what, only_bar=what == WRITING)

    def stop() -> bool:
        stopping.after = "this segment"
        return stopping.asked

    return Hooks(
        on_segment=bar.segment,
        on_evaluation=on_evaluation,
        on_begun=on_begun,
        notice=say,
        say=bar.say,
        begin=begin,
        stop=stop,
        guard=lambda: stopping,
    )


def say(line: str) -> None:
    """Tell the user one thing, on stderr."""
    print(line, file=sys.stderr, flush=True)


def report(summary: dict[str, Any]) -> None:
    """Print a run's results."""
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
