"""Answers to several states side by side: the same table, and nothing lost or asked twice."""

import pytest

from jaxteach.llm import answered, log_path, precompute
from jaxteach.llm.backend import ManyAtOnce, Reply
from jaxteach.utils.errors import UserError
from tests.llm.fakes import COLORED, FakeBackend, make_job


class Together(FakeBackend):
    """Answers all requests side by side, the last first, three at a time."""

    fails_after = 1000

    def generate_many(self, requests, temperature, max_tokens):
        """One answer a request."""
        places = list(reversed(range(len(requests))))
        while places:
            now, places = places[:3], places[3:]
            if len(self.calls) >= self.fails_after:
                raise UserError("no memory left")
            yield [
                (place, reply)
                for place in now
                for reply in self.generate(
                    requests[place].messages, [requests[place].seed], temperature, max_tokens
                )
            ]


def test_the_table_is_that_of_answers_state_by_state(tmp_path):
    job = make_job(COLORED, samples=5)
    apart, together = FakeBackend(job.questions), Together(job.questions)
    assert isinstance(together, ManyAtOnce) and not isinstance(apart, ManyAtOnce)
    one = precompute(job, apart, tmp_path / "a.json", "t")
    other = precompute(job, together, tmp_path / "b.json", "t")
    assert one.sha256 == other.sha256
    assert sorted(apart.calls) == sorted(together.calls)


@pytest.mark.parametrize("settings", [{"samples": 5}, {"estimator": "score"}])
def test_what_came_before_a_failure_is_kept(tmp_path, settings):
    job, out = make_job(COLORED, **settings), tmp_path / "t.json"
    whole = precompute(job, FakeBackend(job.questions), tmp_path / "whole.json", "t")
    failing = Together(job.questions)
    failing.fails_after = 9
    with pytest.raises(UserError, match="no memory left"):
        precompute(job, failing, out, "t")
    assert len(answered(log_path(out))) == 9
    again = Together(job.questions)
    assert precompute(job, again, out, "t", resume=True).sha256 == whole.sha256
    assert not set(again.calls) & {call for call in failing.calls if call[0] == "generate"}


def test_answers_that_end_by_a_fault_are_asked_again(tmp_path):
    class Failing(Together):
        def generate(self, messages, seeds, temperature, max_tokens):
            replies = super().generate(messages, seeds, temperature, max_tokens)
            first = self.calls.count(("generate", seeds[0])) == 1
            return [Reply("Plan: explore", finish="error")] if first and seeds[0] % 2 else replies

    job = make_job()
    good = precompute(job, FakeBackend(job.questions), tmp_path / "good.json", "t")
    failing = Failing(job.questions)
    assert precompute(job, failing, tmp_path / "t.json", "t").plans == good.plans
    assert 18 < len(failing.calls) < 36


def test_seconds_in_the_log_sum_up_to_the_run_s(tmp_path):
    import json
    import time

    class Slow(Together):
        def generate(self, messages, seeds, temperature, max_tokens):
            time.sleep(0.01)
            return super().generate(messages, seeds, temperature, max_tokens)

    job = make_job()
    start = time.perf_counter()
    precompute(job, Slow(job.questions), tmp_path / "t.json", "t")
    took = time.perf_counter() - start
    lines = log_path(tmp_path / "t.json").read_text().splitlines()[1:]
    assert 0.18 <= sum(json.loads(line)["seconds"] for line in lines) + 0.0005 * 18 <= took + 0.02
