"""Shards: parts of a run that share nothing, each trained by a process of its own. No JAX here."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jaxteach.errors import UserError

SLURM = (("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"), ("SLURM_PROCID", "SLURM_NTASKS"))
"""Where SLURM says which task this is, and of how many: in a job array, else within a job."""


@dataclass(frozen=True, order=True)
class Shard:
    """One of `count` equal parts of a run's chunks.

    Attributes:
        index: from 0.
        count: of all shards.
    """

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def folder(self, out: Path) -> Path:
        """The shard's own run folder, within the folder of the whole run.

        >>> Shard(0, 2).folder(Path("runs/a")).as_posix()
        'runs/a/shards/0-of-2'
        """
        return out / "shards" / f"{self.index}-of-{self.count}"

    def chunks(self, n_chunks: int) -> range:
        """The numbers of its chunks. They are those of the whole run, so that each gives what it gives there.

        Args:
            n_chunks: of the whole run.

        Raises:
            UserError: if some shard would have none.

        >>> [list(Shard(index, 2).chunks(5)) for index in (0, 1)]
        [[0, 1], [2, 3, 4]]
        """
        if self.count > n_chunks:
            raise UserError(
                f"--shard {self}: the run has {n_chunks} chunks, so at most {n_chunks} shards: choose fewer, "
                "or a smaller --seeds-per-chunk"
            )
        return range(self.index * n_chunks // self.count, (self.index + 1) * n_chunks // self.count)


def read_shard(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """Read --shard.

    Args:
        text: I/N, or slurm.
        environment: the process's variables.

    Raises:
        UserError: if it is neither, or SLURM has said nothing.

    >>> read_shard("1/4")
    Shard(index=1, count=4)
    """
    if text == "slurm":
        for index, count in SLURM:
            if index in environment and count in environment:
                first = int(environment.get("SLURM_ARRAY_TASK_MIN", 0)) if "ARRAY" in index else 0
                own, n = int(environment[index]) - first, int(environment[count])
                last = int(environment.get("SLURM_ARRAY_TASK_MAX", first + own)) if "ARRAY" in index else own
                if max(own, last - first) >= n:
                    raise UserError(
                        f"--shard slurm: the {n} tasks of this array are numbered with gaps, from {first} up "
                        f"to {last}: submit them as --array=0-{n - 1}"
                    )
                return read_shard(f"{own}/{n}")
        raise UserError("--shard slurm: this is no SLURM task (SLURM_ARRAY_TASK_ID is not set): give I/N")
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    if match is None or not int(match[1]) < int(match[2]):
        raise UserError(f"--shard {text}: must be I/N with I from 0 to N - 1, such as 0/4, or slurm")
    return Shard(int(match[1]), int(match[2]))


def shards_in(out: Path) -> list[Shard]:
    """The shards of a run that have been begun, in order.

    Args:
        out: the folder of the whole run.

    Raises:
        UserError: if there are none, or they split the run in different ways.
    """
    found = []
    for path in out.glob("shards/*-of-*/config.json"):
        match = re.fullmatch(r"(\d+)-of-(\d+)", path.parent.name, re.ASCII)
        if match is not None:
            found.append(Shard(int(match[1]), int(match[2])))
    if not found:
        raise UserError(
            f"{out} holds no shards: begin them with python -m jaxteach.launch, or run --shard I/N"
        )
    counts = sorted({shard.count for shard in found})
    if len(counts) > 1:
        raise UserError(
            f"{out / 'shards'} holds parts of {' and of '.join(map(str, counts))}: they overlap; remove the "
            "folders of all but one kind"
        )
    return sorted(found)
