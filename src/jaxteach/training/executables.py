"""Compiled programs kept in files, so that a command run again traces nothing.

JAX's own cache is found by what was traced and lowered, which takes longer than most runs train. These files
are found by what decides the trace: static configuration, this package's code, versions, settings, devices.
"""

import contextlib
import functools
import hashlib
import json
import os
import pickle
import stat
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from jax.experimental.serialize_executable import deserialize_and_load, serialize
from jax.stages import Compiled

from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.files import write_atomic
from jaxteach.utils.jax_setup import versions
from jaxteach.utils.machine import processor
from jaxteach.utils.numerics import settings

Facts = dict[str, Any]
FORMAT = 1
SUFFIX = ".executables"
MOST = 64
"""Files kept, a few megabytes each: those used last."""


_HITS: list[str] = []
"""What JAX has read from its own cache in this process. XLA cannot write such a program again (it leaves out
the code, which shows when the program runs), and JAX may hand it out again at any time. So this process keeps
nothing then; a mark has the next one compile without JAX's cache."""


def _listen(event: str, **_: Any) -> None:
    if event == "/jax/compilation_cache/cache_hits":
        _HITS.append(event)


jax.monitoring.register_event_listener(_listen)


class Executables(NamedTuple):
    """What of a `training.program.Program` is compiled."""

    init: Compiled
    segment: Compiled
    kept_evaluation: Compiled | None
    kept_teacher: Compiled | None


class Store:
    """A folder of executables.

    Reading one runs what it holds, so the folder and the file must be this user's, and writable by no other.

    Args:
        folder: where; made when it is first written to.
        notice: gets a line about a file that cannot be used, or not be written.
    """

    def __init__(self, folder: Path, notice: Callable[[str], Any]) -> None:
        self.folder, self.notice = folder, notice

    def get(self, facts: Facts, compile_all: Callable[[], Executables]) -> Executables:
        """The executables that were compiled for what the facts say, compiled now if they are not there.

        Args:
            facts: what decides them, see `surroundings` and `compilation.decisive`; JSON.
            compile_all: compiles them.
        """
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
        path, again = self.folder / f"{digest}{SUFFIX}", self.folder / f"{digest}.again"
        if os.path.exists(path) and (found := self._read(path, facts)) is not None:
            return found
        # False, not an error, where a folder cannot be read.
        if os.path.exists(again) and not _HITS:
            with without_cache():
                made = compile_all()
        else:
            made = compile_all()
        if _HITS:
            with contextlib.suppress(OSError):
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                again.touch()
            return made
        self._write(path, made, facts)
        with contextlib.suppress(OSError):
            again.unlink()
        return made

    def _read(self, path: Path, facts: Facts) -> Executables | None:
        try:
            check_owner(self.folder)
            check_owner(path)
            found = unpack(path.read_bytes(), facts)
            os.utime(path)
        except Exception as error:  # damaged bytes make pickle and XLA raise unrelated types
            self.notice(f"{path} cannot be used ({one_line(error)}): compiled and written anew")
            return None
        return found

    def _write(self, path: Path, executables: Executables, facts: Facts) -> None:
        """Those not used for longest make room."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_owner(self.folder)
            write_atomic(path, pack(executables, facts))
            path.chmod(0o600)
            kept = sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime)
            for old in kept[:-MOST]:
                old.unlink(missing_ok=True)
        except (OSError, ValueError, NotImplementedError, UserError, pickle.PicklingError) as error:
            self.notice(f"compiled programs are not kept for the next run: {one_line(error)}")


@contextlib.contextmanager
def without_cache() -> Iterator[None]:
    """Has JAX compile without its own cache."""
    before = jax.config.values["jax_enable_compilation_cache"]
    jax.config.update("jax_enable_compilation_cache", False)
    reset_cache()  # whether it is used, JAX looks up once
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        reset_cache()


def surroundings() -> Facts:
    """What decides an executable besides a run's own configuration: code, versions, settings, machine."""
    device = jax.devices()[0]
    return {
        "format": FORMAT,
        "code": code_digest(),
        "versions": versions(),
        "settings": settings(deterministic=False),
        "devices": [device.platform, device.device_kind, len(jax.devices()), device.client.platform_version],
        "processor": processor(),
    }


@functools.cache
def code_digest() -> str:
    """A digest of this package's modules."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root)} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def check_owner(path: Path) -> None:
    """Refuse what another user has, or may write.

    Raises:
        ValueError: saying why.
    """
    found = path.lstat()
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        raise ValueError(f"{path.name} belongs to another user")
    if stat.S_ISLNK(found.st_mode) or found.st_mode & 0o022:
        raise ValueError(f"{path.name} may be written by others")


def pack(executables: Executables, facts: Facts) -> bytes:
    """Executables as a file holds them: a line of JSON that says for what, and of which bytes; the bytes.

    Raises:
        ValueError, NotImplementedError: this backend cannot give its executables away.
    """
    parts: list[tuple[Any, ...] | None] = []
    for compiled in executables:
        if compiled is None:
            parts.append(None)
            continue
        payload, *trees = serialize(compiled)
        # Trees of JAX cannot be pickled; what they are the structure of can.
        parts.append((payload, *(jax.tree.unflatten(tree, range(tree.num_leaves)) for tree in trees)))
    data = zlib.compress(pickle.dumps(parts), level=1)
    header = {"facts": facts, "sha256": hashlib.sha256(data).hexdigest()}
    return json.dumps(header, sort_keys=True).encode() + b"\n" + data


def unpack(file: bytes, facts: Facts) -> Executables:
    """The reverse of `pack`, for the devices of this process.

    Raises:
        ValueError: the file is damaged, or of something else than the facts say.
    """
    first, _, data = file.partition(b"\n")
    header = json.loads(first)
    theirs = header["facts"]
    if differ := [name for name in facts if theirs.get(name) != facts[name]]:
        raise ValueError(f"it was compiled for another {', '.join(differ)}")
    if hashlib.sha256(data).hexdigest() != header["sha256"]:
        raise ValueError("it is damaged")
    # Only lowering an operation of LAPACK has jaxlib look up its functions, without which a loaded program
    # that calls them (the orthogonal initialisation) jumps to nowhere.
    jax.jit(jnp.linalg.qr).lower(jax.ShapeDtypeStruct((2, 2), jnp.float32))
    parts = pickle.loads(zlib.decompress(data))
    with ThreadPoolExecutor() as threads:
        init, segment, *others = threads.map(loaded, parts)
    assert init is not None and segment is not None
    return Executables(init, segment, *others)


def loaded(part: tuple[bytes, Any, Any] | None) -> Compiled | None:
    """A program for this process's devices from its bytes and the trees of its arguments and results."""
    if part is None:
        return None
    payload, arguments, results = part
    return deserialize_and_load(payload, jax.tree.structure(arguments), jax.tree.structure(results))
