"""How long a run would take, said without loading the model."""

import re

import pytest
import torch

from jaxteach import precompute
from jaxteach.llm import Work, log_path, work_of
from jaxteach.llm.backends.effort import NotKnownError, seconds, time_in_words
from jaxteach.llm.backends.local import LocalBackend, LocalSettings
from jaxteach.utils.errors import UserError
from tests.commands import apart
from tests.llm.fakes import COLORED, make_job

SETTINGS = {"offline": True, "device": "cpu", "threads": 1}


def test_more_work_takes_longer(tiny):
    def usual(*work):
        return seconds(str(tiny), LocalSettings(**SETTINGS), Work(*work))

    short, long = usual(500, 640, 40, 160, 0)
    assert 0 < short < long
    assert usual(500, 6400, 40, 160, 0)[0] > 2 * short
    assert usual(0, 0, 0, 0, 0) == (0, 0)
    reading = usual(0, 0, 0, 0, 5000)
    assert reading[0] == reading[1] > 0


def test_the_model_is_counted_and_not_loaded(tiny, monkeypatch):
    from jaxteach.llm.backends.weights import find_weights

    backend = LocalBackend(str(tiny), LocalSettings(**SETTINGS))
    assert find_weights(str(tiny), None, True).count() == sum(p.numel() for p in backend._model.parameters())
    monkeypatch.setattr(torch.nn.Module, "__init__", None)  # no model can be made
    said = time_in_words(str(tiny), SETTINGS, work_of(make_job(COLORED, samples=20)))
    number = r"[\d.]+ (s|min|h)"
    assert re.fullmatch(
        rf"time: about {number} if answers are as long as the prompt's examples, {number} if all are cut off "
        r"at --max-tokens; loading the model comes before",
        said,
    )
    scores = time_in_words(str(tiny), SETTINGS, work_of(make_job(estimator="score", think=False)))
    assert re.fullmatch(rf"time: about {number}; loading the model comes before", scores)


@pytest.mark.parametrize(
    ("model", "settings", "says"),
    [
        ("no-such", {}, "no model at no-such"),
        ("", {"batch": 0}, "--batch is 0"),
        ("", {"threads": -1}, "--threads is -1"),
        ("", {"device": "nonsense"}, "--device nonsense"),
        ("", {"dtype": "int8"}, "unknown --dtype 'int8'"),
    ],
)
def test_what_a_run_would_refuse_is_refused(tiny, model, settings, says):
    with pytest.raises(UserError, match=says):
        time_in_words(model or str(tiny), SETTINGS | settings, work_of(make_job()))


def test_a_model_that_has_to_be_fetched_first_is_not_fetched():
    with pytest.raises(NotKnownError, match="in the local cache"):
        seconds("some-org/some-model", LocalSettings(device="cpu"), work_of(make_job()))


def test_files_that_do_not_say_how_large_they_are_are_not_opened(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.bin").write_bytes(b"not even weights")
    with pytest.raises(NotKnownError, match="say how many weights they hold"):
        seconds(str(tmp_path), LocalSettings(device="cpu"), work_of(make_job()))


def test_the_command_says_calls_tokens_and_time(tiny, tmp_path):
    out = tmp_path / "t.json"
    flags = ["--task", "simple_door_key", "--model", tiny, "--threads", 1, "--out", out, "--dry-run"]
    done = apart("precompute", *flags)
    assert done.status == 0, done.err
    calls, time = done.out.splitlines()
    assert calls.startswith("12 calls for 6 states (0 answered already), about ")
    assert time.startswith("time: about ")
    assert not out.exists() and not log_path(out).exists()
    assert precompute.Options(task="t", out=out).batch == LocalSettings().batch
