"""Shards: parts of a run that share nothing, each trained by a separate process. No JAX here."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jaxteach.utils.errors import UserError
from jaxteach.utils.files import write_atomic
from jaxteach.utils.json_file import read_object, typed


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


@dataclass(frozen=True)
class Tasks:
    """What SLURM says of the tasks submitted together, of which this process is one.

    Attributes:
        own: this task's number.
        first: the lowest number.
        last: the highest number.
        count: of the tasks.
        array: whether they are a job array, not tasks within one job.
    """

    own: int
    first: int
    last: int
    count: int
    array: bool

    @property
    def without_gaps(self) -> bool:
        """Whether every number from the first to the last is a task."""
        return self.first <= self.own <= self.last == self.first + self.count - 1

    def __str__(self) -> str:
        tasks = f"the {self.count} tasks" if self.count > 1 else "the only task"
        where = "this array" if self.array else "this job"
        numbers = f"{self.first} to {self.last}" if self.last > self.first else str(self.first)
        return f"{tasks} of {where}, numbered {numbers}"


def slurm_tasks(environment: Mapping[str, str]) -> Tasks:
    """The tasks of this process's job array; outside of an array, those of its job.

    Args:
        environment: the process's variables.

    Raises:
        UserError: this is no task of SLURM, or its variables are no numbers.
    """
    try:
        if "SLURM_ARRAY_TASK_ID" in environment and "SLURM_ARRAY_TASK_COUNT" in environment:
            own, count = (int(environment[f"SLURM_ARRAY_TASK_{name}"]) for name in ("ID", "COUNT"))
            first = int(environment.get("SLURM_ARRAY_TASK_MIN", 0))
            last = int(environment.get("SLURM_ARRAY_TASK_MAX", max(own, first + count - 1)))
            return Tasks(own, first, last, count, array=True)
        if "SLURM_PROCID" in environment and "SLURM_NTASKS" in environment:
            own, count = int(environment["SLURM_PROCID"]), int(environment["SLURM_NTASKS"])
            return Tasks(own, 0, count - 1, count, array=False)
    except ValueError as error:
        raise UserError(f"--shard slurm: a variable of SLURM is no number ({error}): give I/N") from error
    raise UserError("--shard slurm: this is no SLURM task (SLURM_ARRAY_TASK_ID is not set): give I/N")


def read_shard(text: str, environment: Mapping[str, str] = os.environ, out: Path | None = None) -> Shard:
    """Read --shard.

    Args:
        text: I/N, or slurm.
        environment: the process's variables.
        out: the folder of the whole run. If shards have been begun there it says how many there are, since
            SLURM counts only the tasks submitted together, which may be some of them.

    Raises:
        UserError: if it is neither, or SLURM does not say which shard this is.

    >>> read_shard("1/4")
    Shard(index=1, count=4)
    """
    if text == "slurm":
        return _slurm_shard(slurm_tasks(environment), out)
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
    if match is None or not int(match[1]) < int(match[2]):
        raise UserError(f"--shard {text}: must be I/N with I from 0 to N - 1, such as 0/4, or slurm")
    return Shard(int(match[1]), int(match[2]))


def _slurm_shard(tasks: Tasks, out: Path | None) -> Shard:
    count = None if out is None else split_of(out)
    if count is None:
        if not tasks.without_gaps:
            raise UserError(
                f"--shard slurm: the {tasks.count} tasks of this array are numbered with gaps, from "
                f"{tasks.first} up to {tasks.last}: submit them as --array=0-{tasks.count - 1}"
            )
        if tasks.array and tasks.count == 1:
            raise UserError(
                f"--shard slurm: {tasks}, does not say of how many shards it trains one: submit all of them, "
                f"or give --shard {tasks.own}/N"
            )
        return Shard(tasks.own - tasks.first, tasks.count)
    if tasks.without_gaps and tasks.count == count:
        return Shard(tasks.own - tasks.first, count)
    first = _first_task(out) if out is not None else 0
    # One task of a job is number 0 whichever shard it was submitted for; an array keeps its numbers.
    if tasks.array and first <= tasks.first <= tasks.own <= tasks.last < first + count:
        return Shard(tasks.own - first, count)
    raise UserError(
        f"--shard slurm: {tasks}, against {count} shards that {out} has been split into: submit "
        f"--array={first}-{first + count - 1} or some of it, or give --shard I/{count}"
    )


def note_tasks(out: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Write down from which number an array of all shards counts, for later ones of some of them.

    Args:
        out: the folder of the whole run; `shards` is in it.
        environment: the process's variables.
    """
    tasks = slurm_tasks(environment)
    if tasks.array and tasks.without_gaps and tasks.count == split_of(out):
        write_atomic(_noted(out), json.dumps({"first": tasks.first}).encode())


def _first_task(out: Path) -> int:
    try:
        return typed(int, read_object(_noted(out)).get("first"), f"{_noted(out)}: first")
    except FileNotFoundError:
        return 0


def _noted(out: Path) -> Path:
    return out / "shards" / "array.json"


def split_of(out: Path) -> int | None:
    """Into how many shards a run has been split; None if none has been begun.

    Args:
        out: the folder of the whole run.

    Raises:
        UserError: if it has been split in different ways.
    """
    return shards_in(out)[0].count if _begun(out) else None


def shards_in(out: Path) -> list[Shard]:
    """The shards of a run that have been begun, in order.

    Args:
        out: the folder of the whole run.

    Raises:
        UserError: if there are none, or they split the run in different ways.
    """
    found = _begun(out)
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


def _begun(out: Path) -> list[Shard]:
    found = []
    for path in out.glob("shards/*-of-*/config.json"):
        match = re.fullmatch(r"(\d+)-of-(\d+)", path.parent.name, re.ASCII)
        if match is not None:
            found.append(Shard(int(match[1]), int(match[2])))
    return found
