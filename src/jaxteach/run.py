"""`python -m jaxteach.run`: train students on a task with a cached teacher, and evaluate them."""

import dataclasses
import datetime
import functools
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from jaxteach.cli import parse
from jaxteach.cli.config_file import ConfigFile, read_config_file
from jaxteach.cli.flags import check_devices, check_unchanged, idle_flags
from jaxteach.cli.parsing import in_full
from jaxteach.cli.results import report, say
from jaxteach.config import CHUNK, Config, check, from_json, preset, resolve, to_json
from jaxteach.config.effects import check_sweep, out_of_reach
from jaxteach.config.sweep import grid, n_chunks
from jaxteach.runs.folders import Own, check_free, check_table, read_config
from jaxteach.runs.shards import Shard, note_tasks, read_shard
from jaxteach.tasks import needs_jax
from jaxteach.tracking import Name as Tracker
from jaxteach.tracking import check_tracker
from jaxteach.utils.errors import UserError, cli
from jaxteach.utils.jax_setup import devices_for
from jaxteach.utils.signals import Stopping

if TYPE_CHECKING:
    from jaxteach.cli.progress import Bar
    from jaxteach.teacher.table import PlanTable


def default_folder(config: Config) -> Path:
    """runs/<task>-<teacher>-<decay>-<date and time>."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    teacher = Path(config.teacher).stem
    return Path("runs") / f"{config.task.replace(':', '-')}-{teacher}-{config.decay.name}-{now}"


COMMON = tuple(
    "--task --teacher --decay --seeds --env-steps --out --resume --config --preset --method --student "
    "--first-seed --sweep --shard --track".split()
)
"""Flags that --help tells first and in full."""


@dataclass(frozen=True)
class Options(Own):
    """Train students on a task with a cached teacher, many seeds in one compiled program."""

    config: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)
    start: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """Start from the settings in a file, a run's config.json or some in TOML; flags change them."""
    resume: bool = False
    """Continue with the run in --out, to the result it would have had uninterrupted; begin if there is none.
    Other flags need not be repeated."""
    checkpoint_every: int | None = None
    """Segments (8 updates or fewer) between checkpoints; 0: only when a signal stops the run. By default
    once a minute, less often if that took over 1 % of the time."""
    debug_nans: bool = False
    """Should a seed diverge, end and say in which line of code its first NaN arises. Slower."""
    host_devices: int | None = None
    """Devices the CPU pretends to be; the seeds of a chunk are split over them. By default one a core, as
    far as they share a chunk evenly. With other numbers results agree in statistics, not to the bit."""
    shard: str | None = None
    """I/N: train only the I-th (from 0) of N equal parts of the run, into OUT/shards/I-of-N; slurm: as the
    job array says. python -m jaxteach.merge OUT joins them."""
    cache: str | None = None
    """Folder for compiled programs, or off; by default $JAXTEACH_CACHE, else ~/.cache/jaxteach."""
    track: Tracker | None = None
    """Send curves and result to a tracker as well: tensorboard (in OUT/tensorboard), trackio (its own
    database on this machine) or wandb. One that fails is left out from then on."""

    @property
    def devices(self) -> int:
        """Devices the CPU pretends to be."""
        config = self.config
        return self.host_devices or devices_for(config.seeds_per_chunk or CHUNK[config.preset])

    @functools.cached_property
    def part(self) -> Shard | None:
        """The part of the run to train; None for all of it."""
        return None if self.shard is None else read_shard(self.shard, out=self.config.out)

    @property
    def folder(self) -> Path | None:
        """The run folder asked for: with --shard the shard's own."""
        out = self.config.out
        return out if out is None or self.part is None else self.part.folder(out)

    @property
    def own(self) -> dict[str, Any]:
        """What config.json holds of them beside the configuration."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Own)}


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
        check_unchanged(then, config, options.own)
        # Flags may write its numbers in another way, 1980.0 for 1980: the run keeps its own, and its digest.
        config = dataclasses.replace(from_json(then), out=config.out)
    from jaxteach.teacher.wrong import teacher_of

    table = teacher_of(config)
    if table is not None and table.others and then is None:
        say(
            f"table {table.name} has {len(table.others)} states that {config.task} does not have, such as "
            f"{table.others[0]!r}: they are not used"
        )
    out = options.folder or default_folder(config)
    if then is not None and options.folder is not None:
        check_table(options.folder, then, table, config.teacher)
    if options.part is not None and options.config.seeds_per_chunk is not None:
        options.part.chunks(n_chunks(config))  # refuses more shards than there are chunks
    # A folder by default gets a name that is free when it is made.
    check_free(out if options.folder is not None else out.parent, new=then is None, notice=say)
    return Request(options, config, table, then, out)


def read_options(args: list[str]) -> tuple[Options, dict[str, Any] | None]:
    """What a command line asks for: the preset's values, or those of the run resumed, changed by flags.

    Args:
        args: the command line.

    Returns:
        The options, their configuration not yet resolved; and config.json of the run to resume, if any.

    Raises:
        UserError: naming the flag at fault.
    """
    if sum(argument.partition("=")[0] == "--track" for argument in args) > 1:
        raise UserError("--track is given twice: a run has one tracker")
    options = parse(Options, "run", default=defaults(args), args=args, common=COMMON)
    if options.checkpoint_every is not None and options.checkpoint_every < 0:
        raise UserError(f"--checkpoint-every {options.checkpoint_every}: must be at least 0")
    if options.part is not None and options.config.out is None:
        raise UserError(
            f"--shard {options.shard} needs --out: the folder of the run, the same for all shards"
        )
    then = None
    if options.resume:
        if options.folder is None:
            raise UserError("--resume needs --out: the folder of the run to continue with")
        then = read_config(options.folder)
    if then is not None:
        device = then["device"]
        before = Options(
            from_json(then),
            deterministic=then.get("deterministic", False),
            host_devices=device["count"] if device["platform"] == "cpu" else None,
            keep_params=then.get("keep_params", "all"),
            track=options.track,
        )
        if options.start is not None:
            before = started_from(read_config_file(options.start), before)
        options = parse(Options, "run", default=before, args=args, common=COMMON)
    if options.host_devices is not None and options.host_devices < 1:
        raise UserError(f"--host-devices {options.host_devices}: must be at least 1")
    check(options.config)
    grid(options.config)
    if then is None:
        check_sweep(options.config)
    check_devices(options.host_devices, options.config)
    if options.track is not None:
        check_tracker(options.track)
    return options, then


def defaults(args: list[str]) -> Options:
    """What flags change: a preset's values, changed by the file that --config names.

    Args:
        args: the command line.

    Raises:
        UserError: there is no such preset, the file is at fault, or was made with another preset.
    """
    named, start = value_of("--preset", args), value_of("--config", args)
    if start is None:
        return Options(preset(named or "fast", value_of("--task", args)))
    file = read_config_file(Path(in_full(start)))
    if named is not None and file.preset is not None and named != file.preset:
        raise UserError(
            f"--preset {named}: {file.path} holds settings of the preset {file.preset}, leave the flag out"
        )
    task = value_of("--task", args) or file.task
    base = preset(named or file.preset or "fast", task) if isinstance(file.preset, str | None) else Config()
    return started_from(file, Options(base))


def started_from(file: ConfigFile, options: Options) -> Options:
    """Options changed by a file."""
    return dataclasses.replace(
        options,
        config=file.over(options.config),
        host_devices=options.host_devices if file.devices is None else file.devices,
        **file.own,
    )


def value_of(flag: str, args: list[str]) -> str | None:
    """The value of a flag before the rest of the command line is parsed: the last one, as it is there."""
    value = None
    for i, arg in enumerate(args):
        if arg == flag and i + 1 < len(args):
            value = args[i + 1]
        elif arg.startswith(f"{flag}="):
            value = arg.removeprefix(f"{flag}=")
    return value


def run(request: Request, bar: "Bar") -> int:
    """Begin a run, or continue with it, and report.

    Args:
        request: what is to be run.
        bar: where progress is shown.

    Returns:
        The exit status: 0, or 130, 143 or 140 if a signal stopped the run.
    """
    from jaxteach.cli.progress import hooks_of
    from jaxteach.runs import Settings, execute
    from jaxteach.utils.jax_setup import programs_folder

    options, config, out = request.options, request.config, request.out
    ended = request.then is not None and (out / "summary.json").exists()
    if request.then is None and options.resume:
        bar.say(f"{out} holds no run to continue with: a new one begins")
    stopping = Stopping()

    def on_begun(folder: Path) -> None:
        if options.shard == "slurm" and config.out is not None:
            note_tasks(config.out)

    settings = Settings(
        resume=options.resume,
        anew=options.folder is None,
        deterministic=options.deterministic,
        keep_params=options.keep_params,
        checkpoint_every=options.checkpoint_every,
        debug_nans=options.debug_nans,
        shard=options.part,
        programs=programs_folder(),
    )
    # A width that was not asked for is the run's own, or that of the accelerator.
    config = dataclasses.replace(config, seeds_per_chunk=options.config.seeds_per_chunk)
    listener = None
    if options.track is not None:
        from jaxteach.tracking.listener import Listener

        listener = Listener(options.track, to_json(config), say)
    summary = execute(config, request.table, out, hooks_of(bar, stopping, on_begun, listener), settings)
    bar.close()
    if listener is not None:
        listener.end(summary.values)
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


if __name__ == "__main__":
    cli(main)
