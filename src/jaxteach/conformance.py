"""`python -m jaxteach.conformance FILE...`: replay recorded episodes through our tasks and teacher."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxteach.cli import parse
from jaxteach.utils.errors import UserError, cli
from jaxteach.utils.jax_setup import start_jax


@dataclass(frozen=True)
class Options:
    """Replay trace files of the reference and count what differs; exit status 0 only if nothing does.

    Only each episode's first row is read as state; everything after it is computed here.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    """Trace files (.npz), as described in the conformance README."""
    task: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Task to replay in; by default read off the file's name (simpledoorkey.npz, ...)."""
    teacher: str = "chatglm"
    """Teacher table the trace was recorded with."""


def task_of(file: Path, names: tuple[str, ...]) -> str:
    """The task a trace file's name stands for: its name without underscores is part of the file's name."""
    stem = file.stem.lower().replace("_", "").replace("-", "")
    found = [name for name in names if name.replace("_", "") in stem]
    if not found:
        raise UserError(f"{file}: no task is named in the file's name; give one with --task")
    return max(found, key=len)


def main() -> int:
    """Replay each file and print one JSON line for it."""
    options = parse(Options, "conformance")
    if not options.files:
        raise UserError("no trace file given: name at least one .npz file")
    from jaxteach.tasks import make_task, needs_jax, task_facts, task_names
    from jaxteach.teacher import load_table
    from jaxteach.worlds.minigrid.paper.facts.base import Facts
    from jaxteach.worlds.minigrid.paper.traces import read_trace

    # All that needs no JAX is refused before it is imported.
    names = [options.task or task_of(file, task_names()) for file in options.files]
    if early := needs_jax(*names):
        start_jax()
    facts = [task_facts(name) for name in names]
    for task in facts:
        if not isinstance(task, Facts):
            raise UserError(f"task {task.name}: recorded episodes are those of door/key tasks")
    tables = [load_table(options.teacher, task.name, task.language) for task in facts]
    for file in options.files:
        read_trace(file)
    if not early:
        start_jax()
    from jaxteach.worlds.minigrid.paper.replay import replay
    from jaxteach.worlds.minigrid.paper.task import Task

    failed = False
    for file, name, table in zip(options.files, names, tables, strict=True):
        task = make_task(name)
        assert isinstance(task, Task)  # as its facts are those of one
        result = replay(read_trace(file), task, table, str(file))
        print(json.dumps({"file": file.name, "task": task.name, **result}), flush=True)
        failed |= any(result["mismatches"].values())
    return 1 if failed else 0


if __name__ == "__main__":
    cli(main)
