"""A file that a run starts from: another run's config.json, or settings in TOML or JSON. No JAX here."""

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxteach.config import Config, from_json, to_json
from jaxteach.config.fields import group_of
from jaxteach.config.migration import as_now
from jaxteach.runs.folders import Own, Record
from jaxteach.utils.errors import UserError, nearest
from jaxteach.utils.json_file import own_fields, read_object, typed

RECORDED = {field.name for field in dataclasses.fields(Record)} | {"schema_version", "features", "view"}
"""What a config.json holds beside the configuration; `view` only in the first version's."""


@dataclass(frozen=True)
class ConfigFile:
    """The settings in a file; those it leaves out keep what they would be without it.

    Attributes:
        path: the file.
        values: its contents, fields of `Config` and of `Own` alone.
        devices: devices the CPU pretended to be for the run whose config.json it is; None for other files.
    """

    path: Path
    values: dict[str, Any]
    devices: int | None = None

    @property
    def preset(self) -> str | None:
        """The preset that it names."""
        return self.values.get("preset")

    @property
    def task(self) -> str | None:
        """The task that it names, if it is a name."""
        task = self.values.get("task")
        return task if isinstance(task, str) else None

    def over(self, config: Config) -> Config:
        """A configuration changed by the file.

        Raises:
            UserError: a value of the wrong type.
        """
        return from_json(_merged(to_json(config), self.values), str(self.path))

    @property
    def own(self) -> dict[str, Any]:
        """Flags that are no part of the configuration, by name.

        Raises:
            UserError: a value of the wrong type.
        """
        given = own_fields(Own, self.values)
        typed(Own, given, str(self.path))
        return dict(given)


def read_config_file(path: Path) -> ConfigFile:
    """Read a file that a run is to start from.

    Args:
        path: a config.json, of which the run's own folder is left aside, or a .toml or .json file with some
            of its fields: `seeds = 16`, a table `[ppo]` with `lr = 1e-3`.

    Raises:
        UserError: it cannot be read, or holds an unknown or doubled field.
    """
    if path.is_dir():
        raise UserError(f"--config {path} is a folder: name a file, such as {path / 'config.json'}")
    if path.suffix.lower() not in (".json", ".toml"):
        raise UserError(f"--config {path}: must be a .toml or a .json file")
    values = _read_toml(path) if path.suffix.lower() == ".toml" else _read_json(path)
    if "fingerprint" not in values:
        _check_known(values, Config, str(path))
        return ConfigFile(path, values)
    record = typed(Record, own_fields(Record, values), str(path))
    values = {name: value for name, value in as_now(values).items() if name not in RECORDED or _is_own(name)}
    values.pop("out", None)  # that run has its folder already
    _check_known(values, Config, str(path))
    on_cpu = record.device.platform == "cpu"
    return ConfigFile(path, values, record.device.count if on_cpu else None)


def _is_own(name: str) -> bool:
    return name in {field.name for field in dataclasses.fields(Own)}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read --config {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, or a field twice
        raise UserError(f"{path} is not TOML: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except FileNotFoundError as error:
        raise UserError(f"cannot read --config {path}: No such file or directory") from error


def _check_known(values: dict[str, Any], kind: type, file: str, group: str = "") -> None:
    """Refuse fields that do not exist, naming the one that may have been meant."""
    fields = {field.name: group_of(field) for field in dataclasses.fields(kind)}
    known = fields if group else {**fields, **dict.fromkeys(f.name for f in dataclasses.fields(Own))}
    for name, value in values.items():
        if name not in known:
            raise UserError(f"{file}: {group}{name[:40]} is no setting: {nearest(name, known)}")
        part = known[name]
        if part is not None and isinstance(value, dict):
            _check_known(value, part, file, f"{name}.")


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Objects within objects, those of `over` first."""
    both = {
        name: _merged(base[name], value)
        if isinstance(value, dict) and isinstance(base.get(name), dict)
        else value
        for name, value in over.items()
    }
    return {**base, **both}
