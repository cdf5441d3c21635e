"""Training: the loop, its compiled program, and evaluation."""

from jaxteach.training.compilation import compile_program, reuse_program
from jaxteach.training.evaluation import as_arrays, play_students, play_teacher, summarise
from jaxteach.training.program import Program, check_program
from jaxteach.training.train import Chunk, Progress, Training, train

__all__ = [
    "Chunk",
    "Program",
    "Progress",
    "Training",
    "as_arrays",
    "check_program",
    "compile_program",
    "play_students",
    "play_teacher",
    "reuse_program",
    "summarise",
    "train",
]
