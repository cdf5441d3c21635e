"""Which fields a setting reads: those that it does not are told of, or refused in a sweep. No JAX here."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from jaxteach.config import Config, share_of_run
from jaxteach.config.sweep import grid
from jaxteach.utils.errors import UserError

READ_BY_DECAY = {
    "linear_plateau": ("start", "floor", "plateau_at", "off_at"),
    "linear": ("start", "off_at"),
    "constant": ("start",),
    "exponential": ("start", "floor", "plateau_at", "off_at"),
    "cosine": ("start", "floor", "plateau_at", "off_at"),
    "step": ("start", "floor", "plateau_at", "off_at"),
    "adaptive": ("start", "floor", "off_at"),
    "none": (),
}
"""Parameters of `config.Decay` that each schedule reads."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """What some fields need in order to have an effect.

    Attributes:
        fields: by their names; one that ends in a dot means all of its parts.
        unread: of a configuration, the setting that does not read them; None if they are read.
    """

    fields: tuple[str, ...]
    unread: Callable[[Config], str | None]


def _untaught(config: Config) -> str | None:
    if config.method == "hierarchical":
        return "--method hierarchical"
    return "--teacher none" if config.teacher == "none" else None


def _unless(holds: Callable[[Config], bool], setting: str) -> Callable[[Config], str | None]:
    """A rule that fields are read where `holds` is true, and otherwise not because of `setting`."""
    return lambda config: None if holds(config) else setting


def _not_by_decay(name: str) -> Callable[[Config], str | None]:
    return lambda config: None if name in READ_BY_DECAY[config.decay.name] else f"--decay {config.decay.name}"


RULES = (
    Rule(
        ("teacher",),
        _unless(lambda c: c.method != "hierarchical" or c.teacher == "none", "--method hierarchical"),
    ),
    Rule(("decay",), lambda c: None if c.decay.name == "none" else _untaught(c)),
    Rule(("decay.", "distill", "distill.", "corrupt."), _untaught),
    *(Rule((f"decay.{name}",), _not_by_decay(name)) for name in READ_BY_DECAY["linear_plateau"]),
    Rule(("distill", "distill."), _unless(lambda c: c.decay.name != "none", "--decay none")),
    Rule(("distill.weighting",), _unless(lambda c: c.distill.teacher == "soft", "--distill.teacher hard")),
    Rule(("corrupt.mode", "corrupt.seed"), _unless(lambda c: c.corrupt.share > 0, "--corrupt.share 0")),
    Rule(("corrupt.seed",), _unless(lambda c: c.corrupt.mode == "systematic", "--corrupt.mode noise")),
    Rule(("ppo.gae_lambda",), _unless(lambda c: c.ppo.returns == "gae", "--ppo.returns monte_carlo")),
    Rule(("ppo.clip",), _unless(lambda c: c.ppo.policy_weight > 0, "--ppo.policy-weight 0")),
    Rule(("ppo.value_clip",), _unless(lambda c: c.ppo.value_weight > 0, "--ppo.value-weight 0")),
    Rule(
        ("ppo.gamma", "ppo.returns", "ppo.gae_lambda"),
        _unless(
            lambda c: c.ppo.policy_weight > 0 or c.ppo.value_weight > 0,
            "--ppo.policy-weight 0 --ppo.value-weight 0",
        ),
    ),
    Rule(("rollout.steps",), _unless(lambda c: c.rollout.collect == "steps", "--rollout.collect episodes")),
    Rule(
        ("rollout.min_env_steps",),
        _unless(lambda c: c.rollout.collect == "episodes", "--rollout.collect steps"),
    ),
)


def not_read_by(config: Config, field: str) -> str | None:
    """The setting that leaves a field without effect; None if it has one.

    Args:
        config: of a single run, or at a point of a sweep.
        field: its name, such as `decay.floor`; `decay` is the choice of the schedule.

    >>> not_read_by(Config(teacher="none"), "decay.floor"), not_read_by(Config(), "decay.floor")
    ('--teacher none', None)
    """
    for rule in RULES:
        named = any(field == name or (name[-1] == "." and field.startswith(name)) for name in rule.fields)
        if named and (setting := rule.unread(config)) is not None:
            return setting
    return None


def without_effect(configs: Sequence[Config], fields: Iterable[str]) -> list[str]:
    """Tell of fields that were given and change nothing, a line each.

    Args:
        configs: the configuration at each point of the sweep; a single one without.
        fields: the names of those given.
    """
    lines = []
    for field in fields:
        settings = [not_read_by(config, field) for config in configs]
        if idle := list(dict.fromkeys(setting for setting in settings if setting is not None)):
            n = len(settings) - settings.count(None)
            where = f" at {n} of {len(configs)} points" if None in settings else ""
            reasons = " and ".join(f"{setting} does not read it" for setting in idle)
            lines.append(f"--{field.replace('_', '-')} has no effect{where}: {reasons}")
    return lines


def check_sweep(config: Config) -> None:
    """Refuse a sweep over a field that has an effect at none of its points: they would all be alike.

    Args:
        config: its `sweep` is one that `grid` takes.

    Raises:
        UserError: naming the field.
    """
    points = grid(config)
    for field in points[0].values:
        settings = [not_read_by(point.config, field) for point in points]
        if None not in settings:
            raise UserError(
                f"--sweep {field}: {settings[0]} does not read it, so that its points would be alike: "
                "leave it out"
            )


def out_of_reach(config: Config) -> list[str]:
    """Tell of a plateau that the run ends before, a line.

    Args:
        config: resolved.
    """
    rollout, at = config.rollout, config.decay.plateau_at
    assert config.env_steps is not None
    by_episodes = rollout.collect == "episodes"
    per_update = rollout.min_env_steps if by_episodes else rollout.envs * rollout.steps
    n_updates = -(-config.env_steps // per_update)
    if not_read_by(config, "decay.plateau_at") or share_of_run(at) is not None or at < n_updates:
        return []
    return [
        f"--decay.plateau-at {at:g}: lambda does not come down to its floor, for {config.env_steps} "
        f"environment steps are {'at most ' if by_episodes else ''}{n_updates} updates"
    ]
