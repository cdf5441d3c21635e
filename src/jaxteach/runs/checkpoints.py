"""Checkpoints of the running chunk: the full state, written by orbax in the background, checked when read."""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxteach.runs.run_folder import flatten, keyed_as, nested
from jaxteach.training.metrics import MetricsLog
from jaxteach.training.state import SeedState
from jaxteach.training.train import Progress, Standing
from jaxteach.utils.errors import UserError, one_line

WRITERS_PATIENCE = 20
"""How often, each twentieth of a second, what is left of a checkpoint that failed is looked for."""
KEPT = 2
"""Checkpoints kept: should the newest be damaged, the one before it serves."""
INTERVAL = 60.0
"""Seconds of training between checkpoints by default, at least."""
SHARE = 0.01
"""Share of the time training may wait for checkpoints by default, at most."""

GONE = (errno.ENOENT, errno.ENOTDIR)
"""Errors of the system that mean damage: a file is missing. With any other the checkpoint may be intact."""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclasses.dataclass
class Checkpoints:
    """The checkpoints of a run: `checkpoints/<chunk>/<update>/`, for the running chunk only.

    Attributes:
        folder: the run's folder.
        fingerprint: tells the run's configuration and table from any other.
        every: segments between checkpoints; 0 for none but the last; None to go by the time.
        notice: told in one line what is wrong with a checkpoint that is passed over.
        origins: digests of what the fingerprint is of, by name, so that a refusal says which has changed.
    """

    folder: Path
    fingerprint: str
    every: int | None = None
    notice: Callable[[str], None] = lambda line: None
    origins: Mapping[str, str | None] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chunk = -1
        self._manager: Any = None
        self._segments, self._waited = 0, 0.0
        self._last = time.monotonic()

    def after_segment(self, progress: Progress) -> None:
        """Save a checkpoint if it is time to, or training stops here; to be called after each segment.

        Raises:
            UserError: it, or the one before, could not be written.
        """
        self._segments += 1
        if progress.stopping:
            self.save(progress)
            self._wait()
        # A chunk that has ended is written as a result.
        elif not progress.complete and self._due():
            self.save(progress)

    def _due(self) -> bool:
        if self.every is not None:
            return self.every > 0 and self._segments % self.every == 0
        return time.monotonic() - self._last >= max(INTERVAL, self._waited / SHARE)

    def save(self, progress: Progress) -> None:
        """Copy the state of the running chunk and have it written in the background."""
        ocp = quiet_orbax()
        began = time.monotonic()
        # Copies: the next segment overwrites the state. Orbax refuses arrays without elements.
        state = {name: np.array(leaf) for name, leaf in flatten(progress.state).items() if leaf.size}
        metrics = progress.log.raw()
        facts = {
            "fingerprint": self.fingerprint,
            "origins": dict(self.origins),
            "seconds": progress.chunk_seconds,
        }
        facts["sha256"] = digest(state, metrics, as_array(facts))
        try:
            self._open(progress.chunk).save(
                progress.log.n_updates,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(nested(state)),
                    log=ocp.args.StandardSave(metrics),
                    facts=ocp.args.JsonSave(facts),
                ),
            )
        except Exception as error:  # whatever orbax, tensorstore or a file system thinks of
            raise self._failed(error) from error
        self._last = time.monotonic()
        self._waited = self._last - began

    def load(self, chunk: int, n_seeds: int, blank: Callable[[], SeedState]) -> Standing | None:
        """The newest intact checkpoint of a chunk; damaged ones are named and set aside.

        Args:
            chunk: its number.
            n_seeds: how many seeds it has.
            blank: gives a state as the chunk begins with, for the shapes and where arrays lie.

        Returns:
            Where to continue; None if the chunk has to begin again.

        Raises:
            UserError: if a checkpoint belongs to another configuration, table or version, or the system does
                not let it be read; it stays as it is.
        """
        folder = self._of(chunk)
        if not folder.is_dir():
            return None
        # Half-written ones carry a suffix; a number alone means that it was whole once.
        steps = sorted((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), reverse=True)
        for path in (folder / str(step) for step in steps):
            try:
                state, metrics, facts = read_checkpoint(path)
            except Exception as error:  # damage shows as any of a dozen exceptions
                if error_number(error) not in (None, *GONE):
                    raise UserError(
                        f"cannot read checkpoint {path}: {reason(error)}; nothing was changed: see to it, "
                        "and continue with --resume"
                    ) from error
                self.notice(f"checkpoint {path} is damaged and passed over ({reason(error)})")
                set_aside(path)
                continue
            if facts["fingerprint"] != self.fingerprint:
                raise UserError(
                    f"checkpoint {path} was written with another {self._changed(facts['origins'])}: "
                    "start a new run, or bring back what the run was started with"
                )
            try:
                return Standing(placed(state, blank()), MetricsLog(n_seeds, metrics), facts["seconds"])
            except ValueError as error:
                raise UserError(
                    f"checkpoint {path} is of another version of jaxteach ({error}): continue with the "
                    f"version that wrote it, or remove {folder} for the chunk to begin again"
                ) from error
        if steps:
            self.notice(f"no checkpoint of chunk {chunk} is intact: the chunk begins again")
        return None

    def finish(self, chunk: int) -> None:
        """Remove the checkpoints of a chunk whose results are written."""
        if self._chunk == chunk:
            self.close()
        shutil.rmtree(self._of(chunk), ignore_errors=True)
        self._segments, self._last = 0, time.monotonic()

    def close(self) -> None:
        """Wait for what is being written, and let go."""
        if self._manager is not None:
            self._wait()
            self._manager.close()
        self._chunk, self._manager = -1, None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; what has gone wrong before is not hidden by what goes wrong now."""
        with contextlib.suppress(*([] if kind is None else [UserError])):
            self.close()

    def _changed(self, then: Mapping[str, str | None]) -> str:
        """What differs from when a checkpoint was written, in words."""
        names = [name for name, value in self.origins.items() if then.get(name) != value]
        return " and another ".join(names) or "configuration or teacher table"

    def _of(self, chunk: int) -> Path:
        return self.folder / "checkpoints" / f"{chunk:05d}"

    def _open(self, chunk: int) -> Any:
        """Orbax's manager of a chunk's checkpoints."""
        ocp = quiet_orbax()
        if self._manager is None or self._chunk != chunk:
            self.close()
            options = ocp.CheckpointManagerOptions(
                max_to_keep=KEPT, enable_async_checkpointing=True, cleanup_tmp_directories=True
            )
            self._manager = ocp.CheckpointManager(self._of(chunk).absolute(), options=options)
            self._chunk = chunk
        return self._manager

    def _wait(self) -> None:
        try:
            self._manager.wait_until_finished()
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> UserError:
        """A checkpoint could not be written: what is left of it goes, the ones before stay."""
        self._manager = None
        for _ in range(WRITERS_PATIENCE):
            left = list((self.folder / "checkpoints").glob("*/*.orbax-checkpoint-tmp*"))
            for path in left:
                shutil.rmtree(path, ignore_errors=True)
            if not left:
                break
            # Orbax's other threads may still be at work in there, and put back what was removed.
            time.sleep(0.05)
        return UserError(
            f"cannot write a checkpoint into {self.folder / 'checkpoints'}: {reason(error)}; "
            "what was saved before stays, to continue with --resume"
        )


def set_aside(path: Path) -> None:
    """Rename a checkpoint that could not be read, for its number to be free; it goes with its chunk.

    Raises:
        UserError: the folder cannot be written.
    """
    aside = path.with_name(f"{path.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        path.rename(aside)
    except OSError as error:
        raise UserError(f"cannot rename {path}: {error.strerror or error}") from error


def read_checkpoint(
    path: Path,
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read one checkpoint, and prove it whole.

    Args:
        path: its folder, `checkpoints/<chunk>/<update>`.

    Returns:
        The state's arrays by path, the metrics so far by name, and the facts: fingerprint, origins, seconds.

    Raises:
        Exception: of any type, if it is damaged.
    """
    ocp = quiet_orbax()
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as reader:
        read = reader.restore(
            path.absolute(),
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(),
                log=ocp.args.StandardRestore(),
                facts=ocp.args.JsonRestore(),
            ),
        )
    state, metrics, facts = flatten(read["state"]), flatten(read["log"]), read["facts"]
    sha256 = facts.pop("sha256")
    if digest(state, metrics, as_array(facts)) != sha256:
        raise ValueError("its contents are not those that were written")
    return state, metrics, facts


def reason(error: Exception) -> str:
    """Why a file could not be written or read: the system's own word for it, where tensorstore quotes it.

    >>> reason(ValueError("RESOURCE_EXHAUSTED: Error writing ... [os_error_code='28']"))
    'No space left on device'
    """
    number = error_number(error)
    return os.strerror(number) if number else one_line(error)[:200]


def error_number(error: Exception) -> int | None:
    """The system's number of an error, where tensorstore quotes it; None if the system did not complain."""
    quoted = re.search(r"os_error_code='(\d+)'", str(error))
    return int(quoted[1]) if quoted else getattr(error, "errno", None)


@functools.cache
def quiet_orbax() -> Any:
    """Import orbax, which takes half a second, and keep it from adding pages of tracebacks to our one line.

    It logs each exception it raises; and of many files written at once, those that fail after the first
    report to an event loop that is closed by then.
    """
    import orbax.checkpoint

    logging.getLogger("absl").setLevel(logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    before = sys.unraisablehook

    def unless_too_late(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            before(unraisable)

    sys.unraisablehook = unless_too_late
    return orbax.checkpoint


def digest(*groups: Arrays) -> str:
    """SHA-256 over the names, types, shapes and contents of groups of arrays."""
    total = hashlib.sha256()
    for arrays in groups:
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            total.update(f"{name} {array.dtype} {array.shape}\n".encode())
            total.update(array.data)
    return total.hexdigest()


def as_array(facts: Mapping[str, Any]) -> Arrays:
    """Facts as bytes, for a digest to cover them."""
    return {"facts": np.frombuffer(json.dumps(facts, sort_keys=True).encode(), np.uint8)}


def placed(arrays: Arrays, blank: SeedState) -> SeedState:
    """A state made of arrays by path, each on the device where a blank state has it.

    Arrays without elements, which orbax does not take, are the blank's.

    Raises:
        ValueError: they are not the arrays of such a state.
    """
    kinds = {name: (leaf.shape, leaf.dtype) for name, leaf in flatten(blank).items() if leaf.size}
    for name in sorted(kinds.keys() | arrays.keys()):
        found = (arrays[name].shape, arrays[name].dtype) if name in arrays else None
        if found != kinds.get(name):
            raise ValueError(f"its state differs in {name}")

    def place(path: Any, leaf: Any) -> Any:
        if not leaf.size:
            return leaf
        # A copy: the first segment overwrites it.
        own = jnp.array(arrays[jax.tree_util.keystr(path, simple=True, separator="/")], copy=True)
        return jax.device_put(keyed_as(leaf, own), leaf.sharding)

    return jax.tree_util.tree_map_with_path(place, blank)
