"""How a server says that an answer ended: faults are asked again, thoughts are no answers."""

import json

import pytest

from jaxteach.llm import log_path
from jaxteach.utils.errors import UserError
from tests.llm.fakes import make_job
from tests.llm.server import FakeServer, connect, run

KEY = "sk-very-secret-0123456789"
MESSAGES = [{"role": "user", "content": "Agent sees <key>, holds <nothing>."}]


class Ending(FakeServer):
    """Ends the first answers to each request as the test says."""

    def __init__(self, ends, fields=None):
        super().__init__()
        self.ends, self.fields = ends, fields or {}

    def reply(self, body, text):
        tried = self.tries[json.dumps(body).encode()] - 1
        reply = super().reply(body, text)
        if tried < len(self.ends):
            reply["choices"][0] |= {"finish_reason": self.ends[tried], **self.fields}
        return reply


@pytest.mark.parametrize(
    "end",
    [
        "error",
        "content_filter",
        "SAFETY",
        "abort",
        "cancelled",
        "insufficient_system_resource",
        "PROHIBITED_CONTENT",
    ],
)
def test_an_answer_that_ended_by_a_fault_is_asked_for_again_and_not_logged(tmp_path, end):
    job, out = make_job(max_unparsed=1.0), tmp_path / "t.json"
    with Ending([end, end]) as server:
        run(server, out, job)
        assert set(server.tries.values()) == {3}
    assert end not in log_path(out).read_text()
    with FakeServer() as server:
        run(server, tmp_path / "good.json", job)
    assert out.read_bytes() == (tmp_path / "good.json").read_bytes()


def test_faults_that_stay_end_the_run_with_their_name(tmp_path):
    with Ending(["content_filter"] * 9) as server, pytest.raises(UserError, match="'content_filter'"):
        connect(server, retries=2).generate(MESSAGES, [1], 0.5, 10)
    broken = Ending(["stop"] * 9, {"error": {"message": "upstream is gone"}})
    with broken as server, pytest.raises(UserError, match="upstream is gone"):
        connect(server, retries=2).generate(MESSAGES, [1], 0.5, 10)


@pytest.mark.parametrize(
    ("text", "end", "plan"),
    [
        ("<think>\nPlan: drop <key>\nNo, nothing is held. So", "length", None),
        ("<thinking>Plan: drop <key></thinking>\nPlan: explore", "stop", "explore"),
        (
            "<|channel|>analysis<|message|>Plan: drop <key><|end|>"
            "<|start|>assistant<|channel|>final<|message|>Plan: explore",
            "stop",
            "explore",
        ),
        ("Plan: explo", "length", None),
        ("Plan: explore", "eos_token", "explore"),
    ],
)
def test_a_table_holds_what_was_answered_and_not_what_was_thought(tmp_path, text, end, plan):
    with Ending([end]) as server:
        server.text = lambda body, chance: text
        table = run(server, tmp_path / "t.json", make_job(max_unparsed=1.0))
    assert {option.kind for plans in table.plans for option in plans[0].options} == {plan or "wait"}
    assert table.provenance["unparsed"] == (plan is None)
    assert table.provenance.get("cut_off") == (18 if end == "length" else None)
