"""Things found by name: shipped with the package, registered, or brought by an installed plugin."""

import functools
import importlib
import importlib.metadata
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint
from typing import Any

from jaxteach.utils.errors import UserError, nearest, one_line

_NAME = re.compile(r"\w[\w.-]*")
"""Names become parts of file names, and a task's ends at a colon."""


class Registry[T]:
    """Objects of one kind by name, imported when asked for.

    A plugin is a package with an entry point in the kind's group: its name is what users write, its value
    `module:object`. A plugin that fails is refused when its name is asked for; all other names stay usable.

    Args:
        kind: what the objects are, in messages: "task", "student", ...
        group: of the entry points.
        built_in: `module:object` by name, of those that ship with the package.
        check: `(name, object) -> object`, raising ValueError with the field at fault.
    """

    def __init__(
        self, kind: str, group: str, built_in: Mapping[str, str], check: Callable[[str, Any], T]
    ) -> None:
        self.kind, self.group = kind, group
        self._built_in, self._check = dict(built_in), check
        self._registered: dict[str, T] = {}
        self._loaded: dict[str, T] = {}  # those that ship, and those of plugins

    def names(self) -> tuple[str, ...]:
        """Every name, sorted; imports nothing."""
        return tuple(sorted({*self._built_in, *self._registered, *self._plugins()}))

    def __contains__(self, name: str) -> bool:
        return name in self._built_in or name in self._registered or name in self._plugins()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def ships(self, name: str) -> bool:
        """Whether a name is one of the package's own, which no plugin claims."""
        return name in self._built_in and name not in self._plugins()

    def origin(self, name: str) -> str:
        """The package and the object of a plugin, for messages; "" for what is none."""
        points = self._plugins().get(name, ())
        return _origin(points[0]) if points else ""

    def register(self, name: str, thing: T) -> None:
        """Add an object under a new name.

        Raises:
            UserError: the name is taken by another object, or the object is none of the kind.
        """
        elsewhere = name in self._built_in and self._built_in[name] != _place(thing)
        taken = elsewhere or self._registered.get(name, thing) is not thing
        if taken and self._loaded.get(name) is not thing:
            raise UserError(f"a {self.kind} named '{name}' exists already: choose another name")
        self._registered[name] = self._valid(name, thing, f"{self.kind} '{name}'")

    def get(self, name: str) -> T:
        """The object of a name.

        Raises:
            UserError: there is none, with the nearest names; or a plugin that cannot be used, naming its
                package and the object.
        """
        if points := self._plugins().get(name):
            return self._from_plugins(name, points)
        if name in self._registered:
            return self._registered[name]
        if name not in self._built_in:
            damaged = "".join(f"; the entry points in {place} cannot be read" for place in _installed()[1])
            raise UserError(f"unknown {self.kind} '{name}': {nearest(name, self.names())}{damaged}")
        if name not in self._loaded:
            self._loaded[name] = self._check(name, own(self._built_in[name]))
        return self._loaded[name]

    def _from_plugins(self, name: str, points: tuple[EntryPoint, ...]) -> T:
        """The object of the one plugin that has a name, loaded and checked once."""
        origin = f"{_origin(points[0])}: its {self.kind} '{name}'"
        if name in self._built_in:
            raise UserError(f"{origin} has a name that is taken: rename it")
        if len(points) > 1:
            both = " and ".join(_origin(point) for point in points)
            raise UserError(f"{both} both have a {self.kind} named '{name}': uninstall one")
        if name in self._loaded:
            return self._loaded[name]
        try:
            thing = points[0].load()
        except (Exception, SystemExit) as error:  # a plugin's import can fail in any way
            what = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            raise UserError(f"{origin} cannot be imported: {one_line(what)}") from error
        # Its module may have registered it as well; another object of that name is somebody else's.
        if self._registered.get(name, thing) is not thing:
            raise UserError(f"{origin} has a name that is taken: rename it")
        self._loaded[name] = self._valid(name, thing, origin)
        return self._loaded[name]

    def _valid(self, name: str, thing: Any, origin: str) -> T:
        """The object, checked.

        Raises:
            UserError: naming the field at fault.
        """
        try:
            if not _NAME.fullmatch(name):
                raise ValueError("a name may hold letters, digits, '_', '-' and '.' alone")
            return self._check(name, thing)
        except ValueError as error:
            raise UserError(f"{origin} cannot be used: {error}") from error

    def _plugins(self) -> Mapping[str, tuple[EntryPoint, ...]]:
        """Entry points of the group by name."""
        return _installed()[0].get(self.group, {})


@functools.cache
def _installed() -> tuple[dict[str, dict[str, tuple[EntryPoint, ...]]], tuple[str, ...]]:
    """Entry points of all packages by group and name, and where they cannot be read; looked for once."""
    found: dict[str, dict[str, tuple[EntryPoint, ...]]] = {}
    damaged: list[str] = []
    for distribution in importlib.metadata.distributions():
        try:
            points = tuple(distribution.entry_points)
        except Exception:  # a damaged package that has nothing to do with a run must not end it
            damaged.append(str(getattr(distribution, "_path", "a package")))
            continue
        for point in points:
            group = found.setdefault(point.group, {})
            # One package can be seen twice, as installed and as a checkout on the path.
            if all(point.value != other.value for other in group.get(point.name, ())):
                group[point.name] = (*group.get(point.name, ()), point)
    return found, tuple(damaged)


def own(place: str) -> Any:
    """The object at `jaxteach.module:object`: only modules of this package are imported by name.

    >>> own("jaxteach.utils.registry:own").__name__
    'own'
    """
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(f"jaxteach.{module.removeprefix('jaxteach.')}"), name)


def _place(thing: Any) -> str:
    """`module:object` of a class or function; of nothing else is it known."""
    return f"{getattr(thing, '__module__', '')}:{getattr(thing, '__qualname__', '')}"


def _origin(point: EntryPoint) -> str:
    """The package of an entry point, and the object."""
    package = point.dist.name if point.dist is not None else "a package"
    return f"{package} ({point.value})"
