"""The LLM that teaches: prompts, backends and estimators. Only the precompute and tables commands use it."""

from jaxteach.llm.answer_log import AnswerLog, answered
from jaxteach.llm.backend import Backend, ManyAtOnce, Reply, Request, Score
from jaxteach.llm.backends import BACKENDS, capabilities, make_backend
from jaxteach.llm.compare_tables import compare_tables, list_tables
from jaxteach.llm.dry_run import Work, estimate, work_of
from jaxteach.llm.extend import extend, lacking
from jaxteach.llm.precompute import check_place, log_path, precompute
from jaxteach.llm.prompts import Prompt, load_prompt
from jaxteach.llm.report import Quality, baselines, describe, quality
from jaxteach.llm.settings import Estimator, Job, Settings

__all__ = [
    "BACKENDS",
    "AnswerLog",
    "Backend",
    "Estimator",
    "Job",
    "ManyAtOnce",
    "Prompt",
    "Quality",
    "Reply",
    "Request",
    "Score",
    "Settings",
    "Work",
    "answered",
    "baselines",
    "capabilities",
    "check_place",
    "compare_tables",
    "describe",
    "estimate",
    "extend",
    "lacking",
    "list_tables",
    "load_prompt",
    "log_path",
    "make_backend",
    "precompute",
    "quality",
    "work_of",
]
