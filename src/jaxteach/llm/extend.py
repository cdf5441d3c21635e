"""A table that lacks states, as one made for an earlier vocabulary does: only these are asked about."""

import dataclasses
from pathlib import Path

from jaxteach.llm.answer_log import keep_copy, put_aside
from jaxteach.llm.backend import Backend
from jaxteach.llm.precompute import ask_for_table
from jaxteach.llm.query import Report
from jaxteach.llm.settings import Job
from jaxteach.tasks.language import Language
from jaxteach.teacher import PlanTable, save_table
from jaxteach.teacher.checks import check_table, read_json
from jaxteach.teacher.table import plans_of
from jaxteach.utils.errors import UserError


def extension_log(out: Path) -> Path:
    """The log of answers about what a table lacks; with it an extension that was stopped goes on."""
    return out.with_name(f"{out.name}.extension.answers.jsonl")


def lacking(job: Job, out: Path, language: Language) -> Job:
    """The part of a job that a table lacks.

    Args:
        job: about all states.
        out: the table's file.
        language: what can be said about the task.

    Raises:
        UserError: there is no such table, it is damaged, or it lacks nothing.
    """
    checked = check_table(read_json(out)[1], str(out), job.task, language, whole=False)
    if not checked.missing:
        raise UserError(f"{out} lacks no state: there is nothing to ask; leave out --extend")
    questions = (question for question in job.questions if question.state in checked.missing)
    return dataclasses.replace(job, questions=tuple(questions))


def extend(
    job: Job, backend: Backend, out: Path, language: Language, report: Report | None = None
) -> PlanTable:
    """Ask about the states that a table lacks and write it anew; the older one is put aside as *.old.

    Args:
        job: from `lacking`.
        backend: who answers.
        out: the table's file; what it says of its states stays.
        language: what can be said about the task.
        report: progress; None for silence.

    Returns:
        The table as it was written. Its provenance is the older one, and of each extension its own with the
        states it is about, under `extensions`.

    Raises:
        UserError: anything went wrong; the table is as it was, and all answers received are in the log.
    """
    job.check(backend.describe()["backend"], backend.capabilities)
    _, document = read_json(out)
    checked = check_table(document, str(out), job.task, language, whole=False)
    path = extension_log(out)
    part = ask_for_table(job, backend, path, document["name"], path.exists(), report)
    plans = {**plans_of(checked), **dict(zip(part.states, part.plans, strict=True))}
    note = {**part.provenance, "states": [state.text for state in part.states]}
    before = document["provenance"]
    table = PlanTable(
        job.task,
        document["name"],
        language.states,
        tuple(plans[state] for state in language.states),
        {**before, "extensions": [*before.get("extensions", ()), note]},
    )
    keep_copy(out)
    written = save_table(table, out)
    put_aside(path)
    return written
