"""From the log of answers to the teacher's table."""

from collections.abc import Iterator
from typing import Any

from jaxteach.llm import estimators
from jaxteach.llm.answer_log import AnswerLog, Record
from jaxteach.llm.backend import was_cut
from jaxteach.llm.parse import closes_unopened, is_rejected, read_plan, read_weighed_plans
from jaxteach.llm.query import UNSAID, wanted
from jaxteach.llm.settings import Job
from jaxteach.tasks.language import Option, Question
from jaxteach.teacher import Plan, PlanTable
from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.jax_setup import versions

DIGITS = 6
"""Decimals of a probability in a table; the loader scales the sum back to 1."""


def distribution(job: Job, log: AnswerLog, row: int) -> tuple[Plan, ...]:
    """One state's plans, in canonical names.

    Args:
        job: what was asked.
        log: complete for this state.
        row: of the table.

    Returns:
        Plans with probabilities that sum to 1 (to `DIGITS` decimals), most probable first.

    Raises:
        UserError: too many answers are no plan, or a mask leaves nothing.
    """
    s, question = job.settings, job.questions[row]
    plans = _answered(job, log, row)
    if s.estimator != "score":
        _check_unparsed(plans, job, log, row)
    if s.mask_inadmissible:
        if question.rules is None:
            raise UserError(f"--mask-inadmissible: {job.task} has no rules that say what a state allows")
        allowed = question.rules.admissible(question.state)
        plans = estimators.masked(plans, lambda option: option in allowed)
        if not plans:
            raise UserError(
                f"state {row} ({question.state.text}): the mask leaves none of its plans: more --samples"
            )
    rounded = (Plan(plan.options, round(plan.probability, DIGITS), plan.count) for plan in plans)
    return tuple(plan for plan in rounded if plan.probability > 0)


def build_table(job: Job, who: dict[str, Any], log: AnswerLog, name: str) -> PlanTable:
    """The whole table, with how it was made.

    Args:
        job: what was asked.
        who: what answered, as `Backend.describe` has it.
        log: complete.
        name: the table's name.
    """
    plans = tuple(distribution(job, log, row) for row in range(len(job.questions)))
    used = [log.records[ask.keys[0]] for ask in wanted(job)]
    states = tuple(question.state for question in job.questions)
    answered = [_answered(job, log, row) for row in range(len(job.questions))]
    unparsed = sum(estimators.mass(row, is_rejected) for row in answered) / len(answered)
    return PlanTable(job.task, name, states, plans, _provenance(job, who, used, unparsed))


def _answered(job: Job, log: AnswerLog, row: int) -> tuple[Plan, ...]:
    """One state's distribution as it was answered, before any mask."""
    s, question = job.settings, job.questions[row]
    if s.estimator != "score":
        return _from_words(job, log, row)
    baseline = _scores(log, UNSAID, question) if s.calibrate else None
    return estimators.score(_scores(log, row, question), s.score_temperature, baseline)


def _records(job: Job, log: AnswerLog, row: int) -> list[Record]:
    """A state's free answers."""
    return [log.records[job.settings.estimator, row, number] for number in range(job.settings.samples)]


def _from_words(job: Job, log: AnswerLog, row: int) -> tuple[Plan, ...]:
    """Estimate from free answers."""
    question = job.questions[row]

    def canonical(options: tuple[Option, ...]) -> tuple[Option, ...]:
        return tuple(question.canonical(option) for option in options)

    answers = [
        [(canonical(options), probability) for options, probability in _read(job, log, record)]
        for record in _records(job, log, row)
    ]
    if job.settings.estimator == "sample":
        return estimators.sample([options for ((options, _),) in answers])
    return estimators.verbalized(answers)


def _read(job: Job, log: AnswerLog, record: Record) -> list[tuple[tuple[Option, ...], float]]:
    """The plans of one free answer, with their probabilities."""
    text, cut, question = record["raw"], _was_cut(job, record), job.questions[record["state"]]
    if cut and not closes_unopened(text) and any(map(closes_unopened, _texts(log))):
        text = f"<think>{text}"  # where the chat template begins the thought, it was cut off in it
    if record["ask"] == "sample":
        return [(read_plan(text, question, cut), 1.0)]
    return read_weighed_plans(text, question, cut)


def _was_cut(job: Job, record: Record) -> bool:
    """Whether an answer ended at the limit of tokens; logs of older versions say it too."""
    tokens = record.get("tokens_out")
    counted = tokens if isinstance(tokens, int) else None
    return was_cut(str(record.get("finish") or ""), counted, job.settings.max_tokens)


def _texts(log: AnswerLog) -> Iterator[str]:
    """All free answers there are."""
    return (record["raw"] for record in log.records.values() if isinstance(record.get("raw"), str))


def _scores(log: AnswerLog, row: int, question: Question) -> dict[Option, float]:
    """Log-likelihoods of a state's options, in canonical names."""
    scores = log.records["score", row, 0]["scores"]
    try:
        return {option: float(scores[question.real(option).text][0]) for option in question.options}
    except KeyError as error:
        raise UserError(
            f"{log.path}: the scores of state {row} lack {error}: delete that line to ask again"
        ) from error


def _check_unparsed(plans: tuple[Plan, ...], job: Job, log: AnswerLog, row: int) -> None:
    """Refuse a state whose answers are mostly no plans, and show one of them."""
    limit, question = job.settings.max_unparsed, job.questions[row]
    share = estimators.mass(plans, is_rejected)
    if share <= limit + 1e-9:
        return
    failed = [r for r in _records(job, log, row) if any(is_rejected(o[0]) for o, _ in _read(job, log, r))]
    cut = sum(_was_cut(job, record) for record in failed)
    told = f" ({cut} cut off at --max-tokens {job.settings.max_tokens})" if cut else ""
    if failed[0].get("reasoning_alone"):
        told += f" (thoughts in {failed[0]['reasoning_alone']} and no answer)"
    raise UserError(
        f"state {question.index} ({question.real_state.text}): {share:.0%} of the answers are no plan{told}, "
        f"more than --max-unparsed {limit:g}; one of them: {one_line(failed[0]['raw'])[:200]!r}; the answers "
        f"are kept in {log.path}: --resume --max-unparsed 1 takes them as they are"
    )


def _provenance(job: Job, who: dict[str, Any], used: list[Record], unparsed: float) -> dict[str, Any]:
    """How the table came about; the same answers give the same provenance, so no dates and no timings."""
    s = job.settings
    cut_off = sum(_was_cut(job, record) for record in used if record["ask"] != "score")
    served = sorted({r["served_by"] for r in used if r.get("served_by")})
    left_out = sorted({left for r in used for left in r.get("left_out", ())})
    sampling: dict[str, Any] = {"max_tokens": s.max_tokens, "think": s.think, "examples": s.examples}
    if s.estimator == "score":
        sampling |= {"score_temperature": s.score_temperature, "calibrate": s.calibrate}
    else:
        sampling |= {"samples": s.samples, "temperature": s.temperature, "seed": s.seed}
    # A rule's table has no versions: it stays the same, byte by byte, while the rule does.
    ours = {} if who["backend"] == "rule" else {"jaxteach": versions()["jaxteach"]}
    return {
        "model": who["model"],
        "revision": who["revision"],
        "weights_sha256": who["weights_sha256"],
        "backend": who["backend"],
        "estimator": s.estimator,
        "prompt": job.prompt.name,
        "prompt_sha256": job.prompt.sha256,
        "sampling": sampling | {"mask_inadmissible": s.mask_inadmissible},
        "asks": len(used),
        "unparsed": round(unparsed, DIGITS),
        **({"cut_off": cut_off} if cut_off else {}),
        "versions": ours | who["versions"],
        "source": "python -m jaxteach.precompute",
        **({"served_by": served} if served else {}),
        **({"left_out": left_out} if left_out else {}),
        **{key: who[key] for key in ("dtype", "device", "chat_template") if key in who},
    }
