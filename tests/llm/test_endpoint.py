"""The endpoint backend against a server that replies like Ollama or vLLM, on good days and on bad ones."""

import json
import threading
import time

import pytest

from jaxteach.llm import log_path, precompute
from jaxteach.llm.backends.chat import LONGEST_WAIT, seconds
from jaxteach.llm.backends.endpoint import EndpointBackend, _pause
from jaxteach.utils.errors import UserError
from tests.llm.fakes import make_job
from tests.llm.server import FAULTS, FakeServer, connect, run

KEY = "sk-very-secret-0123456789"
MESSAGES = [{"role": "user", "content": "Agent sees <key>, holds <nothing>."}]


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize("style", ["ollama", "vllm"])
def test_the_table_of_a_bad_day_is_the_table_of_a_good_one(tmp_path, style):
    job = make_job(samples=10, max_unparsed=1.0)
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    with FakeServer(style, hostile=0.2) as server:
        run(server, good, job)
        assert set(server.answered.values()) == {1}
        assert len(server.answered) == 60
    with FakeServer(style, faulty=True, hostile=0.2) as server:
        run(server, bad, job)
        assert set(server.answered.values()) == {1}, "an answer that came was asked for again"
        assert len(server.answered) == 60
        assert set(server.faults) == set(FAULTS)
    assert bad.read_bytes() == good.read_bytes()
    raws = [
        [json.loads(line)["raw"] for line in sorted(log_path(p).read_text().splitlines()[1:], key=_order)]
        for p in (good, bad)
    ]
    assert raws[0] == raws[1]
    assert len(raws[0]) == 60


def _order(line):
    record = json.loads(line)
    return record["state"], record["number"]


def test_one_request_for_each_answer_each_with_its_own_seed(tmp_path):
    job = make_job(samples=4, temperature=0.3, max_tokens=99)
    with FakeServer() as server:
        run(server, tmp_path / "t.json", job)
    assert len(server.bodies) == 24
    assert len({body["seed"] for body in server.bodies}) == 24
    assert {(body["temperature"], body["max_tokens"], body["model"]) for body in server.bodies} == {
        (0.3, 99, "some-model")
    }
    assert not any("n" in body or "logprobs" in body for body in server.bodies)


def test_after_an_outage_resume_asks_only_the_rest(tmp_path):
    job, out = make_job(samples=6, max_unparsed=1.0), tmp_path / "t.json"
    with FakeServer() as server:
        run(server, tmp_path / "whole.json", job)
    with FakeServer() as server:
        backend = connect(server, retries=0, concurrency=3)
        ask = backend.generate

        def dies_after_ten(*args):
            if len(server.bodies) >= 10:
                server.refusals["chat"] = (503, {"error": "down"})
            return ask(*args)

        backend.generate = dies_after_ten
        with pytest.raises(UserError, match="gave up after 1 tries"):
            precompute(job, backend, out, "t")
        assert not out.exists()
        kept = len(log_path(out).read_text().splitlines()) - 1
        assert kept == len(server.answered) >= 10
        server.refusals.clear()
        precompute(job, connect(server), out, "t", resume=True)
        assert set(server.answered.values()) == {1}
    assert out.read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_the_key_goes_to_the_server_and_nowhere_else(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    out = tmp_path / "t.json"
    with FakeServer() as server:
        run(server, out, make_job())
        assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
        backend = connect(server)
        server.refusals["chat"] = (400, {"error": {"message": f"your key {KEY} is odd"}})
        with pytest.raises(UserError) as refused:
            backend.generate(MESSAGES, [1], 0.5, 10)
    seen = str(refused.value) + str(backend.describe()) + "".join(capsys.readouterr())
    seen += "".join(path.read_text() for path in tmp_path.iterdir())
    assert KEY not in seen
    assert "your key *** is odd" in seen


@pytest.mark.parametrize(
    ("refusals", "says"),
    [
        ({"models": (401, b"")}, "no key: set the environment variable OPENAI_API_KEY"),
        ({"chat": (401, b"who are you")}, "no key: set the environment variable OPENAI_API_KEY"),
        ({"chat": (404, {"error": "no such model"})}, "is --model some-model right"),
        ({"chat": (400, {"error": "context too long"})}, "context too long"),
        ({"chat": (307, b"")}, "status 307"),
        ({"models": (404, b""), "chat": (422, b"bad temperature")}, "bad temperature"),
    ],
)
def test_refusals_name_the_remedy_and_are_not_repeated(refusals, says):
    with FakeServer() as server:
        server.refusals.update(refusals)
        with pytest.raises(UserError, match=says):
            connect(server).generate(MESSAGES, [1], 0.5, 10)
        assert len(server.bodies) == (0 if "chat" not in refusals else 1)


def test_a_redirect_takes_the_key_nowhere(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FakeServer() as server, FakeServer() as elsewhere:
        server.refusals["chat"] = (302, b"", {"Location": f"{elsewhere.url}/models"})
        elsewhere.refusals["models"] = (200, b"{}")
        with pytest.raises(UserError, match="status 302"):
            connect(server, retries=0).generate(MESSAGES, [1], 0.5, 10)


def test_a_wrong_key_is_told_from_a_missing_one(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    with FakeServer() as server:
        server.refusals["models"] = (403, b"")
        with pytest.raises(UserError, match="refused the key in the environment variable MY_KEY"):
            connect(server, key_variable="MY_KEY")


def test_newer_models_get_their_own_name_for_the_limit():
    with FakeServer() as server:
        backend = connect(server)
        server.refusals["chat"] = (400, {"error": {"message": "use 'max_completion_tokens' instead"}})
        with pytest.raises(UserError, match="max_completion_tokens"):
            backend.generate(MESSAGES, [1], 0.5, 77)
    assert "max_tokens" in server.bodies[0]
    assert server.bodies[1]["max_completion_tokens"] == 77


def test_all_requests_under_way_learn_the_new_name_at_once(tmp_path):
    together = threading.Barrier(4)

    class Newer(FakeServer):
        def chat(self, handler):
            raw = handler.rfile.read(int(handler.headers["Content-Length"]))
            body = json.loads(raw)
            if "max_tokens" in body:
                together.wait(10)  # all four are refused before one of them can learn from it
                return self.send(handler, 400, {"error": {"message": "use 'max_completion_tokens'"}})
            self.bodies.append(body)
            return self.send(handler, 200, self.reply(body, "Plan: explore"))

    with Newer() as server:
        run(server, tmp_path / "t.json", make_job(samples=4), retries=0)
    assert len(server.bodies) == 24, "a new name costs no try"


def test_every_status_from_500_on_may_pass():
    for status in (500, 501, 520, 524, 529):
        with FakeServer() as server:
            server.refusals["chat"] = (status, b"")
            with pytest.raises(UserError, match="gave up after 3 tries"):
                connect(server, retries=2).generate(MESSAGES, [1], 0.5, 10)
            assert len(server.bodies) == 3


def test_an_error_ends_the_pauses_of_other_requests(tmp_path):
    class Forbids(FakeServer):
        def chat(self, handler):
            raw = handler.rfile.read(int(handler.headers["Content-Length"]))
            self.bodies.append(json.loads(raw))
            if len(self.bodies) == 4:
                return self.send(handler, 400, {"error": "no"})
            return self.send(handler, 503, {"error": "busy"}, {"Retry-After": "60"})

    with Forbids() as server:
        start = time.monotonic()
        with pytest.raises(UserError, match="refused: status 400"):
            run(server, tmp_path / "t.json", make_job(), sleep=None)
    assert time.monotonic() - start < 20
    assert len(server.bodies) <= 5, "one more may have begun before the error was seen"


def test_a_key_that_a_server_echoes_is_neither_shown_nor_kept(tmp_path, monkeypatch):
    key = 'sk-"quoted"/0123456789'
    monkeypatch.setenv("OPENAI_API_KEY", key)
    out = tmp_path / "t.json"
    with FakeServer() as server:
        server.text = lambda body, chance: f"Plan: explore\nYour key is {key}."
        good = server.reply
        server.reply = lambda body, text: good(body | {"model": f"m {key}"}, text)
        run(server, out, make_job())
        server.reply = lambda body, text: {"error": {"message": "?" * 190 + key}}
        with pytest.raises(UserError) as failed:
            connect(server, retries=0).generate(MESSAGES, [1], 0.5, 10)
        for echo in (json.dumps({"error": key}), json.dumps({"error": key}).replace("/", "\\/")):
            server.refusals["chat"] = (400, echo.encode())
            with pytest.raises(UserError, match="error") as refused:
                connect(server).generate(MESSAGES, [1], 0.5, 10)
            assert "0123456789" not in str(refused.value)
    kept = out.read_text() + log_path(out).read_text()
    assert "Your key is ***." in kept
    assert "0123456789" not in kept
    assert "sk-" not in kept + str(failed.value)


def test_a_key_of_a_letter_leaves_the_answers_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    with FakeServer() as server:
        server.text = lambda body, chance: "Plan: explore"
        assert connect(server).generate(MESSAGES, [1], 0.5, 10)[0].text == "Plan: explore"


def test_another_server_does_not_continue_the_answers_of_one(tmp_path):
    out, job = tmp_path / "t.json", make_job()
    with FakeServer() as server, FakeServer() as other:
        table = run(server, out, job)
        with pytest.raises(UserError, match=r"server was .* and is now"):
            precompute(job, connect(other), out, "t", resume=True)
    assert "127.0.0.1" not in out.read_text(), "the address is nobody else's business"
    assert set(table.provenance["versions"]) == {"jaxteach"}


def test_nobody_at_home():
    with FakeServer() as server:
        url = server.url
    with pytest.raises(UserError, match=r"no answer from 127\.0\.0\.1:\d+: .*check --base-url"):
        EndpointBackend(url, "m", timeout=0.5)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://x/v1",
        "http://user:pw@host/v1",
        "http://:pw@host/v1",
        "https://h/v1?key=1",
        "https://h/v1#key",
        "http://[::1/v1",
        "http://host:abc/v1",
        "http://host:0/v1",
        "http://host:70000/v1",
        f"http://{'a' * 64}.org/v1",
        "http://a..b/v1",
        "http://host/v 1",
        "",
    ],
)
def test_urls_that_make_no_sense(url):
    with pytest.raises(UserError, match="--base-url must look like") as refused:
        EndpointBackend(url, "m")
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [{"timeout": t} for t in (-1, 0, float("nan"), 1e10)] + [{"concurrency": 0}] + [{"retries": -1}],
)
def test_numbers_that_make_no_sense(wrong):
    with pytest.raises(UserError, match=f"--{next(iter(wrong))} is "):
        EndpointBackend("http://127.0.0.1:9/v1", "m", **wrong)


def test_scores_are_refused_not_approximated(tmp_path):
    with FakeServer() as server, pytest.raises(UserError, match="the openai backend cannot score"):
        run(server, tmp_path / "t.json", make_job(estimator="score"))


def test_an_answer_that_stays_empty_is_an_answer():
    with FakeServer() as server:
        server.text = lambda body, chance: ""
        reply = connect(server, retries=2).generate(MESSAGES, [1], 0.5, 10)[0]
        assert (reply.text, len(server.bodies)) == ("", 3)


def test_pauses_grow_and_obey_the_server():
    assert 0.25 <= _pause(1, None) <= 0.5
    assert 4 <= _pause(5, None) <= 8
    assert _pause(1, 7.5) == 7.5
    assert _pause(30, None) == _pause(5000, None) == LONGEST_WAIT
    assert [seconds(h) for h in ("3", "0", None, "Wed, 21 Oct 2026", "1e9", "nan")] == [
        3.0,
        0.0,
        None,
        None,
        LONGEST_WAIT,
        LONGEST_WAIT,
    ]
