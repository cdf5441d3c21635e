"""Ask what has not been answered yet, and put every answer into the log as it comes."""

import functools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, as_completed, wait
from dataclasses import dataclass, replace

from jaxteach.llm.answer_log import AnswerLog, Key, Record
from jaxteach.llm.backend import Backend, ManyAtOnce, Reply, Request, seed_of, was_broken, was_cut
from jaxteach.llm.parse import read_plan, read_weighed_plans, thought_of
from jaxteach.llm.prompts import NO_CONTENT, Message, Style
from jaxteach.llm.settings import Job
from jaxteach.tasks.language import Question
from jaxteach.utils.errors import UserError

UNSAID = -1
"""Number, in the log, of the state that says nothing (for calibration)."""

TRIES = 3
"""How often an answer that ends by a fault is asked for; a server's own tries come before."""
PATIENCE = 1.0
"""Seconds that answers under way are waited for after Ctrl-C."""

Report = Callable[[int, int], None]
"""Told after every call how many answers there are, and of how many."""


@dataclass(frozen=True)
class Ask:
    """One call of the backend.

    Attributes:
        kind: "sample", "verbalized", "think" (the thought before scores) or "score".
        state: the row of the table, or `UNSAID`.
        numbers: which answers of the state.
    """

    kind: str
    state: int
    numbers: tuple[int, ...]

    @property
    def keys(self) -> list[Key]:
        """What the log calls the answers."""
        return [(self.kind, self.state, number) for number in self.numbers]


def wanted(job: Job) -> list[Ask]:
    """All answers a run needs, one `Ask` for each, thoughts before the scores that build on them."""
    s, rows = job.settings, range(len(job.questions))
    if s.estimator != "score":
        return [Ask(s.estimator, row, (number,)) for row in rows for number in range(s.samples)]
    thoughts = [Ask("think", row, (0,)) for row in rows] if s.think else []
    unsaid = [Ask("score", UNSAID, (0,))] if s.calibrate else []
    return [*thoughts, *unsaid, *(Ask("score", row, (0,)) for row in rows)]


def missing(asks: Sequence[Ask], log: AnswerLog, batch: int) -> list[Ask]:
    """The calls still to make: what the log lacks, answers of one state batched.

    Args:
        asks: single answers, from `wanted`.
        log: what is there.
        batch: most answers a call.
    """
    calls: list[Ask] = []
    for ask in asks:
        if ask.keys[0] in log:
            continue
        last = calls[-1] if calls else None
        if last and (last.kind, last.state) == (ask.kind, ask.state) and len(last.numbers) < batch:
            calls[-1] = Ask(ask.kind, ask.state, last.numbers + ask.numbers)
        else:
            calls.append(ask)
    return calls


def ask_all(
    job: Job, backend: Backend, log: AnswerLog, check_state: Callable[[int], None], report: Report
) -> None:
    """Make every call that is still missing.

    Args:
        job: what to ask.
        backend: who answers.
        log: where answers are and go.
        check_state: called with the row of every state whose answers are complete; may raise to stop early.
        report: progress.

    Raises:
        UserError: from the backend, the log or `check_state`; answers that were under way are still logged.
    """
    asks = wanted(job)
    rows = range(len(job.questions))
    _forget_other_prefills(log, rows)
    # The unsaid state's scores are part of every state's distribution.
    waiting = {row: {ask.keys[0] for ask in asks if ask.state in (row, UNSAID)} for row in rows}

    def settle(records: list[Record]) -> None:
        if records:
            log.append(records)
        report(sum(ask.keys[0] in log for ask in asks), len(asks))
        for row in [row for row, keys in waiting.items() if all(key in log for key in keys)]:
            del waiting[row]
            check_state(row)

    settle([])
    for kinds in (("sample", "verbalized", "think"), ("score",)):
        calls = [call for call in missing(asks, log, backend.batch) if call.kind in kinds]
        if isinstance(backend, ManyAtOnce) and "score" not in kinds:
            _ask_together(
                job, backend, [call for call in missing(asks, log, 1) if call.kind in kinds], settle
            )
        else:
            work = [functools.partial(_answer, job, backend, log, call) for call in calls]
            _run(work, backend.concurrency, settle, keep=log.append, stop=backend.stop)
        lacking = sum(len(call.numbers) for call in missing(asks, log, 1) if call.kind in kinds)
        if lacking:
            raise UserError(
                f"{lacking} answers ended by a fault or a filter (finish_reason) {TRIES} times and are not "
                f"counted: nothing answered so far is lost, --resume asks for them again"
            )


def messages_for(job: Job, ask: Ask) -> list[Message]:
    """The conversation of a call."""
    s = job.settings
    question = job.questions[max(ask.state, 0)]
    caption = NO_CONTENT if ask.state == UNSAID else question.real_state.text
    return job.prompt.messages(job.facts, question.objects, caption, style_of(job, ask), s.examples)


def style_of(job: Job, ask: Ask) -> Style:
    """What kind of answer a call asks for."""
    thoughtful = job.settings.think and ask.state != UNSAID
    return "verbalize" if ask.kind == "verbalized" else "think" if thoughtful else "direct"


def _run(
    calls: Sequence[Callable[[], list[Record]]],
    concurrency: int,
    settle: Callable[[list[Record]], None],
    keep: Callable[[list[Record]], None],
    stop: Callable[[], None],
) -> None:
    """Make calls, some at a time, and settle each as it comes, here; after an error stop, keep the rest."""
    if concurrency == 1:
        for call in calls:
            settle(call())
        return
    work = [(call, Future[list[Record]]()) for call in calls]
    _start_threads(work, concurrency)
    futures = [future for _, future in work]
    settled: set[Future[list[Record]]] = set()
    try:
        for future in as_completed(futures):
            settled.add(future)
            settle(future.result())
    except BaseException as error:
        stop()  # a call that waits for its next try must not hold up the end
        under_way = [future for future in futures if not future.cancel() and future not in settled]
        try:  # what is under way is paid for: wait for it, and keep it
            wait(under_way, PATIENCE if isinstance(error, KeyboardInterrupt) else None)
        finally:
            for future in under_way:
                if future.done() and future.exception() is None:
                    keep(future.result())
        raise


def _start_threads(
    work: Sequence[tuple[Callable[[], list[Record]], Future[list[Record]]]], concurrency: int
) -> None:
    """Let threads make the calls; at its end Python does not wait for them, as it does for a pool's."""
    waiting = iter(work)
    turn = threading.Lock()

    def make_calls() -> None:
        while True:
            with turn:
                call, future = next(waiting, (None, None))
            if call is None or future is None:
                return
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)

    for _ in range(min(concurrency, len(work))):
        threading.Thread(target=make_calls, name="jaxteach-call", daemon=True).start()


def _answer(job: Job, backend: Backend, log: AnswerLog, ask: Ask) -> list[Record]:
    """Make one call, and turn what comes back into records."""
    question = job.questions[max(ask.state, 0)]
    start = time.perf_counter()
    if ask.kind == "score":
        records = [_score(job, backend, log, ask, question)]
    else:
        records = _generate(job, backend, [replace(ask, numbers=(number,)) for number in ask.numbers])
    seconds = round((time.perf_counter() - start) / max(len(records), 1), 3)
    return [record | {"seconds": seconds} for record in records]


def _ask_together(
    job: Job, backend: ManyAtOnce, asks: Sequence[Ask], settle: Callable[[list[Record]], None]
) -> None:
    """Make all calls as one, and settle each answer as it comes."""
    for _ in range(TRIES):
        if not asks:
            return
        requests = [Request(messages_for(job, ask), _seed(job, ask)) for ask in asks]
        temperature, start = _temperature(job, asks[0]), time.perf_counter()
        broken: list[Ask] = []
        for made in backend.generate_many(requests, temperature, job.settings.max_tokens):
            seconds = round((time.perf_counter() - start) / len(made), 3)
            start = time.perf_counter()
            broken += [asks[place] for place, reply in made if was_broken(reply.finish)]
            whole = [(asks[place], reply) for place, reply in made if not was_broken(reply.finish)]
            settle([_record(job, ask, reply) | {"seconds": seconds} for ask, reply in whole])
        asks = broken


def _generate(job: Job, backend: Backend, asks: Sequence[Ask]) -> list[Record]:
    """Free answers to one state."""
    messages, temperature = messages_for(job, asks[0]), _temperature(job, asks[0])
    seeds = {_seed(job, ask): ask for ask in asks}
    replies: dict[int, Reply] = {}
    for _ in range(TRIES):
        left = [seed for seed in seeds if seed not in replies]
        if left:
            made = backend.generate(messages, left, temperature, job.settings.max_tokens)
            whole = zip(left, made, strict=True)
            replies |= {seed: reply for seed, reply in whole if not was_broken(reply.finish)}
    return [_record(job, ask, replies[seed]) for seed, ask in seeds.items() if seed in replies]


def _temperature(job: Job, ask: Ask) -> float:
    return 0.0 if ask.kind == "think" else job.settings.temperature


def _seed(job: Job, ask: Ask) -> int:
    """The seed of a single answer."""
    return seed_of(job.settings.seed, ask.kind, job.questions[ask.state].real_state.text, ask.numbers[0])


def _record(job: Job, ask: Ask, reply: Reply) -> Record:
    """What the log keeps of a free answer."""
    question = job.questions[ask.state]
    return (
        _head(job, ask.kind, ask.state, ask.numbers[0], question.real_state.text)
        | {
            "seed": _seed(job, ask),
            "raw": reply.text,
            "parse": _parse(ask.kind, reply, question, job.settings.max_tokens),
            "finish": reply.finish,
            "served_by": reply.served_by,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
        }
        | ({"left_out": list(reply.left_out)} if reply.left_out else {})
        | ({"reasoning_alone": reply.reasoning_alone} if reply.reasoning_alone else {})
    )


def _score(job: Job, backend: Backend, log: AnswerLog, ask: Ask, question: Question) -> Record:
    """Scores of all options, after the thought if there is one."""
    prefill = _prefill(log, ask.state)
    options = [question.real(option) for option in question.options]
    scores = backend.score(messages_for(job, ask), prefill, [f" {option.text}" for option in options])
    return _head(job, "score", ask.state, 0, question.real_state.text) | {
        "raw": None,
        "prefill": prefill,
        "scores": {o.text: [s.log_likelihood, s.tokens] for o, s in zip(options, scores, strict=True)},
    }


def _prefill(log: AnswerLog, state: int) -> str:
    """How the answer begins whose end is scored."""
    thought = log.records.get(("think", state, 0))
    return f"{thought_of(thought['raw'])}\nPlan:" if thought else "Plan:"


def _forget_other_prefills(log: AnswerLog, rows: Iterable[int]) -> None:
    """Ask again for scores that an older version took after another part of the thought."""
    for row in rows:
        scores = log.records.get(("score", row, 0))
        if scores and scores.get("prefill", _prefill(log, row)) != _prefill(log, row):
            del log.records["score", row, 0]


def _head(job: Job, kind: str, state: int, number: int, caption: str) -> Record:
    """The fields every record begins with."""
    caption = NO_CONTENT if state == UNSAID else caption
    return {
        "ask": kind,
        "state": state,
        "number": number,
        "caption": caption,
        "prompt_sha256": job.prompt.sha256,
    }


def _parse(kind: str, reply: Reply, question: Question, max_tokens: int) -> object:
    """What the parser makes of an answer, for whoever reads the log; the table is made from the raw text."""
    cut = was_cut(reply.finish, reply.tokens_out, max_tokens)
    if kind == "verbalized":
        weighed = read_weighed_plans(reply.text, question, cut)
        return [[[option.text for option in options], probability] for options, probability in weighed]
    return [option.text for option in read_plan(reply.text, question, cut)]
