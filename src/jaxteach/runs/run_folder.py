"""A run's folder: everything a run leaves behind, each file whole or absent."""

import contextlib
import dataclasses
import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxteach.config import SCHEMA_VERSION as CONFIG_VERSION
from jaxteach.config import Config, identity, to_json
from jaxteach.config.sweep import Point
from jaxteach.runs.folders import check_new, make_folder
from jaxteach.student.deployed import read_params
from jaxteach.tasks.protocol import Features
from jaxteach.teacher.table import PlanTable
from jaxteach.utils.errors import UserError
from jaxteach.utils.files import write_atomic
from jaxteach.utils.jax_setup import versions
from jaxteach.utils.numerics import settings

SCHEMA_VERSION = 2
"""Of summary.json. Version 2 added `confirmed_crossings`, `teacher_plans` and, in `corrupt`, the wrong
states; what version 1 held means the same."""


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A folder that belongs to one run.

    Attributes:
        path: the folder.
    """

    path: Path

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Make the folder of a new run.

        Args:
            path: where; must not hold a run already.

        Raises:
            UserError: if it holds a run, is no folder, or cannot be written.
        """
        check_new(path)
        make_folder(path)
        return cls(path)

    @property
    def ended(self) -> bool:
        """Whether the run has ended: nothing is left to do."""
        return (self.path / "summary.json").exists()

    def write_config(
        self,
        config: Config,
        features: Features,
        table: PlanTable | None,
        deterministic: bool = False,
        keep_params: str = "all",
    ) -> None:
        """Write config.json: the resolved configuration and what else a reader needs."""
        self._write_json(
            "config.json",
            {
                "schema_version": CONFIG_VERSION,
                **to_json(config),
                "features": features.described(),
                "teacher_table": describe(table),
                "deterministic": deterministic,
                "keep_params": keep_params,
                "numerics": settings(deterministic),
                "fingerprint": fingerprint(config, table, deterministic),
                "device": device(),
                "versions": versions(),
            },
        )

    def at(self, point: Point) -> "RunFolder":
        """The folder of a point of the sweep, a separate run folder; without a sweep this one."""
        return RunFolder(self.path / "points" / point.label) if point.label else self

    def write_metrics(self, seed_ids: npt.NDArray[Any], metrics: dict[str, npt.NDArray[Any]]) -> None:
        """Write metrics.npz: seed_ids [seed] and the [seed, update] arrays."""
        self.write_npz("metrics.npz", {"seed_ids": seed_ids.astype(np.int64), **metrics})

    def write_params(
        self, chunk: int, seed_ids: npt.NDArray[Any], params: Any, finished: bool = True
    ) -> None:
        """Write params/<chunk>.npz: seed_ids [seed] and each parameter [seed, ...] by its path.

        Those of a chunk that was stopped go into <chunk>.unfinished.npz, to be played.
        """
        make_folder(self.path / "params")
        unfinished = f"params/{chunk:05d}.unfinished.npz"
        name = f"params/{chunk:05d}.npz" if finished else unfinished
        self.write_npz(name, {"seed_ids": seed_ids.astype(np.int64), **flatten(params)})
        if finished:
            (self.path / unfinished).unlink(missing_ok=True)

    def read_params(self, chunk: int) -> Any:
        """The parameters of a finished chunk, [seed, ...]."""
        return unflatten(read_params(self.path / f"params/{chunk:05d}.npz"))

    def tidy(self) -> None:
        """Remove the scratch files of writers that were killed."""
        for path in self.path.rglob(".*.tmp"):
            path.unlink(missing_ok=True)

    def differences(self, then: dict[str, Any]) -> list[str]:
        """What differs now from when the run was started and may change the last bits, a line each.

        Args:
            then: the run's config.json.
        """
        before = {**then.get("versions", {}), "device": then.get("device")}
        return [
            f"{self.path} continues with {name} {now}, not {before.get(name)} as before: last bits may differ"
            for name, now in {**versions(), "device": device()}.items()
            if before.get(name) != now
        ]

    def clean(self) -> None:
        """Remove what only a run that continues needs; to be called once summary.json is written."""
        for name in ("metrics", "checkpoints"):
            shutil.rmtree(self.path / name, ignore_errors=True)

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write summary.json."""
        self._write_json("summary.json", {"schema_version": SCHEMA_VERSION, **summary})

    def append_line(self, line: dict[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        try:
            with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {self.path / 'metrics.jsonl'}: {error.strerror}") from error

    def rewind_lines(self, chunk: int, updates: int) -> None:
        """Take a chunk's lines after an update out of metrics.jsonl, and one cut short by a crash."""
        path = self.path / "metrics.jsonl"
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        kept = []
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                values = json.loads(line)
                if line.endswith(b"\n") and (values["chunk"] != chunk or values["update"] <= updates):
                    kept.append(line)
        if len(kept) < len(lines):
            write_atomic(path, b"".join(kept))

    def _write_json(self, name: str, values: dict[str, Any]) -> None:
        text = json.dumps(values, indent=2, allow_nan=False)
        write_atomic(self.path / name, (text + "\n").encode())

    def write_npz(self, name: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Write arrays into a file of the folder."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        write_atomic(self.path / name, buffer.getvalue())


def fingerprint(config: Config, table: PlanTable | None, deterministic: bool) -> str:
    """A digest of everything that decides a run's results, whatever its folder."""
    facts = {**identity(config), "table": describe(table), "deterministic": deterministic}
    numerics = settings(deterministic)
    if numerics:
        facts["numerics"] = numerics
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def origins(config: Config, table: PlanTable | None, deterministic: bool) -> dict[str, str | None]:
    """What a fingerprint is of, a digest each, so that a checkpoint of another run says what differs."""
    return {
        "configuration": fingerprint(config, None, deterministic),
        "set of XLA flags": json.dumps(numerics) if (numerics := settings(deterministic)) else None,
        "teacher table": None if table is None else table.sha256,
    }


def device() -> dict[str, Any]:
    """What a run computes on: platform, kind and number of devices."""
    devices = jax.devices()
    return {"platform": devices[0].platform, "kind": devices[0].device_kind, "count": len(devices)}


def describe(table: PlanTable | None) -> dict[str, str] | None:
    """A teacher as summary.json names it: {name, sha256}, or None."""
    return None if table is None else {"name": table.name, "sha256": table.sha256}


def flatten(params: Any) -> dict[str, npt.NDArray[Any]]:
    """Parameters, or any tree of arrays, by path, such as `dense_0/kernel`; of typed keys their words."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(
            jax.random.key_data(leaf) if is_key(leaf) else leaf
        )
        for path, leaf in leaves
    }


def is_key(leaf: Any) -> bool:
    """Whether an array is of typed random keys, as environments of others keep them; NumPy has no such."""
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def keyed_as(like: Any, array: Any) -> Any:
    """An array that `flatten` gave, as typed random keys if what it was made of are such."""
    return jax.random.wrap_key_data(array, impl=jax.random.key_impl(like)) if is_key(like) else array


def unflatten(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """The reverse of `flatten` for parameters; entries without a path, such as seed_ids, are left out.

    >>> unflatten({"seed_ids": np.arange(2), "dense/bias": np.zeros(2)})
    {'dense': {'bias': array([0., 0.])}}
    """
    return nested({path: array for path, array in arrays.items() if "/" in path})


def nested(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Arrays by path as dictionaries within dictionaries.

    >>> nested({"born": 1, "adam/count": 2})
    {'born': 1, 'adam': {'count': 2}}
    """
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = array
    return tree
