"""One precompute run, from questions to table."""

import os
from pathlib import Path

from jaxteach.llm.answer_log import AnswerLog, put_aside
from jaxteach.llm.backend import Backend
from jaxteach.llm.build_table import build_table, distribution
from jaxteach.llm.query import Report, ask_all
from jaxteach.llm.settings import Job
from jaxteach.teacher import PlanTable, save_table
from jaxteach.teacher.checks import check_name
from jaxteach.utils.errors import UserError


def log_path(out: Path) -> Path:
    """The log of answers that belongs to a table."""
    return out.with_name(f"{out.name}.answers.jsonl")


def precompute(
    job: Job,
    backend: Backend,
    out: Path,
    name: str,
    resume: bool = False,
    overwrite: bool = False,
    report: Report | None = None,
) -> PlanTable:
    """Ask, log, estimate and write.

    Args:
        job: what to ask, and how.
        backend: who answers.
        out: the table's file; answers go beside it.
        name: the table's name.
        resume: continue with the answers that are there.
        overwrite: put an older log aside (as *.old, or *.old.1 and so on) and replace an older table.
        report: progress; None for silence.

    Returns:
        The table as it was written.

    Raises:
        UserError: anything went wrong; all answers received are in the log.
    """
    job.check(backend.describe()["backend"], backend.capabilities)
    check_name(name, "--name")
    check_place(out, resume, overwrite)
    path = log_path(out)
    if overwrite and not resume:
        put_aside(path)
    return save_table(ask_for_table(job, backend, path, name, resume, report), out)


def ask_for_table(
    job: Job, backend: Backend, path: Path, name: str, resume: bool, report: Report | None = None
) -> PlanTable:
    """Ask all that a job asks and estimate; every answer is in the log before the next is asked for.

    Args:
        job: what to ask, and how.
        backend: who answers.
        path: the log of answers.
        name: the table's name.
        resume: continue with the answers that are there.
        report: progress; None for silence.

    Returns:
        The table, not yet written.
    """
    log = AnswerLog(path, job.identity(backend), resume)

    def check_state(row: int) -> None:
        distribution(job, log, row)  # a bad state stops the run as soon as its answers are there

    try:
        ask_all(job, backend, log, check_state, report or (lambda done, total: None))
        return build_table(job, backend.describe(), log, name)
    finally:
        log.close()


def check_place(out: Path, resume: bool, overwrite: bool) -> None:
    """Refuse to lose a table or a log by accident, and to ask where nothing can be written.

    Args:
        out: the table's file.
        resume: what is there will be continued.
        overwrite: what is there will be put aside or replaced.

    Raises:
        UserError: a table or a log is there and neither was asked for, the place cannot be written, or the
            name is not one of a table.
    """
    try:
        if out.is_dir():
            raise UserError(f"--out {out} is a folder: name the file, such as {out / 'my-model.json'}")
        there = next((path for path in (out, log_path(out)) if path.exists()), None)
        folder = next(folder for folder in out.absolute().parents if folder.exists())
    except OSError as error:  # a name that is too long, a folder that cannot be looked into
        raise UserError(f"cannot write {out}: {error.strerror}") from error
    if out.suffix != ".json":
        raise UserError(f"--out {out}: a table's name ends in .json, such as {out.name}.json")
    if there and not (resume or overwrite):
        raise UserError(
            f"{there} exists: --resume continues it, --overwrite replaces it, or choose another --out"
        )
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {out}: {folder} is not a folder that can be written")
