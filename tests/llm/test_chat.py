"""What servers send back: content in parts, thoughts alone, and replies that are no answers."""

import gzip
import json
import zlib

import pytest

from jaxteach.llm import log_path, precompute
from jaxteach.llm.backends.chat import text_of
from jaxteach.llm.backends.endpoint import EndpointBackend
from jaxteach.utils.errors import UserError
from tests.llm.fakes import make_job
from tests.llm.server import FakeServer

MESSAGES = [{"role": "user", "content": "Agent sees <key>, holds <nothing>."}]
REPLY = json.dumps({"choices": [{"message": {"content": "Plan: explore"}}]}).encode()
EVENTS = b'data: {"choices": [{"delta": {"content": "Plan"}}]}\n\n'


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def connect(url, **changes):
    settings = {"timeout": 3.0, "retries": 6, "sleep": lambda seconds: None, **changes}
    return EndpointBackend(url, "m", **settings)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "Thought: a key.\n"}, {"type": "text", "text": "Plan: explore"}], None),
        (
            [{"type": "output_text", "text": "Thought: a key."}, {"type": "text", "text": "Plan: explore"}],
            None,
        ),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "Plan: x"}]}, {"text": "y"}], "y"),
        (
            [{"type": "reasoning", "text": "Plan: drop"}, {"type": "text", "text": "Plan: explore"}],
            "Plan: explore",
        ),
        ([{"type": "text", "text": "Plan: expl"}, {"type": "text", "text": "ore"}], "Plan: explore"),
        (["Plan: ", "explore"], "Plan: explore"),
        ([{"type": "text", "text": {"value": "Plan: explore"}}], "Plan: explore"),
        ({"type": "text", "text": "Plan: explore"}, "Plan: explore"),
        ([{"type": "refusal", "refusal": "I will not."}], "I will not."),
        ([{"type": "image_url", "image_url": {}}, {"type": "text", "text": "z"}], "z"),
        ([], ""),
        ([3], None),
        (7, None),
    ],
)
def test_parts_of_text_are_put_together(content, text):
    if text is None and isinstance(content, list) and isinstance(content[0], dict):
        text = "Thought: a key.\nPlan: explore"
    assert text_of({"content": content}) == text


def test_a_refusal_in_words_is_an_answer():
    with FakeServer() as server:
        server.reply = lambda body, text: {"choices": [{"message": {"content": None, "refusal": "No."}}]}
        assert connect(server.url).generate(MESSAGES, [1], 0.5, 10)[0].text == "No."
        assert len(server.bodies) == 1


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
@pytest.mark.parametrize("finish", ["stop", "length"])
def test_thoughts_without_an_answer_are_called_so(tmp_path, capsys, field, finish):
    out, job = tmp_path / "t.json", make_job(samples=2)
    message = {"content": None, field: "Hm. Plan: drop <key>"}
    with FakeServer() as server:
        server.reply = lambda body, text: {"choices": [{"message": message, "finish_reason": finish}]}
        with pytest.raises(UserError, match=rf"thoughts in {field} and no answer"):
            precompute(job, connect(server.url, concurrency=1), out, "t")
        assert len(server.bodies) == 2, (
            "it is an answer, if a poor one: another try would cost the same again"
        )
    said = capsys.readouterr().err
    assert said.count(f"sent thoughts ({field}) and no answer: raise --max-tokens") == said.count("\n") == 1
    assert "drop" not in log_path(out).read_text()


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        (EVENTS, {"Content-Type": "text/event-stream; charset=utf-8"}, r"a stream of events \(SSE\)"),
        (EVENTS, {}, r"a stream of events \(SSE\)"),
        (b": keep-alive\n\n" + EVENTS, {}, r"a stream of events \(SSE\)"),
        (b'{"message": {}, "done": false}\n{"done": true}\n', {}, "a stream of JSON lines"),
        (gzip.compress(REPLY, mtime=0), {"Content-Encoding": "gzip"}, r"compressed \(gzip\)"),
        (gzip.compress(REPLY, mtime=0), {}, r"compressed \(gzip\)"),
        (zlib.compress(REPLY), {"Content-Encoding": "deflate"}, r"compressed \(deflate\)"),
        (b"\x0b\x02\x80", {"Content-Encoding": "br"}, r"compressed \(br\)"),
        (b"<!doctype html><title>Open WebUI</title>", {}, r"a web page \(HTML\), 'Open WebUI'"),
        (b"\n<html><body>Sign in</body></html>", {"Content-Type": "text/html"}, "a web page.*'Sign in'"),
        (b'<?xml version="1.0"?><Error>Denied</Error>', {}, "XML, 'Denied'"),
        (b"Ollama is running", {}, "text: 'Ollama is running'"),
        (b'{"message": {"role": "assistant", "content": "x"}}', {}, "JSON, but no chat completion"),
        (b'{"object": "list", "data": []}', {}, "JSON, but no chat completion"),
        (b'{"error": "model not found"}', {}, "an error with status 200: .*model not found"),
        (b'{"error": {"message": "Bad prompt.", "code": "400"}}', {}, "an error with status 200: .*Bad"),
        (
            b'[{"error": {"code": 404, "message": "gone", "status": "NOT_FOUND"}}]',
            {},
            "200: .*gone.*--model m right",
        ),
        (b'{"detail": "Not Found"}', {}, "an error with status 200: .*Not Found"),
        (b'{"error": {"message": "who?", "type": "authentication_error"}}', {}, "no key: set"),
    ],
)
def test_a_reply_with_status_200_that_is_no_answer_is_called_what_it_is_once(body, headers, says):
    with FakeServer() as server:
        server.refusals["chat"] = (200, body, headers)
        with pytest.raises(UserError, match=says):
            connect(server.url).generate(MESSAGES, [1], 0.5, 10)
        assert len(server.bodies) == 1


def test_a_stream_of_events_is_known_before_its_end():
    with FakeServer() as server:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        server.play = lambda handler: server.drip(handler, head, EVENTS)
        with pytest.raises(UserError, match="a stream of events"):
            connect(server.url).generate(MESSAGES, [1], 0.5, 10)


@pytest.mark.parametrize(
    "passing",
    [
        {"error": {"message": "overloaded"}},
        {"error": {"message": "Provider returned error", "code": 502}},
        {"error": {"type": "server_error", "message": "?"}},
        {"error": {"code": 429, "message": "slowly"}},
        {"choices": None, "error": "try again"},
    ],
)
def test_an_error_with_status_200_that_may_pass_is_tried_again(passing):
    with FakeServer() as server:
        replies = iter([(200, passing), (200, b""), (200, b'{"choices": [')])
        server.refuse = lambda body: next(replies, None)
        assert connect(server.url).generate(MESSAGES, [1], 0.5, 10)[0].text
        assert len(server.bodies) == 4


def test_json_is_read_whatever_it_is_called():
    with FakeServer() as server:
        for headers in ({"Content-Type": "text/html"}, {"Content-Encoding": "utf-8"}):
            server.refusals["chat"] = (200, b"\xef\xbb\xbf" + REPLY, headers)
            assert connect(server.url).generate(MESSAGES, [1], 0.5, 10)[0].text == "Plan: explore"


@pytest.mark.parametrize(
    ("path", "meant"),
    [("", "/v1"), ("/api", "/api/v1"), ("/v1/chat/completions", "/v1"), ("/v1/models", "/v1")],
)
@pytest.mark.parametrize(
    "reply", [(404, b"404 page not found"), (405, b""), (200, b"<html>Hi</html>"), (200, b"{}"), (301, b"")]
)
def test_the_base_url_that_was_meant_is_suggested(path, meant, reply):
    with FakeServer() as server:
        server.refusals |= {"models": (404, b""), "chat": reply}
        root = server.url.removesuffix("/v1")
        with pytest.raises(UserError) as refused:
            connect(root + path).generate(MESSAGES, [1], 0.5, 10)
        assert str(refused.value).endswith(f"did you mean --base-url {root}{meant}?")
        assert len(server.bodies) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_named_and_where_it_leads(status):
    with FakeServer() as server:
        for location, says in [
            (
                "https://u:pw@h.invalid/v1/chat/completions?key=1",
                "did you mean --base-url https://h.invalid/v1?",
            ),
            (
                "/login?next=pw",
                f"a redirect to {server.url.removesuffix('/v1')}/login, which is not followed",
            ),
        ]:
            server.refusals["chat"] = (status, b"", {"Location": location})
            with pytest.raises(UserError) as refused:
                connect(server.url).generate(MESSAGES, [1], 0.5, 10)
            assert f"status {status}: a redirect to" in str(refused.value)
            assert says in str(refused.value)
            assert "pw" not in str(refused.value) and "key=1" not in str(refused.value)
        assert len(server.bodies) == 2


def test_a_compressed_or_formatted_error_is_told_in_words():
    with FakeServer() as server:
        for body, says in [
            (gzip.compress(b"no", mtime=0), r"status 404: \(compressed, gzip\)"),
            (b"<html><title>No such\npage</title>", "status 404: a web page .*No such page"),
        ]:
            server.refusals["chat"] = (404, body)
            with pytest.raises(UserError, match=says):
                connect(server.url).generate(MESSAGES, [1], 0.5, 10)
