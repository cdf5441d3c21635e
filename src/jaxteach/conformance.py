"""`python -m jaxteach.conformance FILE...`: replay recorded episodes through our tasks and teacher."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

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
    from jaxteach.worlds.minigrid.traces import is_minigrid_trace

    rooms = [file for file in options.files if not is_minigrid_trace(file)]
    played = iter(room_results(rooms, options))  # all that is wrong with one is refused before any is played
    if len(rooms) < len(options.files):
        start_jax()
    failed = False
    for file in options.files:
        result = next(played) if file in rooms else level_result(file)
        print(json.dumps({"file": file.name, **result}), flush=True)
        failed |= any(result["mismatches"].values())
    return 1 if failed else 0


def level_result(file: Path) -> dict[str, Any]:
    """One trace of a MiniGrid level, replayed."""
    from jaxteach.worlds.minigrid.conformance import conform
    from jaxteach.worlds.minigrid.traces import read_trace

    return conform(read_trace(file), str(file))


def room_results(files: Sequence[Path], options: Options) -> Iterator[dict[str, Any]]:
    """Traces of the paper's tasks, replayed through task and teacher.

    Raises:
        UserError: one of them cannot be replayed; known before the first is.
    """
    from jaxteach.tasks import make_task, needs_jax, task_facts, task_names
    from jaxteach.teacher import load_table
    from jaxteach.worlds.minigrid.paper.facts.base import Facts
    from jaxteach.worlds.minigrid.paper.traces import read_trace

    # All that needs no JAX is refused before it is imported.
    names = [options.task or task_of(file, task_names()) for file in files]
    if early := needs_jax(*names):
        start_jax()
    facts = [task_facts(name) for name in names]
    for task in facts:
        if not isinstance(task, Facts):
            raise UserError(f"task {task.name}: recorded episodes are those of door/key tasks")
    tables = [load_table(options.teacher, task.name, task.language) for task in facts]
    for file in files:
        read_trace(file)
    if not early:
        start_jax()
    return replayed(files, [make_task(name) for name in names], tables)


def replayed(files: Sequence[Path], tasks: Sequence[Any], tables: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The result of each file, one after another."""
    from jaxteach.worlds.minigrid.paper.replay import replay
    from jaxteach.worlds.minigrid.paper.traces import read_trace

    for file, task, table in zip(files, tasks, tables, strict=True):
        yield {"task": task.name, **replay(read_trace(file), task, table, str(file))}


if __name__ == "__main__":
    cli(main)
