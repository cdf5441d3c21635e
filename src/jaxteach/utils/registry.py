"""Things found by name: those that ship with the package, those registered, those of installed plugins."""

import functools
import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jaxteach.utils.errors import UserError, nearest, one_line


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

    def names(self) -> tuple[str, ...]:
        """Every name, sorted; imports nothing."""
        return tuple(sorted({*self._built_in, *self._registered, *self._plugins()}))

    def __contains__(self, name: str) -> bool:
        return name in self._built_in or name in self._registered or name in self._plugins()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def ships(self, name: str) -> bool:
        """Whether a name is one of the package's own, and not registered anew."""
        return name in self._built_in and name not in self._plugins()

    def register(self, name: str, thing: T) -> None:
        """Add an object under a name of its own.

        Raises:
            UserError: the name is taken by another object, or the object is none of the kind.
        """
        known = self._registered.get(name)
        same = known is thing if known is not None else self._built_in.get(name) in (None, _place(thing))
        if not same:
            raise UserError(f"a {self.kind} named '{name}' exists already: choose another name")
        try:
            self._registered[name] = self._check(name, thing)
        except ValueError as error:
            raise UserError(f"{self.kind} '{name}': {error}") from error

    def get(self, name: str) -> T:
        """The object of a name.

        Raises:
            UserError: there is none, with the nearest names; or a plugin that cannot be used, naming its
                package and the object.
        """
        plugins = self._plugins().get(name, ())
        if name in self._built_in or name in self._registered:
            if plugins:
                raise UserError(
                    f"{_origin(plugins[0])}: its {self.kind} '{name}' has a name that is taken: rename it"
                )
            if name not in self._registered:
                self._registered[name] = self._check(name, own(self._built_in[name]))
            return self._registered[name]
        if not plugins:
            raise UserError(f"unknown {self.kind} '{name}': {nearest(name, self.names())}")
        if len(plugins) > 1:
            both = " and ".join(_origin(plugin) for plugin in plugins)
            raise UserError(f"{both} both have a {self.kind} named '{name}': uninstall one")
        return self._from_plugin(name, plugins[0])

    def _from_plugin(self, name: str, plugin: importlib.metadata.EntryPoint) -> T:
        """Load and check a plugin's object."""
        try:
            thing = plugin.load()
        except Exception as error:  # a plugin's import can fail in any way
            what = one_line(f"{type(error).__name__}: {error}")
            raise UserError(
                f"{_origin(plugin)}: its {self.kind} '{name}' cannot be imported: {what}"
            ) from error
        try:
            checked = self._check(name, thing)
        except ValueError as error:
            raise UserError(f"{_origin(plugin)}: its {self.kind} '{name}' cannot be used: {error}") from error
        # Registered objects win over entry points only through the cache of this process.
        self._plugins().pop(name)
        self._registered[name] = checked
        return checked

    def _plugins(self) -> dict[str, tuple[importlib.metadata.EntryPoint, ...]]:
        """Entry points of the group by name."""
        return _entry_points(self.group)


@functools.cache
def _entry_points(group: str) -> dict[str, tuple[importlib.metadata.EntryPoint, ...]]:
    """Entry points by name, read once."""
    found: dict[str, tuple[importlib.metadata.EntryPoint, ...]] = {}
    for point in importlib.metadata.entry_points(group=group):
        # One package can be seen twice, as installed and as a checkout on the path.
        if all(point.value != other.value for other in found.get(point.name, ())):
            found[point.name] = (*found.get(point.name, ()), point)
    return found


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


def _origin(plugin: importlib.metadata.EntryPoint) -> str:
    """The package of an entry point, and the object."""
    package = plugin.dist.name if plugin.dist is not None else "a package"
    return f"{package} ({plugin.value})"
