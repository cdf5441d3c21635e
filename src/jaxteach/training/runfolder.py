"""A run's folder: everything a run leaves behind, each file whole or absent."""

import dataclasses
import io
import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from jaxteach.backend import versions
from jaxteach.config import Config, to_json
from jaxteach.errors import UserError
from jaxteach.files import write_atomic
from jaxteach.student.features import View
from jaxteach.tasks.engine.task import Task
from jaxteach.teacher.table import PlanTable

SCHEMA_VERSION = 1


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
        if (path / "config.json").exists():
            raise UserError(f"{path} already holds a run: choose another --out, or remove it first")
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file: choose another --out")
        try:
            (path / "params").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}") from error
        if not os.access(path, os.W_OK):
            raise UserError(f"cannot write {path}: permission denied")
        return cls(path)

    def write_config(self, config: Config, task: Task, table: PlanTable | None) -> None:
        """Write config.json: the resolved configuration and what else a reader needs."""
        view = View(task.height, task.width, task.key_class_colours)
        self._write_json(
            "config.json",
            {
                "schema_version": SCHEMA_VERSION,
                **to_json(config),
                "view": dataclasses.asdict(view),
                "teacher_table": describe(table),
                "versions": versions(),
            },
        )

    def write_metrics(self, seed_ids: npt.NDArray[Any], metrics: dict[str, npt.NDArray[Any]]) -> None:
        """Write metrics.npz: seed_ids [seed] and the [seed, update] arrays."""
        self._write_npz("metrics.npz", {"seed_ids": seed_ids, **metrics})

    def write_params(self, chunk: int, seed_ids: npt.NDArray[Any], params: Any) -> None:
        """Write params/<chunk>.npz: seed_ids [seed] and each parameter [seed, ...] by its path."""
        self._write_npz(f"params/{chunk:05d}.npz", {"seed_ids": seed_ids, **flatten(params)})

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

    def _write_json(self, name: str, values: dict[str, Any]) -> None:
        text = json.dumps(values, indent=2, allow_nan=False)
        write_atomic(self.path / name, (text + "\n").encode())

    def _write_npz(self, name: str, arrays: dict[str, npt.NDArray[Any]]) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        write_atomic(self.path / name, buffer.getvalue())


def describe(table: PlanTable | None) -> dict[str, str] | None:
    """A teacher as summary.json names it: {name, sha256}, or None."""
    return None if table is None else {"name": table.name, "sha256": table.sha256}


def flatten(params: Any) -> dict[str, npt.NDArray[Any]]:
    """Parameters by path, such as `dense_0/kernel`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {"/".join(str(key.key) for key in path): np.asarray(leaf) for path, leaf in leaves}


def unflatten(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """The reverse of `flatten`; entries without a path separator, such as seed_ids, are left out.

    >>> unflatten({"seed_ids": np.arange(2), "dense/bias": np.zeros(2)})
    {'dense': {'bias': array([0., 0.])}}
    """
    params: dict[str, Any] = {}
    for path, array in arrays.items():
        *parents, name = path.split("/")
        if not parents:
            continue
        node = params
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = array
    return params
