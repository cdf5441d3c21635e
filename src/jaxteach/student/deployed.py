"""A trained student on NumPy alone: no JAX, no language model, no environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from jaxteach.student.pretrained import find_run
from jaxteach.tasks.registry import load_features
from jaxteach.utils.arrays import read_arrays
from jaxteach.utils.errors import UserError
from jaxteach.utils.json_file import own_fields, read_object, typed

if TYPE_CHECKING:
    from jaxteach.tasks.protocol import Features

SCALE = ".scale"
"""After the name of an array of whole numbers: by what they are to be multiplied."""

FloatArray = npt.NDArray[np.float32]
Observations = npt.ArrayLike | Mapping[str, npt.ArrayLike]


class Policy:
    """A student as an object: observations in, action probabilities out.

    Args:
        student: ego, cnn or gru.
        features: how it reads observations.
        params: its parameters by path, such as `dense_0/kernel`.
    """

    def __init__(self, student: str, features: "Features", params: dict[str, FloatArray]) -> None:
        self._student = student
        self._features = features
        self._params = params
        self._hidden: FloatArray | None = None

    def reset(self) -> None:
        """Begin a new episode (of every environment, where observations come in batches)."""
        self._hidden = None

    def __call__(self, obs: Observations) -> FloatArray:
        """The student's action probabilities.

        Args:
            obs: one observation, such as u8[H, W, 4], or a batch of them [N, ...]; of a world that shows
                several arrays, all of them by name. Between `reset`s a recurrent student takes them as
                consecutive steps, with the same N.

        Returns:
            float32 [A] or [N, A].

        Raises:
            ValueError: for observations of another shape.
        """
        seen, single = self._batch(obs)
        x = self._features.read(seen, np).astype(np.float32)
        if x.shape[1] != self._features.size:
            raise ValueError(f"observations give {x.shape[1]} features, not {self._features.size}")
        logits = _FORWARD[self._student](self, x)
        exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities = (exponentials / exponentials.sum(axis=-1, keepdims=True)).astype(np.float32)
        return probabilities[0] if single else probabilities

    def _batch(self, obs: Observations) -> tuple[Any, bool]:
        """Observations as a batch, and whether they are a single one.

        Raises:
            ValueError: they are neither.
        """
        observed = self._features.observed
        if not isinstance(observed, dict):
            seen = np.asarray(cast(npt.ArrayLike, obs))
            single = _is_single(seen, observed, "observations")
            return (seen[None] if single else seen), single
        if not isinstance(obs, Mapping) or not observed.keys() <= obs.keys():
            raise ValueError(f"observations must be arrays by name: {', '.join(observed)}")
        parts = {name: np.asarray(obs[name]) for name in observed}
        singles = {_is_single(parts[name], shape, name) for name, shape in observed.items()}
        if len(singles) > 1 or (singles == {False} and len({len(part) for part in parts.values()}) > 1):
            raise ValueError(f"{', '.join(observed)} must all be of one observation, or of as many")
        if singles == {True}:
            parts = {name: part[None] for name, part in parts.items()}
        return parts, singles == {True}

    def _dense(self, name: str, x: FloatArray) -> FloatArray:
        return x @ self._params[f"{name}/kernel"] + self._params[f"{name}/bias"]

    def _ego(self, x: FloatArray) -> FloatArray:
        for i in range(2):
            x = np.maximum(self._dense(f"dense_{i}", x), 0.0)
        return self._dense("policy", x)

    def _cnn(self, x: FloatArray) -> FloatArray:
        n, (height, width, channels) = len(x), self._features.shape
        x = x.reshape(n, height, width, channels)
        for i in range(3):
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            shifts = [padded[:, a : a + height, b : b + width] for a in range(3) for b in range(3)]
            x = np.maximum(self._dense(f"conv_{i}", np.concatenate(shifts, axis=-1)), 0.0)
        actor = np.maximum(self._dense("actor", x.reshape(n, -1)), 0.0)
        return self._dense("policy", actor)

    def _gru(self, x: FloatArray) -> FloatArray:
        x = np.maximum(self._dense("dense_0", x), 0.0)
        hidden = np.zeros_like(x) if self._hidden is None else self._hidden
        gates = self._dense("gates", np.concatenate([x, hidden], axis=-1))
        reset, update = np.split(1.0 / (1.0 + np.exp(-gates)), 2, axis=-1)
        proposed = np.tanh(self._dense("candidate", np.concatenate([x, reset * hidden], axis=-1)))
        self._hidden = (update * hidden + (1.0 - update) * proposed).astype(np.float32)
        return self._dense("policy", self._hidden)


_FORWARD: dict[str, Callable[[Policy, FloatArray], FloatArray]] = {
    "ego": Policy._ego,
    "cnn": Policy._cnn,
    "gru": Policy._gru,
}
"""Features f32[N, F] to logits f32[N, A], by the network's name."""


def _is_single(seen: npt.NDArray[Any], shape: tuple[int, ...], what: str) -> bool:
    """Whether an array is of one observation, not of a batch.

    Raises:
        ValueError: it is of neither.
    """
    if seen.shape == shape:
        return True
    if seen.ndim != len(shape) + 1 or seen.shape[1:] != shape:
        raise ValueError(f"{what} must be [..., {shape}], not {seen.shape}")
    return False


@dataclass(frozen=True)
class _Network:
    """The student in config.json, as far as it matters here."""

    name: str


def load_policy(folder: str | os.PathLike[str], seed_id: int | None = None) -> Policy:
    """Load a trained student from a run folder; needs NumPy alone.

    Args:
        folder: the run folder, or `pretrained/<task>` for a student that ships with the package.
        seed_id: which of its seeds; by default its first.

    Returns:
        The policy.

    Raises:
        UserError: if the folder holds no run, or no parameters of that seed.
    """
    path = find_run(folder)
    file = path / "config.json"
    try:
        config = read_object(file)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not a run folder: it holds no config.json") from error
    student = typed(_Network, own_fields(_Network, config.get("student")), f"{file}: student").name
    if student not in _FORWARD:
        raise UserError(
            f"{file}: student.name must be one of {', '.join(_FORWARD)}, which have a form in NumPy, "
            f"not '{student}'"
        )
    features = features_of(config, student, str(file))
    if config.get("method") != "llm4teach":
        raise UserError(
            f"{path} holds students that choose among options, which take an environment to run: "
            "play them with python -m jaxteach.evaluate"
        )
    known: list[int] = []
    for file in sorted((path / "params").glob("*.npz")):
        arrays = read_params(file)
        ids = arrays.pop("seed_ids").tolist()
        if seed_id in ids or seed_id is None:
            row = ids.index(seed_id) if seed_id is not None else 0
            return Policy(student, features, {name: array[row] for name, array in arrays.items()})
        known += ids
    held = f"it holds {min(known)}..{max(known)}" if known else "it holds none"
    wanted = "" if seed_id is None else f" of seed {seed_id}"
    raise UserError(f"{path} has no parameters{wanted}: {held}")


def first_seed(folder: Path) -> int:
    """The seed id of the first student that a run folder holds, which must hold one."""
    return int(read_params(min((folder / "params").glob("*.npz")))["seed_ids"][0])


def features_of(config: dict[str, Any], student: str, file: str) -> "Features":
    """How the students of a run read observations, from its config.json.

    Args:
        config: the contents.
        student: the network's name.
        file: what to call it in messages.

    Raises:
        UserError: it says nothing of them, or nothing that fits.
    """
    # The first version described the view of a door/key task alone.
    field = "view" if "view" in config and "features" not in config else "features"
    described = typed(dict[str, Any], config.get(field), f"{file}: {field}")
    if field == "view":
        described = {**described, "reader": "raw_map" if student == "cnn" else "egocentric"}
    return load_features(described, f"{file}: {field}")


def read_params(file: Path, index: str = "seed_ids") -> dict[str, npt.NDArray[Any]]:
    """The arrays of a params/<chunk>.npz: seed_ids [seed] and parameters [seed, ...] by path.

    Parameters that were rounded to whole numbers are multiplied by their scales.

    Args:
        file: the archive.
        index: the array that says what the rows of the others are.

    Raises:
        UserError: if the file cannot be read or is not such an archive.
    """
    what = "parameters" if index == "seed_ids" else "metrics"
    arrays = read_arrays(file, what)
    if index not in arrays:
        raise UserError(f"{file} is damaged or cut short: not an archive of {what}: it lacks {index}")
    for scale in [name for name in arrays if name.endswith(SCALE)]:
        name, by = scale.removesuffix(SCALE), arrays.pop(scale)
        try:
            arrays[name] = arrays[name].astype(np.float32) * by.astype(np.float32)
        except (KeyError, ValueError) as error:
            raise UserError(f"{file} is damaged or cut short: {scale} fits no parameter") from error
    return arrays
