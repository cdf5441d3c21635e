"""A trained student on NumPy alone: no JAX, no language model, no environment."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import own_fields, read_object, typed
from jaxteach.worlds.minigrid.paper.features import View, egocentric, raw_map

FloatArray = npt.NDArray[np.float32]


class Policy:
    """A student as an object: observations in, action probabilities out.

    Args:
        student: ego, cnn or gru.
        view: what its features depend on.
        params: its parameters by path, such as `dense_0/kernel`.
    """

    def __init__(self, student: str, view: View, params: dict[str, FloatArray]) -> None:
        self._student = student
        self._view = view
        self._params = params
        self._hidden: FloatArray | None = None

    def reset(self) -> None:
        """Begin a new episode (of every environment, where observations come in batches)."""
        self._hidden = None

    def __call__(self, obs: npt.ArrayLike) -> FloatArray:
        """The student's action probabilities.

        Args:
            obs: u8[H, W, 4] or u8[N, H, W, 4], [row, column]; between `reset`s a recurrent student
                takes them as consecutive steps, with the same N.

        Returns:
            float32 [7] or [N, 7].

        Raises:
            ValueError: for observations of another shape.
        """
        maps = np.asarray(obs)
        shape = (self._view.height, self._view.width, 4)
        if maps.ndim not in (3, 4) or maps.shape[-3:] != shape:
            raise ValueError(f"observations must be [..., {shape}], not {maps.shape}")
        batch = maps[None] if maps.ndim == 3 else maps
        logits = getattr(self, f"_{self._student}")(batch)
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities = (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)
        return probabilities[0] if maps.ndim == 3 else probabilities

    def _dense(self, name: str, x: FloatArray) -> FloatArray:
        return x @ self._params[f"{name}/kernel"] + self._params[f"{name}/bias"]

    def _ego(self, obs: npt.NDArray[Any]) -> FloatArray:
        x = egocentric(obs, self._view, np).astype(np.float32)
        for i in range(2):
            x = np.maximum(self._dense(f"dense_{i}", x), 0.0)
        return self._dense("policy", x)

    def _cnn(self, obs: npt.NDArray[Any]) -> FloatArray:
        n, height, width = obs.shape[:3]
        x = raw_map(obs, self._view, np).astype(np.float32).reshape(n, height, width, 4)
        for i in range(3):
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            shifts = [padded[:, a : a + height, b : b + width] for a in range(3) for b in range(3)]
            x = np.maximum(self._dense(f"conv_{i}", np.concatenate(shifts, axis=-1)), 0.0)
        actor = np.maximum(self._dense("actor", x.reshape(n, -1)), 0.0)
        return self._dense("policy", actor)

    def _gru(self, obs: npt.NDArray[Any]) -> FloatArray:
        x = egocentric(obs, self._view, np).astype(np.float32)
        x = np.maximum(self._dense("dense_0", x), 0.0)
        hidden = np.zeros_like(x) if self._hidden is None else self._hidden
        gates = self._dense("gates", np.concatenate([x, hidden], axis=-1))
        reset, update = np.split(1.0 / (1.0 + np.exp(-gates)), 2, axis=-1)
        proposed = np.tanh(self._dense("candidate", np.concatenate([x, reset * hidden], axis=-1)))
        self._hidden = (update * hidden + (1.0 - update) * proposed).astype(np.float32)
        return self._dense("policy", self._hidden)


@dataclass(frozen=True)
class _Network:
    """The student in config.json, as far as it matters here."""

    name: Literal["ego", "cnn", "gru"]


def load_policy(folder: str | os.PathLike[str], seed_id: int) -> Policy:
    """Load a trained student from a run folder; needs NumPy alone.

    Args:
        folder: the run folder.
        seed_id: which of its seeds.

    Returns:
        The policy.

    Raises:
        UserError: if the folder holds no run, or no parameters of that seed.
    """
    path = Path(folder)
    file = path / "config.json"
    try:
        config = read_object(file)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not a run folder: it holds no config.json") from error
    view = typed(View, config.get("view"), f"{file}: view")
    student = typed(_Network, own_fields(_Network, config.get("student")), f"{file}: student").name
    if config.get("method") != "llm4teach":
        raise UserError(
            f"{path} holds students that choose among options, which take an environment to run: "
            "play them with python -m jaxteach.evaluate"
        )
    known: list[int] = []
    for file in sorted((path / "params").glob("*.npz")):
        arrays = read_params(file)
        ids = arrays.pop("seed_ids").tolist()
        if seed_id in ids:
            row = ids.index(seed_id)
            return Policy(student, view, {name: array[row] for name, array in arrays.items()})
        known += ids
    held = f"it holds {min(known)}..{max(known)}" if known else "it holds none"
    raise UserError(f"{path} has no parameters of seed {seed_id}: {held}")


def read_params(file: Path, index: str = "seed_ids") -> dict[str, npt.NDArray[Any]]:
    """The arrays of a params/<chunk>.npz: seed_ids [seed] and parameters [seed, ...] by path.

    Args:
        file: the archive.
        index: the array that says what the rows of the others are.

    Raises:
        UserError: if the file cannot be read or is not such an archive.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        if index not in arrays:
            raise ValueError(f"no {index}")
    except Exception as error:  # damaged bytes make NumPy, zipfile and zlib raise a dozen unrelated types
        what = "parameters" if index == "seed_ids" else "metrics"
        raise UserError(f"{file} is damaged or cut short: not an archive of {what}") from error
    return arrays
