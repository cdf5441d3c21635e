"""Runs: what a run leaves on disk, and how it survives."""

from jaxteach.runs.checkpoints import Checkpoints
from jaxteach.runs.folders import make_folder
from jaxteach.runs.resources import (
    check_disk,
    check_memory,
    choose_width,
    count_trials,
    on_cpu,
    told_of_memory,
)
from jaxteach.runs.resumable import Outcome, run_session
from jaxteach.runs.run_folder import (
    RunFolder,
    describe,
    fingerprint,
    flatten,
    origins,
    unflatten,
)
from jaxteach.runs.summary import write_metrics, write_shard, write_summary

__all__ = [
    "Checkpoints",
    "Outcome",
    "RunFolder",
    "check_disk",
    "check_memory",
    "choose_width",
    "count_trials",
    "describe",
    "fingerprint",
    "flatten",
    "make_folder",
    "on_cpu",
    "origins",
    "run_session",
    "told_of_memory",
    "unflatten",
    "write_metrics",
    "write_shard",
    "write_summary",
]
