"""`python -m jaxteach.tables`: which teachers there are, how they were made and what they are worth."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxteach.cli import parse
from jaxteach.utils.errors import UserError, cli

if TYPE_CHECKING:
    from jaxteach.tasks.language import Language
    from jaxteach.teacher import PlanTable
    from jaxteach.teacher.success import Success


@dataclass(frozen=True)
class Options:
    """List teacher tables: the shipped ones, or the files given; or compare two of a task."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Tables of your own to list beside the shipped ones."""
    task: str | None = None
    """Only this task."""
    compare: tuple[str, str] | None = None
    """Two tables of --task, names or paths, to show state by state."""
    measure: int = 0
    """Play so many episodes with every listed teacher that has no success yet, and write it down."""
    markdown: bool = False
    """Print tables for a README."""


def main() -> int:
    """Read the flags and print."""
    options = parse(Options, "tables")
    if options.measure < 0:
        raise UserError(f"--measure {options.measure}: it is a number of episodes")
    from jaxteach import llm
    from jaxteach.tasks import needs_jax, task_names
    from jaxteach.tasks.registry import table_owners
    from jaxteach.teacher import table_names
    from jaxteach.teacher.success import known_successes, save_successes

    if options.compare:
        one, other = options.compare
        task = options.task or _task_of(one)
        print(llm.compare_tables(_load(one, task), _load(other, task), _language(task)))
        return 0
    own = [(str(path), _task_of(str(path))) for path in options.files]
    tasks = (options.task,) if options.task else tuple(dict.fromkeys((*table_owners(), *dict(own).values())))
    if options.measure or needs_jax(*tasks):
        from jaxteach.utils.jax_setup import start_jax

        start_jax(platforms=None if options.measure else "cpu")  # only the tasks' words are needed
    successes = known_successes()
    for asked in tasks:
        words = _language(asked)
        task = words.family or asked
        names = (*table_names(task), *(path for path, its in own if its == task))
        tables = [_load(name, task) for name in names]
        if (
            options.measure and task in task_names()
        ):  # what a table shared by levels is worth depends on the level
            unknown = [pair for pair in zip(names, tables, strict=True) if pair[1].sha256 not in successes]
            successes |= {table.sha256: _measured(name, task, options.measure) for name, table in unknown}
            save_successes(successes)
        print(f"{'### ' if options.markdown else ''}{task}\n")
        print(
            f"{llm.list_tables(tables, successes, words.rules, options.markdown)}\n"
            if tables
            else "(no table)\n"
        )
        if not options.markdown and (known := llm.baselines(words)):
            print("sensible: " + ", ".join(f"{value:.2f} {name}" for name, value in known.items()) + "\n")
    return 0


def _load(name: str, task: str) -> "PlanTable":
    """Read and check a table."""
    from jaxteach.teacher import load_table

    return load_table(name, task, _language(task))


def _measured(name: str, task: str, episodes: int) -> "Success":
    """Play episodes with a teacher alone."""
    from jaxteach import evaluate
    from jaxteach.teacher.success import Success

    asked = evaluate.Options(who="teacher", task=task, teacher=name, episodes=episodes)
    result = evaluate.evaluate_teacher(asked, None)
    return Success(round(result["success_rate"]["mean"], 4), episodes)


def _language(task: str) -> "Language":
    """A task's words."""
    from jaxteach.tasks import language

    return language(task)


def _task_of(path: str) -> str:
    """The task a file says it is for."""
    from jaxteach.teacher.checks import read_json

    if not path.endswith(".json"):
        raise UserError(f"{path}: give --task, or the path of a .json file")
    _, document = read_json(Path(path))
    task = document.get("task") if isinstance(document, dict) else None
    if not isinstance(task, str):
        raise UserError(f"{path}: not a teacher table: it names no task")
    return task


if __name__ == "__main__":
    cli(main)
