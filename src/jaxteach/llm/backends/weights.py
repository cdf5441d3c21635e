"""A model's files, from a folder, a GGUF file or the Hugging Face hub, and what exactly they are."""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from jaxteach.utils.errors import UserError

_WEIGHTS = (".safetensors", ".bin", ".gguf")
_WITH_HEADER = (".safetensors", ".gguf")
"""Formats that say how many weights they hold before the weights themselves."""
_HUB_FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
"""What is fetched from the hub: no code, and no weights as pickles."""


@dataclass(frozen=True)
class Weights:
    """A model's files.

    Attributes:
        name: what to call the model in a table: a file's, folder's or hub name, never a whole path.
        folder: where the files are.
        gguf_file: the GGUF file's name in the folder, or None.
        revision: the hub's commit, or None.
    """

    name: str
    folder: Path
    gguf_file: str | None
    revision: str | None

    def count(self) -> int | None:
        """How many weights there are, from the files' headers alone; None where a format has no header.

        Raises:
            UserError: a file is damaged.
        """
        files = [self.folder / self.gguf_file] if self.gguf_file else _of_folder(self.folder)
        if any(path.suffix not in _WITH_HEADER for path in files):
            return None
        try:
            return sum(map(_count, files))
        except Exception as error:  # a damaged file can raise anything
            raise UserError(
                f"the model {self.name} cannot be read: {type(error).__name__}: {error}"
            ) from error

    def sha256(self) -> str:
        """Hash of the weights: of one file itself, or of the "sha256  name" lines of several."""
        if self.gguf_file:
            return _hash(self.folder / self.gguf_file)
        files = _of_folder(self.folder)
        if len(files) == 1:
            return _hash(files[0])
        lines = "".join(f"{_hash(path)}  {path.name}\n" for path in files)
        return hashlib.sha256(lines.encode()).hexdigest()


def find_weights(model: str, revision: str | None, offline: bool) -> Weights:
    """Find a model's files; only a name on the hub may use the network, and only if not told to stay offline.

    Args:
        model: a folder, a .gguf file, or a name on the hub such as org/model.
        revision: the hub's branch, tag or commit; None for its default.
        offline: use only what the hub's local cache holds.

    Returns:
        The files.

    Raises:
        UserError: not found, or not readable as what its name says.
    """
    path = Path(model).expanduser()
    if path.suffix.lower() == ".gguf":
        return _gguf(path)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UserError(f"{model}: not a model's folder: there is no config.json in it")
        if not any(p.suffix in _WEIGHTS for p in path.iterdir()):
            raise UserError(f"{model}: no weights in this folder (*.safetensors)")
        return Weights(path.resolve().name, path, None, None)
    if not is_on_hub(model):
        raise UserError(
            f"no model at {model}: give a folder with config.json, a .gguf file, or a hub name (org/model)"
        )
    return _from_hub(model, revision, offline)


def is_on_hub(model: str) -> bool:
    """Whether a model's name can only be one on the hub."""
    path = Path(model).expanduser()
    local = path.exists() or path.suffix.lower() == ".gguf" or model.startswith((".", "/", "~"))
    return not local and model.count("/") == 1


def _of_folder(folder: Path) -> list[Path]:
    """The files that hold a folder's weights."""
    return sorted(path for path in folder.iterdir() if path.suffix in _WEIGHTS)


def _count(path: Path) -> int:
    """Weights in one file."""
    if path.suffix == ".gguf":
        from gguf import GGUFReader

        return sum(int(tensor.n_elements) for tensor in GGUFReader(path).tensors)
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def _gguf(path: Path) -> Weights:
    """Check a GGUF file's first bytes before anything heavy is loaded."""
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise UserError(f"cannot read the model {path}: {error.strerror}") from error
    if magic != b"GGUF":
        raise UserError(f"{path}: not a GGUF file (it begins with {magic!r})")
    return Weights(path.name, path.parent, path.name, None)


def _from_hub(model: str, revision: str | None, offline: bool) -> Weights:
    """Fetch a model's files into the hub's local cache, or find them there."""
    from huggingface_hub import snapshot_download

    local = offline or os.environ.get("HF_HUB_OFFLINE", "") in ("1", "true", "TRUE", "yes", "on")
    try:
        folder = snapshot_download(
            model, revision=revision, local_files_only=local, allow_patterns=_HUB_FILES
        )
    except Exception as error:  # the client raises its own, httpx's and requests' errors alike
        where = "in the local cache (offline)" if local else "on the hub"
        raise UserError(f"no model {model} {where}, nor a folder of that name: {error}") from error
    return Weights(model, Path(folder), None, Path(folder).name)


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
