"""What the commands share: flags, parsing, help, progress and messages."""

from jaxteach.cli.parsing import parse

__all__ = ["parse"]
