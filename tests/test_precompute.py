"""The precompute command under Ctrl-C: while it imports, asks, waits and ends."""

import contextlib
import itertools
import json
import signal
import time

import pytest

from jaxteach.llm import log_path
from tests.commands import started
from tests.llm.server import FakeServer

FLAGS = "--task simple_door_key --backend openai --model m --samples 4 --timeout 600".split()
LIMIT = 3.5
"""Seconds: two, and what a busy machine adds."""


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def wait_for(holds):
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def interrupt(process, times=1):
    """Signal a process; its seconds from then on, its status and what it said."""
    start = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, said = process.communicate(timeout=60)
    return time.monotonic() - start, process.returncode, said


SLOW = pytest.mark.slow


@pytest.mark.parametrize("after", [1.2, *(pytest.param(s, marks=SLOW) for s in (0.2, 0.6, 2.0, 3.0, 5.0))])
def test_while_it_starts(tmp_path, after):
    with FakeServer() as server:
        server.models = lambda handler: server.drip(handler, b"HTTP/1.1 200 OK\r\n\r\n", b" ")
        process = started("precompute", *FLAGS, "--base-url", server.url, "--out", tmp_path / "t.json")
        time.sleep(after)
        seconds, status, _ = interrupt(process)
    assert seconds < LIMIT
    assert status in (130, -signal.SIGINT)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("concurrency", [pytest.param(1, marks=SLOW), 4])
@pytest.mark.parametrize("times", [1, 2])
def test_a_server_that_only_keeps_the_connection_alive(tmp_path, concurrency, times):
    out = tmp_path / "t.json"
    with FakeServer() as server:
        answer, held = server.chat, []
        arrivals = itertools.count()  # atomic, which the length of a list of answers is not

        def chat(handler):
            if next(arrivals) < 5:
                return answer(handler)
            held.append(handler)
            handler.close_connection = True
            handler.rfile.read(int(handler.headers["Content-Length"]))
            with contextlib.suppress(OSError):  # who gives up hangs up
                server.drip(handler, b"HTTP/1.1 200 OK\r\n\r\n", b" ")

        server.chat = chat
        more = ["--concurrency", concurrency, "--base-url", server.url, "--out", out]
        process = started("precompute", *FLAGS, *more)
        wait_for(lambda: len(held) == concurrency)
        time.sleep(0.3)
        seconds, status, said = interrupt(process, times)
    assert seconds < (LIMIT if times == 1 else 1.5)
    assert status == 130
    assert "the answers are kept: --resume continues" in said
    assert "Traceback" not in said
    assert len(log_path(out).read_text().splitlines()) == 1 + len(server.bodies) == 6


def test_answers_that_come_within_a_second_are_kept(tmp_path):
    out = tmp_path / "t.json"
    with FakeServer() as server:
        answer = server.chat

        def slowly(handler):
            server.patience.wait(0.5)
            answer(handler)

        server.chat = slowly
        process = started("precompute", *FLAGS, "--base-url", server.url, "--out", out)
        wait_for(lambda: len(server.bodies) >= 4)
        time.sleep(0.2)  # the next four are under way
        seconds, status, _ = interrupt(process)
        assert (status, seconds < LIMIT) == (130, True)
        kept = [json.loads(line)["seed"] for line in log_path(out).read_text().splitlines()[1:]]
    assert sorted(kept) == sorted(body["seed"] for body in server.bodies)
    assert len(kept) >= 8
