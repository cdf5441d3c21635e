"""Training: the loop, its compiled program, evaluation, and what a run leaves behind."""

from jaxteach.training.evaluation import as_arrays, play_students, play_teacher, summarise
from jaxteach.training.program import Program, compile_program
from jaxteach.training.runfolder import RunFolder, describe, flatten, unflatten
from jaxteach.training.train import ChunkResult, Progress, Training, train

__all__ = [
    "ChunkResult",
    "Program",
    "Progress",
    "RunFolder",
    "Training",
    "as_arrays",
    "compile_program",
    "describe",
    "flatten",
    "play_students",
    "play_teacher",
    "summarise",
    "train",
    "unflatten",
]
