"""Runs: what a run leaves on disk, how it survives, and the one recipe: `execute`.

Names load on first use: what refuses a command line imports `runs.folders` and `runs.shards`, without JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxteach.runs.checkpoints import Checkpoints
    from jaxteach.runs.folders import make_folder
    from jaxteach.runs.recipe import Hooks, Settings, Summary, execute
    from jaxteach.runs.resumable import run_session
    from jaxteach.runs.run_folder import RunFolder, describe, fingerprint, flatten, origins, unflatten
    from jaxteach.runs.summary import write_metrics, write_shard, write_summary

__all__ = [
    "Checkpoints",
    "Hooks",
    "RunFolder",
    "Settings",
    "Summary",
    "describe",
    "execute",
    "fingerprint",
    "flatten",
    "make_folder",
    "origins",
    "run_session",
    "unflatten",
    "write_metrics",
    "write_shard",
    "write_summary",
]

_HOMES = {
    "Checkpoints": "checkpoints",
    "make_folder": "folders",
    "run_session": "resumable",
    **dict.fromkeys(("Hooks", "Settings", "Summary", "execute"), "recipe"),
    **dict.fromkeys(
        ("RunFolder", "describe", "fingerprint", "flatten", "origins", "unflatten"), "run_folder"
    ),
    **dict.fromkeys(("write_metrics", "write_shard", "write_summary"), "summary"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jaxteach.runs' has no attribute '{name}'")
    return getattr(importlib.import_module(f"jaxteach.runs.{_HOMES[name]}"), name)
