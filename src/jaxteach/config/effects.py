"""Fields without effect under the other settings: reported, or refused in a sweep. No JAX here.

Under which settings a field has none, it says itself: see `config.fields.About.idle`.
"""

from collections.abc import Iterable, Sequence

from jaxteach.config import Config, share_of_run
from jaxteach.config.fields import leaves
from jaxteach.config.sweep import grid
from jaxteach.utils.errors import UserError


def not_read_by(config: Config, field: str) -> str | None:
    """The setting that leaves a field without effect; None if it has one.

    Args:
        config: of a single run, or at a point of a sweep.
        field: its name, such as `decay.floor`; `decay` is the choice of the schedule. What is no field has an
            effect.

    >>> not_read_by(Config(teacher="none"), "decay.floor"), not_read_by(Config(), "decay.floor")
    ('--teacher none', None)
    """
    known = leaves(Config)
    leaf = known.get(field)
    if leaf is None or (leaf.about.off is not None and leaf.of(config) == leaf.about.off):
        return None
    for settings in leaf.about.idle:
        if all(known[name].of(config) == value for name, value in settings.items()):
            return " ".join(f"{known[name].flag} {value}" for name, value in settings.items())
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
