"""The command line of a training run, and what it has to agree with when a run continues. No JAX here."""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxteach.cli import parse
from jaxteach.config import CHUNK, Config, check, from_json, preset, share_of_run, to_json
from jaxteach.config.effects import check_sweep, without_effect
from jaxteach.config.fields import leaves
from jaxteach.config.sweep import grid
from jaxteach.runs.folders import read_config
from jaxteach.runs.shards import Shard, read_shard
from jaxteach.utils.errors import UserError
from jaxteach.utils.jax_setup import devices_for
from jaxteach.utils.numerics import differences, settings

MOST_DEVICES = 256
"""Devices a CPU may pretend to be: JAX starts them one by one, and thousands take minutes."""


@dataclass(frozen=True)
class Options:
    """Train students on a task with a cached teacher, many seeds in one compiled program."""

    config: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)
    resume: bool = False
    """Continue with the run in --out, to the result it would have had uninterrupted; begin if there is none.
    Other flags need not be repeated."""
    checkpoint_every: int | None = None
    """Segments (8 updates or fewer) between checkpoints; 0: only when a signal stops the run. By default
    once a minute, less often if that took over 1 % of the time."""
    debug_nans: bool = False
    """Should a seed diverge, end and say in which line of code its first NaN arises. Slower."""
    deterministic: bool = False
    """Have accelerators compute the same bits in every run, at some cost. CPUs do so anyway."""
    host_devices: int | None = None
    """Devices the CPU pretends to be; the seeds of a chunk are split over them. By default one a core, as
    far as they share a chunk evenly. With other numbers results agree in statistics, not to the bit."""
    keep_params: Literal["all", "none"] = "all"
    """all: parameters of every student are written; none: they are gone once their chunk is evaluated."""
    shard: str | None = None
    """I/N: train only the I-th (from 0) of N equal parts of the run, into OUT/shards/I-of-N; slurm: as the
    job array says. python -m jaxteach.merge OUT joins them."""
    cache: str | None = None
    """Folder for compiled programs, or off; by default $JAXTEACH_CACHE, else ~/.cache/jaxteach."""

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


def read_options(args: list[str]) -> tuple[Options, dict[str, Any] | None]:
    """What a command line asks for: the preset's values, or those of the run resumed, changed by flags.

    Args:
        args: the command line.

    Returns:
        The options, their configuration not yet resolved; and config.json of the run to resume, if any.

    Raises:
        UserError: naming the flag at fault.
    """
    options = parse(Options, "run", default=Options(preset(preset_named(args))), args=args)
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
        )
        options = parse(Options, "run", default=before, args=args)
    if options.host_devices is not None and options.host_devices < 1:
        raise UserError(f"--host-devices {options.host_devices}: must be at least 1")
    check(options.config)
    grid(options.config)
    if then is None:
        check_sweep(options.config)
    check_devices(options)
    return options, then


def idle_flags(config: Config, args: list[str]) -> list[str]:
    """Tell of flags, and of fields swept, that change nothing under the other settings, a line each.

    Args:
        config: what the command line asks for.
        args: the command line.
    """
    points = grid(config)
    words = [arg.partition("=")[0] for arg in args if arg.startswith("--")]
    given = [word.removeprefix("--").replace("-", "_") for word in words] + list(points[0].values)
    return without_effect([point.config for point in points], dict.fromkeys(given))


def check_devices(options: Options) -> None:
    """Refuse devices that a chunk cannot be split over, before JAX makes them: it takes its time over many.

    Raises:
        UserError: saying how many there may be.
    """
    n, width = options.host_devices, options.config.seeds_per_chunk or CHUNK[options.config.preset]
    if n is not None and not 1 <= n <= MOST_DEVICES:
        raise UserError(f"--host-devices {n}: must be from 1 to {MOST_DEVICES}; more than cores gain nothing")
    if n is not None and width % n:
        raise UserError(
            f"--host-devices {n}: the {width} seeds of a chunk cannot be split over {n} devices: choose a "
            f"divisor of {width}, or a multiple of {n} as --seeds-per-chunk"
        )


def preset_named(args: list[str]) -> str:
    """The preset a command line names, before the rest of it is parsed."""
    for i, arg in enumerate(args):
        if arg == "--preset" and i + 1 < len(args):
            return args[i + 1]
        if arg.startswith("--preset="):
            return arg.removeprefix("--preset=")
    return "fast"


def check_unchanged(
    then: dict[str, Any],
    options: Options,
    advice: str = "leave these flags out, or choose another --out",
) -> None:
    """Refuse to continue with a run under other settings than it was started with.

    Args:
        then: its config.json.
        options: with the configuration resolved.
        advice: what to do about it.

    Raises:
        UserError: naming the first flags that differ.
    """
    check_numerics(then, f"{options.config.out} cannot continue")
    own = {"deterministic": options.deterministic, "keep_params": options.keep_params}
    now = flags({**to_json(options.config), **own})
    stored = to_json(from_json(then))
    before = flags({**then, **stored, "deterministic": bool(then.get("deterministic"))})
    moments = {leaf.flag for leaf in leaves(Config).values() if leaf.about.moment}
    changed = [
        f"{flag} {value} (the run was started with {before[flag]})"
        for flag, value in now.items()
        if flag != "--out"
        and (
            before.get(flag) != value
            or (flag in moments and share_of_run(before[flag]) != share_of_run(value))
        )
    ]
    if changed:
        more = f", and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise UserError(
            f"{options.config.out} cannot continue with another configuration: "
            f"{', '.join(changed[:3])}{more}; {advice}"
        )


def check_numerics(then: dict[str, Any], what: str) -> None:
    """Refuse to continue with a run under other settings of XLA than it was started with.

    Args:
        then: its config.json.
        what: how the message begins.

    Raises:
        UserError: naming the settings that differ.
    """
    deterministic = bool(then.get("deterministic"))
    changed = differences(settings(deterministic), then.get("numerics", {}))
    if changed:
        raise UserError(
            f"{what} under other settings, which change bits: {', '.join(changed)}; set them as they were, "
            "or choose another --out"
        )


def flags(values: dict[str, Any], prefix: str = "--") -> dict[str, Any]:
    """A configuration's values by their flags.

    >>> flags({"first_seed": 0, "ppo": {"lr": 1e-3}, "decay": {"name": "none"}})
    {'--first-seed': 0, '--ppo.lr': 0.001, '--decay': 'none'}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found.update(flags(value, f"{prefix}{name.replace('_', '-')}."))
        elif name == "name" and prefix != "--":
            found[prefix.removesuffix(".")] = value
        else:
            found[prefix + name.replace("_", "-")] = value
    return found
