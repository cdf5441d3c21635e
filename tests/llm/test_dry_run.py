"""What a run would take, before anything is asked."""

import math

from jaxteach.llm import estimate, work_of
from jaxteach.llm.query import messages_for, wanted
from tests.llm.fakes import COLORED, SIMPLE, make_job


def lengths(job):
    """Characters of every prompt, by call."""
    return [sum(len(turn["content"]) for turn in messages_for(job, ask)) for ask in wanted(job)]


def test_a_server_is_sent_every_prompt_whole():
    job = make_job(samples=5)
    tokens = sum(math.ceil(length / 4) for length in lengths(job))
    assert estimate(job) == (
        f"30 calls for 6 states (0 answered already), about {tokens} tokens of prompt, "
        f"at most {30 * 160} tokens of answers"
    )


def test_a_model_in_this_process_reads_what_prompts_share_once():
    few, many = make_job(SIMPLE, samples=1), make_job(SIMPLE, samples=20)
    assert work_of(few).prompts == work_of(many).prompts, "samples of a state share all of it"
    one = max(lengths(few)) / 4
    assert one < work_of(few).prompts < 1.5 * one
    # The order of the objects differs between some of its states: what is before them is shared by all.
    colored = work_of(make_job(COLORED, samples=20)).prompts
    assert colored < 3 * max(lengths(make_job(COLORED))) / 4


def test_answers_are_as_long_as_the_examples_or_cut_off():
    job = make_job(samples=20)
    work = work_of(job)
    assert (work.answers, work.most, work.scored) == (120, 160, 0)
    assert 20 < work.usual < 60
    assert work_of(make_job(max_tokens=12)).usual == 12
    assert work_of(make_job(samples=20, examples=0)).usual == work.usual


def test_scores_come_after_their_thoughts():
    work = work_of(make_job(estimator="score"))
    assert work.answers == 6
    assert work.scored > 6 * work.usual
    plain = work_of(make_job(estimator="score", think=False))
    assert (plain.answers, plain.usual, plain.most) == (0, 0, 0)
    assert 0 < plain.scored < work.scored - 6 * work.usual + 1


def test_what_is_answered_already_takes_no_time():
    job = make_job(samples=2)
    answered = {("sample", row, number) for row in range(6) for number in range(2)}
    work = work_of(job, answered)
    assert (work.prompts, work.answers, work.scored) == (0, 0, 0)
    assert work_of(job, answered - {("sample", 3, 1)}).answers == 1
