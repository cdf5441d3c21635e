"""One exchange with a server: a time-out bounds the whole of it, and a proxy is gone through, or round."""

import json
import socket
import threading
import time

import pytest

from jaxteach.llm.backends.endpoint import EndpointBackend
from jaxteach.llm.backends.wire import find_proxy
from jaxteach.utils.errors import UserError
from tests.llm.server import FakeServer

MESSAGES = [{"role": "user", "content": "Agent sees <key>, holds <nothing>."}]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "jaxteach-request"]


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n\n\r\n"),
        (HEAD + b"\r\n", b"\n"),
        (HEAD, b"X-Still-At-It: 1\r\n"),
        (HEAD + b"X-Long: ", b"x"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"H"),
    ],
    ids=["body", "chunks", "until closed", "headers", "header", "continue", "status"],
)
def test_bytes_now_and_then_do_not_hold_a_request_for_ever(start, more):
    with FakeServer() as server:
        server.play = lambda handler: server.drip(handler, start, more)
        backend = EndpointBackend(server.url, "m", timeout=0.5, retries=1, sleep=lambda seconds: None)
        begun = time.monotonic()
        # A hundred headers are more than is read, and end the connection sooner.
        with pytest.raises(
            UserError, match=r"gave up after 2 tries: .*(no whole reply within --timeout 0\.5|X)"
        ):
            backend.generate(MESSAGES, [1], 0.5, 10)
        assert time.monotonic() - begun < 4
        until = time.monotonic() + 5
        while threads() and time.monotonic() < until:
            time.sleep(0.01)
        assert not threads(), "a request that was given up continues"


def test_the_list_of_models_does_not_hold_the_start_either():
    with FakeServer() as server:
        server.models = lambda handler: server.drip(handler, HEAD + b"\r\n", b" ")
        begun = time.monotonic()
        with pytest.raises(UserError, match=r"no answer from .*no whole reply within --timeout 0\.5 s"):
            EndpointBackend(server.url, "m", timeout=0.5)
        assert time.monotonic() - begun < 3


def test_a_look_up_of_a_name_that_takes_for_ever_is_bounded(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: over.wait(20) and [])
    begun = time.monotonic()
    with pytest.raises(UserError, match="no whole reply within"):
        EndpointBackend("http://somewhere.invalid/v1", "m", timeout=0.3)
    over.set()
    assert time.monotonic() - begun < 3


def test_a_handshake_that_takes_for_ever_is_bounded():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        with pytest.raises(UserError, match="no whole reply within"):
            EndpointBackend(f"https://127.0.0.1:{silent.getsockname()[1]}/v1", "m", timeout=0.3)
        assert time.monotonic() - begun < 3


def test_blank_lines_before_a_reply_are_no_fault():
    with FakeServer() as server:
        reply = json.dumps(server.reply({"model": "m"}, "Plan: explore")).encode()
        server.play = lambda handler: handler.wfile.write(HEAD + b"\r\n" + b"\n" * 50 + reply)
        assert EndpointBackend(server.url, "m").generate(MESSAGES, [1], 0.5, 10)[0].text == "Plan: explore"


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_server_on_this_machine_is_reached_past_the_proxy(monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with FakeServer() as server:
        for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.1"):
            backend = EndpointBackend(server.url.replace("127.0.0.1", host), "m")
            assert backend.generate(MESSAGES, [1], 0.5, 10)[0].text


@pytest.mark.parametrize(
    ("variable", "scheme"),
    [("http_proxy", "http"), ("https_proxy", "https"), ("HTTPS_PROXY", "https"), ("ALL_PROXY", "http")],
)
def test_a_proxy_that_fails_is_named_without_its_password(monkeypatch, variable, scheme):
    monkeypatch.setenv(variable, "http://me:secret@127.0.0.1:9")
    with pytest.raises(UserError, match=rf"through the proxy 127\.0\.0\.1:9 \({variable}\)") as failed:
        EndpointBackend(f"{scheme}://models.invalid/v1", "m", timeout=2)
    assert "secret" not in str(failed.value)


def test_a_proxy_is_gone_through_and_told_its_password(monkeypatch):
    with FakeServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "me:p%40ss@").replace("/v1", ""))
        backend = EndpointBackend("http://models.invalid/v1", "m")
        assert backend.generate(MESSAGES, [1], 0.5, 10)[0].text
        assert proxy.headers[0]["Proxy-Authorization"] == "Basic bWU6cEBzcw=="
        assert proxy.headers[0]["Host"] == "models.invalid"
        proxy.refusals["chat"] = (407, b"")
        with pytest.raises(UserError, match="the proxy wants a name and a password"):
            backend.generate(MESSAGES, [1], 0.5, 10)
        proxy.refusals["chat"] = (404, b"")
        with pytest.raises(
            UserError, match=r"through the proxy 127\.0\.0\.1:\d+ \(http_proxy\) refused: status 404"
        ):
            backend.generate(MESSAGES, [1], 0.5, 10)


@pytest.mark.parametrize("address", ["socks5://h:1080", "http://", "http://h:abc", "ftp://h"])
def test_a_proxy_that_cannot_be_used_is_told_at_once(monkeypatch, address):
    monkeypatch.setenv("http_proxy", address)
    with pytest.raises(UserError, match=r"http_proxy names no proxy that can be used for models\.invalid"):
        EndpointBackend("http://models.invalid/v1", "m")


@pytest.mark.parametrize(
    ("listed", "netloc", "free"),
    [
        ("models.invalid", "models.invalid:80", True),
        ("other,.invalid", "models.invalid", True),
        ("*", "models.invalid", True),
        ("10.0.0.0/8", "10.1.2.3:8000", True),
        ("10.0.0.0/8", "11.1.2.3:8000", False),
        ("other", "models.invalid", False),
        ("", "[::1]:8000", True),
        ("", "[::ffff:127.0.0.1]", True),
        ("", "api.localhost", True),
        ("", "127.0.0.1.models.invalid", False),
    ],
)
def test_no_proxy_and_this_machine(monkeypatch, listed, netloc, free):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    assert (find_proxy("http", netloc) is None) == free
