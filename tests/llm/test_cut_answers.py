"""Answers that were cut off or ended by a fault: none of them is a plan, and all are counted."""

import json
from dataclasses import replace

import pytest

from jaxteach.llm import answered, describe, log_path, precompute
from jaxteach.llm.backend import Reply
from jaxteach.tasks.language import Option
from jaxteach.utils.errors import UserError
from tests.llm.fakes import SIMPLE, FakeBackend, Saying, make, make_job

THINKING = "<think>\nPlan: drop <key>\nNo, nothing is held. So"


@pytest.mark.parametrize("estimator", ["sample", "verbalized"])
def test_a_thought_that_was_cut_off_is_no_plan_and_is_counted(tmp_path, estimator):
    job = make_job(estimator=estimator, max_tokens=9)
    text = THINKING if estimator == "sample" else "<think>\n1.0: drop <key>\nNo, nothing is held. So"
    with pytest.raises(UserError, match=r"100% of the answers are no plan \(3 cut off at --max-tokens 9\)"):
        make(tmp_path, job, Saying(job.questions, text, finish="length"))
    taken = make_job(estimator=estimator, max_tokens=9, max_unparsed=1.0)
    table = precompute(taken, FakeBackend(job.questions), tmp_path / "t.json", "t", resume=True)
    assert table.plans[0][0].options[0].kind == "wait"
    assert table.plans[0][0].probability == 1
    assert 0 < table.provenance["cut_off"] <= table.provenance["asks"]
    assert "answers were cut off at --max-tokens" in describe(table, SIMPLE.language)


def test_of_answers_that_were_cut_off_only_whole_plans_count(tmp_path):
    job = make_job(samples=4, max_unparsed=0.5)
    texts = ("Plan: explore\nBecause", "Plan: explore\n", "Plan: go to <key>, pick up <k", "Plan: explore")
    table = make(tmp_path, job, Saying(job.questions, *texts, finish="MAX_TOKENS"))
    assert (table.plans[0][0].options, table.plans[0][0].count) == ((Option("explore"),), 2)
    assert (table.provenance["unparsed"], table.provenance["cut_off"]) == (0.5, 24)


def test_nothing_is_said_of_answers_cut_off_where_there_are_none(tmp_path):
    job = make_job()
    table = make(tmp_path, job, Saying(job.questions, "Plan: explore"))
    assert "cut_off" not in table.provenance
    assert "cut off" not in describe(table, SIMPLE.language)


def test_where_the_template_begins_thoughts_an_answer_cut_off_is_one(tmp_path):
    class Cut(Saying):
        def generate(self, messages, seeds, temperature, max_tokens):
            replies = super().generate(messages, seeds, temperature, max_tokens)
            return [replace(r, finish="stop" if "</think>" in r.text else "length") for r in replies]

    job = make_job(samples=2, max_unparsed=0.5)
    texts = ("Hm.</think>\nPlan: explore", "Plan: drop <key>\nNo, nothing is held. So")
    table = make(tmp_path, job, Cut(job.questions, *texts))
    assert [plan.options[0].kind for plan in table.plans[0]] == ["explore", "wait"]


def test_logs_of_older_versions_are_read_by_the_same_rules(tmp_path):
    job, out = make_job(samples=1, max_tokens=9, max_unparsed=1.0), tmp_path / "t.json"
    make(tmp_path, job, Saying(job.questions, THINKING, finish="length"))
    header, *lines = log_path(out).read_text().splitlines()
    older = [json.loads(line) | {"parse": ["drop <key>"]} for line in lines]
    del older[0]["finish"], older[0]["tokens_out"]
    older[1]["finish"] = None
    log_path(out).write_text("\n".join([header, *map(json.dumps, older)]) + "\n")
    table = precompute(job, FakeBackend(job.questions), out, "t", resume=True)
    assert {plans[0].options[0].kind for plans in table.plans} == {"wait"}
    assert table.provenance["cut_off"] == 5, "one says neither why it ended nor how long it is"


@pytest.mark.parametrize("batch", [1, 3])
def test_answers_that_end_by_a_fault_are_asked_again(tmp_path, batch):
    class Failing(FakeBackend):
        def generate(self, messages, seeds, temperature, max_tokens):
            replies = super().generate(messages, seeds, temperature, max_tokens)
            tries = [sum(seed == asked for _, asked in self.calls) for seed in seeds]
            broken = [seed % 2 and tried < 3 for seed, tried in zip(seeds, tries, strict=True)]
            return [
                Reply("Plan: open <door>", finish="content_filter") if bad else reply
                for bad, reply in zip(broken, replies, strict=True)
            ]

    job = make_job(max_unparsed=1.0)
    good = precompute(job, FakeBackend(job.questions), tmp_path / "good.json", "t")
    table = make(tmp_path, job, Failing(job.questions, batch=batch))
    assert table.plans == good.plans
    assert "content_filter" not in log_path(tmp_path / "t.json").read_text()


@pytest.mark.parametrize("estimator", ["sample", "score"])
def test_answers_that_always_end_by_a_fault_are_not_counted(tmp_path, estimator):
    class Failing(FakeBackend):
        def generate(self, messages, seeds, temperature, max_tokens):
            replies = super().generate(messages, seeds, temperature, max_tokens)
            ends = zip(seeds, replies, strict=True)
            return [replace(reply, finish="error") if seed % 2 else reply for seed, reply in ends]

    job, out = make_job(estimator=estimator, max_unparsed=1.0), tmp_path / "t.json"
    with pytest.raises(UserError, match=r"\d answers ended by a fault .*--resume asks for them again"):
        make(tmp_path, job, Failing(job.questions))
    assert "error" not in log_path(out).read_text()
    assert not any(kind == "score" for kind, _, _ in answered(log_path(out)))
    kept = len(answered(log_path(out)))
    assert kept > 0
    backend = FakeBackend(job.questions, batch=1)
    precompute(job, backend, out, "t", resume=True)
    assert len(backend.calls) == (18 - kept if estimator == "sample" else 12 - kept)


def test_scores_after_a_thought_that_was_dropped_are_asked_for_again(tmp_path):
    job, out = make_job(estimator="score"), tmp_path / "t.json"
    thought = "<think>\nPlan: drop <key>\nNo.</think>\nA key.\nPlan: explore"
    before = make(tmp_path, job, Saying(job.questions, thought))
    header, *lines = log_path(out).read_text().splitlines()
    records = [json.loads(line) for line in lines]
    older = next(record for record in records if record["ask"] == "score")
    assert older["prefill"] == "<think>\nPlan: drop <key>\nNo.</think>\nA key.\nPlan:"
    older |= {"prefill": "<think>\nPlan:", "scores": {text: [-1.0, 1] for text in older["scores"]}}
    log_path(out).write_text("\n".join([header, *map(json.dumps, records)]) + "\n")
    backend = FakeBackend(job.questions)
    assert precompute(job, backend, out, "mine", resume=True).sha256 == before.sha256
    assert len(backend.calls) == 1
