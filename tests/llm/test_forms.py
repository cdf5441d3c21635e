"""Servers that refuse a part of the request are asked without it; what was left out is said and recorded."""

import json
import re

import pytest

from jaxteach.llm import log_path, precompute
from jaxteach.llm.backends.endpoint import EndpointBackend
from jaxteach.utils.errors import UserError
from tests.llm.fakes import make_job
from tests.llm.server import FakeServer

MESSAGES = [
    {"role": "system", "content": "You teach."},
    {"role": "user", "content": "Agent sees <key>, holds <nothing>."},
]
GEMINI = 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'
# (status, body): in how many ways servers refuse a seed, and the system role.
SEED = {
    "pydantic": (
        422,
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"}]},
    ),
    "mistral": (422, {"object": "error", "message": {"detail": [{"loc": ["body", "seed"], "input": 5}]}}),
    "nested": (
        422,
        {"message": '{"detail":[{"type":"extra_forbidden","loc":["body","seed"]}]}', "code": "1000"},
    ),
    "gemini": (400, [{"error": {"code": 400, "message": GEMINI, "status": "INVALID_ARGUMENT"}}]),
    "openai": (400, {"error": {"message": "Unrecognized request argument supplied: seed", "param": None}}),
    "param": (400, {"error": {"message": "Unsupported parameter", "param": "seed"}}),
    "key": (400, {"errors": {"seed": ["Unknown field."]}}),
    "text": (400, b"seed is not a valid parameter"),
    "server's": (500, {"error": "generate() got an unexpected keyword argument 'seed'"}),
    "no name": (422, {"detail": "Extra fields not permitted"}),
    "nothing": (400, b""),
    "page": (400, b"<html><head><title>400 Bad Request</title></head></html>"),
    "in 200": (200, {"error": {"message": "Unknown parameter: 'seed'", "type": "invalid_request_error"}}),
}
SYSTEM = {
    "vllm": (400, {"object": "error", "message": "System role not supported", "code": 400}),
    "template": (
        500,
        {"error": {"code": 500, "message": "Conversation roles must alternate user/assistant/..."}},
    ),
    "mistral": (400, {"error": "Only user and assistant roles are supported!"}),
    "gemini": (400, {"error": {"message": "Developer instruction is not enabled for models/gemma-3-27b-it"}}),
    "openai": (400, {"error": {"message": "'messages[0].role' does not support 'system' with this model."}}),
    "serde": (422, b"unknown variant `system`, expected `user` or `assistant`"),
    "pydantic": (422, {"detail": [{"loc": ["body", "messages", 0, "role"], "input": "system"}]}),
    "uvicorn": (500, b"Internal Server Error"),
    "nothing": (400, {"error": {"message": "Bad Request", "type": "invalid_request_error"}}),
    "in 200": (200, {"error": "System role not supported"}),
}


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def has_seed(body):
    return "seed" in body


def has_system(body):
    return any(message["role"] == "system" for message in body["messages"])


def ask(server, notices=None, **changes):
    settings = {"sleep": lambda seconds: None, "notice": (notices or []).append, **changes}
    return EndpointBackend(server.url, "m", **settings).generate(MESSAGES, [1], 0.5, 10)[0]


@pytest.mark.parametrize("form", SEED)
def test_a_server_that_refuses_a_seed_is_asked_without(form):
    with FakeServer() as server:
        server.refuse = lambda body: SEED[form] if has_seed(body) else None
        assert ask(server).left_out == ("seed",)
        assert len(server.bodies) == 2
    assert server.bodies[1] == {key: value for key, value in server.bodies[0].items() if key != "seed"}


@pytest.mark.parametrize("form", SYSTEM)
def test_a_server_that_knows_no_system_role_is_told_by_the_user(form):
    with FakeServer() as server:
        server.refuse = lambda body: SYSTEM[form] if has_system(body) else None
        assert ask(server).left_out == ("system role",)
        assert len(server.bodies) <= 3
    assert server.bodies[-1]["messages"] == [
        {"role": "user", "content": "You teach.\n\nAgent sees <key>, holds <nothing>."}
    ]
    assert has_seed(server.bodies[-1])


@pytest.mark.parametrize(
    ("first", "second"), [("pydantic", "vllm"), ("gemini", "gemini"), ("nothing", "nothing")]
)
def test_a_server_may_refuse_several_things(first, second):
    def refuse(body):
        if "max_tokens" in body:
            return 400, {"error": {"message": "Unsupported parameter: 'max_tokens'"}}
        return SEED[first] if has_seed(body) else SYSTEM[second] if has_system(body) else None

    with FakeServer() as server:
        server.refuse = refuse
        assert ask(server).left_out == ("seed", "system role")
    assert server.bodies[-1]["max_completion_tokens"] == 10


def test_what_is_left_out_is_said_once_and_recorded(tmp_path, capsys):
    out, job = tmp_path / "t.json", make_job(samples=4)
    with FakeServer() as server:
        server.refuse = lambda body: SEED["pydantic"] if has_seed(body) else None
        backend = EndpointBackend(server.url, "m", timeout=5, retries=0)
        table = precompute(job, backend, out, "t")
    said = capsys.readouterr().err
    assert table.provenance["left_out"] == ["seed"]
    assert said.count("refuses `seed`") == said.count("\n") == 1
    assert sum(map(has_seed, server.bodies)) <= 4, "each thread finds out at most once"
    records = [json.loads(line) for line in log_path(out).read_text().splitlines()[1:]]
    assert [record["left_out"] for record in records] == [["seed"]] * 24


def test_nothing_left_out_leaves_no_trace(tmp_path):
    out = tmp_path / "t.json"
    with FakeServer() as server:
        precompute(make_job(), EndpointBackend(server.url, "m"), out, "t")
    assert "left_out" not in out.read_text() + log_path(out).read_text()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "temperature must be 1 with this model"}),
        (400, {"error": "maximum context length is 10 tokens"}),
        (422, {"detail": [{"loc": ["body", "prompt"], "msg": "Field required", "input": {"seed": 1}}]}),
        (402, {"error": "no credit for seed or system"}),
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
    ],
)
def test_what_no_other_request_would_mend_is_refused_at_once(status, body):
    with FakeServer() as server:
        server.refusals["chat"] = (status, body)
        with pytest.raises(UserError, match=f"refused: status {status}"):
            ask(server)
        assert len(server.bodies) == 1


def test_a_refusal_that_stays_is_told_and_nothing_is_adopted():
    notices = []
    with FakeServer() as server:
        server.refusals["chat"] = (400, {"error": "System role not supported"})
        with pytest.raises(UserError, match="System role not supported"):
            ask(server, notices)
        assert len(server.bodies) == 2
    assert not notices


def test_an_error_of_the_server_by_chance_changes_no_request(capsys):
    with FakeServer() as server:
        replies = iter(
            [(500, b"Internal Server Error"), (503, b"busy"), (500, b"the operating system hangs")]
        )
        server.refuse = lambda body: next(replies, None)
        assert ask(server).left_out == ()
        assert len(server.bodies) == 4
        assert {re.sub("[0-9]", "", json.dumps(body)) for body in server.bodies} == {
            re.sub("[0-9]", "", json.dumps(server.bodies[0]))
        }
