"""The tiny runs of the tests of training, which those of run folders share."""

from tests.training.conftest import long_program, long_training, program, table, training

__all__ = ["long_program", "long_training", "program", "table", "training"]
