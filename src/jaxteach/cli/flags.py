"""Flags of a training run: what they have to agree with, also when a run continues. No JAX here."""

from typing import Any

from jaxteach.config import CHUNK, Config, from_json, share_of_run, to_json
from jaxteach.config.effects import without_effect
from jaxteach.config.fields import leaves
from jaxteach.config.sweep import grid
from jaxteach.utils.errors import UserError
from jaxteach.utils.numerics import differences, settings

MOST_DEVICES = 256
"""Devices a CPU may pretend to be: JAX starts them one by one, and thousands take minutes."""


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


def check_devices(n: int | None, config: Config) -> None:
    """Refuse devices that a chunk cannot be split over, before JAX makes them: it takes its time over many.

    Args:
        n: devices the CPU is to pretend to be; None if that was not asked for.
        config: gives the width of a chunk.

    Raises:
        UserError: saying how many there may be.
    """
    width = config.seeds_per_chunk or CHUNK[config.preset]
    if n is not None and not 1 <= n <= MOST_DEVICES:
        raise UserError(f"--host-devices {n}: must be from 1 to {MOST_DEVICES}; more than cores gain nothing")
    if n is not None and width % n:
        raise UserError(
            f"--host-devices {n}: the {width} seeds of a chunk cannot be split over {n} devices: choose a "
            f"divisor of {width}, or a multiple of {n} as --seeds-per-chunk"
        )


def check_unchanged(
    then: dict[str, Any],
    config: Config,
    own: dict[str, Any],
    advice: str = "leave these flags out, or choose another --out",
) -> None:
    """Refuse to continue with a run under other settings than it was started with.

    Args:
        then: its config.json.
        config: resolved.
        own: what else the flags ask for that config.json holds, see `run.Options.own`.
        advice: what to do about it.

    Raises:
        UserError: naming the first flags that differ.
    """
    check_numerics(then, f"{config.out} cannot continue")
    now = flags({**to_json(config), **own})
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
            f"{config.out} cannot continue with another configuration: "
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
