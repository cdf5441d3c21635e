"""Traced programs kept in files, so that a command run again traces nothing.

JAX's own cache has them compiled, but is found by what was traced and lowered, which takes longer than most
runs train. These are found by what decides the trace: static configuration, this package's code, versions,
settings, devices. They are files as `jax.export` writes them: nothing in them is unpickled.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import optax
from flax import struct
from jax import export
from jax.export import Exported
from jax.stages import Lowered

from jaxteach.utils.compile_cache import why_not_own
from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.files import write_atomic
from jaxteach.utils.jax_setup import versions
from jaxteach.utils.numerics import settings
from jaxteach.utils.surroundings import source_digest

Facts = dict[str, Any]
Exports = dict[str, Exported]
FORMAT = 3
SUFFIX = ".exported"
MOST = 64
"""Files kept, of some hundred kilobytes each: those used last."""
LAYOUT = export.DisabledSafetyCheck.custom_call("LayoutConstraint")
"""What `with_layout_constraint` asks for. Its form may change with JAX; so does what finds a file."""
_NAMED: dict[str, type] = {}
"""Classes that files can name, see `name_classes`."""


@dataclass(frozen=True)
class Part:
    """A function that can be exported.

    Attributes:
        name: of the compiled program.
        plain: the function; its result is made of arrays, lists, tuples, dictionaries and what `name_classes`
            names.
        whole: makes what is wanted of that.
        arguments: shapes, with how they lie on the devices.
        donated: numbers of arguments that the result may overwrite.
        options: XLA's, by which it is compiled.
    """

    name: str
    plain: Callable[..., Any]
    whole: Callable[[Any], Any]
    arguments: tuple[Any, ...]
    donated: tuple[int, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def exported(self) -> Exported:
        """Traced and lowered, of the arguments' arrays in their order."""
        leaves: list[Any]
        tree: Any
        leaves, tree = jax.tree.flatten(self.arguments)
        function = jax.jit(lambda *leaves: self.plain(*tree.unflatten(leaves)))
        return export.export(function, disabled_checks=[LAYOUT])(*leaves)

    def lowered(self, exported: Exported | None = None) -> Lowered:
        """Ready to be compiled; traced now, unless it was exported before."""

        def run(*arguments: Any) -> Any:
            if exported is None:
                return self.whole(self.plain(*arguments))
            return self.whole(exported.call(*jax.tree.leaves(arguments)))

        run.__name__ = self.name
        return jax.jit(run, donate_argnums=self.donated).lower(*self.arguments)


class Store:
    """A folder of exported programs: this user's, and writable by no other, as each of its files.

    Args:
        folder: where; made when it is first written to.
        notice: gets a line about a file that cannot be used, or not be written.
    """

    def __init__(self, folder: Path, notice: Callable[[str], Any]) -> None:
        self.folder, self.notice = folder, notice

    def load(self, facts: Facts) -> Exports:
        """The programs that were traced for what the facts say, by name; none if they have to be traced.

        Args:
            facts: what decides them, see `surroundings` and `compilation.decisive`; JSON.
        """
        path = self._path(facts)
        if not os.path.exists(path):  # false, not an error, where a folder cannot be read
            return {}
        try:
            for place in (self.folder, path):
                if trouble := why_not_own(place):
                    raise ValueError(f"{place.name} {trouble}")
            found = unpack(path.read_bytes(), facts)
            os.utime(path)
        except Exception as error:  # damaged bytes make zlib and flatbuffers raise unrelated types
            self.notice(f"{path} cannot be used ({one_line(error)}): traced and written anew")
            return {}
        return found

    def save(self, facts: Facts, exports: Exports) -> None:
        """Keep programs for the next process; those not used for longest make room.

        Args:
            facts: as for `load`.
            exports: by name.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if trouble := why_not_own(self.folder):
                raise ValueError(f"{self.folder} {trouble}")
            path = self._path(facts)
            write_atomic(path, pack(exports, facts))
            path.chmod(0o600)
            kept = sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime)
            for old in kept[:-MOST]:
                old.unlink(missing_ok=True)
        except (OSError, ValueError, UserError, ImportError) as error:  # the last: an old environment
            self.notice(f"traced programs are not kept for the next run: {one_line(error)}")

    def _path(self, facts: Facts) -> Path:
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{digest[:32]}{SUFFIX}"


def name_classes() -> None:
    """Let files name the classes of a state, this package's as far as they are imported by now."""

    def no_static_fields(values: Any) -> bytes:
        if values:
            raise ValueError(f"static fields cannot be kept: {values}")
        return b""

    kinds = [struct.PyTreeNode]
    for kind in kinds:
        kinds += kind.__subclasses__()  # found while they are walked
        name = f"{kind.__module__}:{kind.__qualname__}"
        if name.startswith("jaxteach.") and name not in _NAMED:
            _NAMED[name] = export.register_pytree_node_serialization(
                kind,
                serialized_name=name,
                serialize_auxdata=no_static_fields,
                deserialize_auxdata=lambda data: (),
            )
    name = "optax:ScaleByAdamState"
    if name not in _NAMED:
        _NAMED[name] = export.register_namedtuple_serialization(optax.ScaleByAdamState, serialized_name=name)


def surroundings() -> Facts:
    """What decides a trace besides a run's own configuration: code, versions, settings, devices."""
    device = jax.devices()[0]
    return {
        "format": FORMAT,
        "code": source_digest(),
        "versions": versions(),
        "settings": settings(deterministic=False),
        "devices": [device.platform, device.device_kind, len(jax.devices()), device.client.platform_version],
    }


def pack(exports: Exports, facts: Facts) -> bytes:
    """Programs as a file holds them: a line of JSON that says for what, and of which bytes; the bytes."""
    name_classes()
    blobs = {name: bytes(exported.serialize()) for name, exported in exports.items()}
    data = zlib.compress(b"".join(blobs.values()), level=1)
    sizes = {name: len(blob) for name, blob in blobs.items()}
    header = {"facts": facts, "sizes": sizes, "sha256": hashlib.sha256(data).hexdigest()}
    # Not sorted: the sizes are in the order of the bytes.
    return json.dumps(header).encode() + b"\n" + data


def unpack(file: bytes, facts: Facts) -> Exports:
    """The reverse of `pack`.

    Raises:
        ValueError: the file is damaged, or of something else than the facts say.
    """
    first, _, data = file.partition(b"\n")
    header = json.loads(first)
    theirs = header["facts"]
    if differ := [name for name in facts if theirs.get(name) != facts[name]]:
        raise ValueError(f"it is of another {', '.join(differ)}")
    if hashlib.sha256(data).hexdigest() != header["sha256"]:
        raise ValueError("it is damaged")
    name_classes()
    blobs, exports = bytearray(zlib.decompress(data)), {}
    for name, size in header["sizes"].items():
        exports[name] = export.deserialize(blobs[:size])
        del blobs[:size]
    return exports
