"""Runs: what a run leaves on disk, how it survives, and the one recipe: `execute`."""

from jaxteach.runs.checkpoints import Checkpoints
from jaxteach.runs.execute import Hooks, Settings, Summary, execute
from jaxteach.runs.folders import make_folder
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
