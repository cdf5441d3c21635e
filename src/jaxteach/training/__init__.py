"""Training: the loop, its compiled program, evaluation, and what a run leaves behind."""

from jaxteach.folders import make_folder
from jaxteach.sweep import n_chunks
from jaxteach.training.checkpoints import Checkpoints
from jaxteach.training.evaluation import as_arrays, play_students, play_teacher, summarise
from jaxteach.training.program import Program, check_program, compile_program, reuse_program
from jaxteach.training.resources import (
    check_disk,
    check_memory,
    choose_width,
    count_lanes,
    on_cpu,
    told_of_memory,
)
from jaxteach.training.runfolder import (
    RunFolder,
    describe,
    fingerprint,
    flatten,
    origins,
    unflatten,
)
from jaxteach.training.session import Outcome, run_session
from jaxteach.training.summary import write_metrics, write_shard, write_summary
from jaxteach.training.train import ChunkResult, Progress, Training, train

__all__ = [
    "Checkpoints",
    "ChunkResult",
    "Outcome",
    "Program",
    "Progress",
    "RunFolder",
    "Training",
    "as_arrays",
    "check_disk",
    "check_memory",
    "check_program",
    "choose_width",
    "compile_program",
    "count_lanes",
    "describe",
    "fingerprint",
    "flatten",
    "make_folder",
    "n_chunks",
    "on_cpu",
    "origins",
    "play_students",
    "play_teacher",
    "reuse_program",
    "run_session",
    "summarise",
    "told_of_memory",
    "train",
    "unflatten",
    "write_metrics",
    "write_shard",
    "write_summary",
]
