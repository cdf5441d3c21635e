"""Training: the loop, its compiled program, evaluation, and what a run leaves behind."""

from jaxteach.training.checkpoints import Checkpoints
from jaxteach.training.evaluation import as_arrays, play_students, play_teacher, summarise
from jaxteach.training.program import Program, check_program, compile_program, reuse_program
from jaxteach.training.runfolder import (
    RunFolder,
    describe,
    fingerprint,
    flatten,
    make_folder,
    unflatten,
)
from jaxteach.training.session import Outcome, run_session
from jaxteach.training.summary import evaluate_run, summarise_run
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
    "check_program",
    "compile_program",
    "describe",
    "evaluate_run",
    "fingerprint",
    "flatten",
    "make_folder",
    "play_students",
    "play_teacher",
    "reuse_program",
    "run_session",
    "summarise",
    "summarise_run",
    "train",
    "unflatten",
]
