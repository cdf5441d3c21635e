"""What a field of the configuration says of itself: use, bounds, and when it has an effect. No JAX here.

To add a hyperparameter, add a field to a part of `config.Config`, with its help as docstring,

    target_kl: float = traced(0.01, low=0.0)
    \"\"\"Largest divergence of an update.\"\"\"

and read `hyper.config.ppo.target_kl` where it acts. All else follows from the field: the flag and its help,
the bounds that `check` knows, `--sweep`, what the compiled program is given (`config.pytree`), which programs
can be reused (`compiled_for`), and which flags are reported as without effect (`config.effects`). What a
program has to be compiled for is `static`, what is read on the host alone `host`.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Moment = int | float
"""A point of a schedule: what kind of number it is says what it counts, see `share_of_run`."""
MOST = 2**24
"""The largest count: up to here float32, in which counts are summed, holds every whole number."""
MOST_ENV_STEPS = 2**31 - 2 * MOST
"""Environment steps a seed may train for: counted in int32, the last update may exceed them by `MOST`."""
MOST_FLOAT = 3.4e38
"""Hyperparameters are float32."""

Idle = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class About:
    """What a field says of itself.

    Attributes:
        use: traced: the compiled program is given it, so it can be swept; static: the program is compiled
            for it; host: read outside the program alone.
        low: smallest value; of counts an int. None for a field without bounds.
        high: largest value.
        choices: the texts it may be; traced, it is given as its place among them.
        moment: whether it is a point of a schedule, see `share_of_run`.
        idle: settings under which it has no effect: other fields and the values that they all have then.
        off: the value that asks for nothing, and therefore is never without effect.
        later: whether the field was added when runs had been fingerprinted without it: at its default it is
            left out of fingerprints, so that those runs can be continued and joined.
    """

    use: Literal["traced", "static", "host"] = "static"
    low: float | None = None
    high: float = float("inf")
    choices: tuple[str, ...] = ()
    moment: bool = False
    idle: Idle = ()
    off: str | None = None
    later: bool = False


PLAIN = About()


def traced[T](default: T, **about: Any) -> T:
    """A field that the compiled program is given: another value compiles nothing, and it can be swept.

    Args:
        default: its default.
        **about: see `About`; a number is at least 0 unless said otherwise.
    """
    bounds = {} if isinstance(default, str) else {"low": 0.0}
    return _field(default, About("traced", **{**bounds, **about}))


def static[T](default: T, **about: Any) -> T:
    """A field that the program is compiled for; so is one without any mark."""
    return _field(default, About("static", **about))


def host[T](default: T, **about: Any) -> T:
    """A field that is read outside the compiled program alone."""
    return _field(default, About("host", **about))


def group[T](kind: Callable[[], T], idle: Idle = ()) -> T:
    """A field that holds a dataclass of fields.

    Args:
        kind: the dataclass.
        idle: settings under which none of its fields has an effect.
    """
    made: T = dataclasses.field(default_factory=kind, metadata={"about": About(idle=idle)})
    return made


def _field[T](default: T, about: About) -> T:
    made: T = dataclasses.field(default=default, metadata={"about": about})
    return made


def while_(field: str, *values: Any) -> Idle:
    """Settings for `About.idle`: a field has one of some values.

    >>> while_("decay", "linear", "none")
    ({'decay': 'linear'}, {'decay': 'none'})
    """
    return tuple({field: value} for value in values)


@dataclass(frozen=True)
class Leaf:
    """A field of a configuration that holds a value rather than other fields.

    Attributes:
        path: names of the fields that lead to it.
        about: what it says of itself, its groups' idle settings included.
        default: its default.
    """

    path: tuple[str, ...]
    about: About
    default: Any

    @property
    def name(self) -> str:
        """Its name in messages and sweeps, such as `ppo.lr`; a group's `name` goes by the group's."""
        return ".".join(self.path).removesuffix(".name")

    @property
    def flag(self) -> str:
        """Its flag, such as `--ppo.lr-end`."""
        return "--" + self.name.replace("_", "-")

    def of(self, config: Any) -> Any:
        """Its value in a configuration."""
        return functools.reduce(getattr, self.path, config)

    def changed(self, config: Any, value: Any) -> Any:
        """The configuration with another value of it."""
        for depth in reversed(range(len(self.path))):
            owner = functools.reduce(getattr, self.path[:depth], config)
            value = dataclasses.replace(owner, **{self.path[depth]: value})
        return value


@functools.cache
def leaves(kind: type) -> dict[str, Leaf]:
    """All leaves of a configuration's dataclass by name, in the order of its fields."""
    found = [leaf for field in dataclasses.fields(kind) for leaf in _leaves(field)]
    return {leaf.name: leaf for leaf in found}


def _leaves(field: dataclasses.Field[Any]) -> list[Leaf]:
    about = about_field(field)
    if (part := group_of(field)) is None:
        return [Leaf((field.name,), about, field.default)]
    inner = leaves(part).values()
    return [
        Leaf(
            (field.name, *leaf.path),
            dataclasses.replace(leaf.about, idle=about.idle + leaf.about.idle),
            leaf.default,
        )
        for leaf in inner
    ]


def about_field(field: dataclasses.Field[Any]) -> About:
    """What a field says of itself; one that says nothing is static."""
    about: About = field.metadata.get("about", PLAIN)
    return about


def group_of(field: dataclasses.Field[Any]) -> type | None:
    """The dataclass that a group holds; None for a leaf."""
    kind = field.default_factory
    return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None


def compiled_for[C](config: C) -> C:
    """A configuration with all that its program is not compiled for set to its default.

    Two configurations between which this makes no difference can share a compiled program.
    """
    kind: type = type(config)
    for leaf in leaves(kind).values():
        if leaf.about.use != "static":
            config = leaf.changed(config, leaf.default)
    return config
