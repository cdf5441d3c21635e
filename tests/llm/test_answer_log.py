"""The log of answers: nothing lost, nothing asked twice, other settings refused."""

import errno
import json
import os

import pytest

from jaxteach.llm import AnswerLog, answered, log_path, precompute
from jaxteach.llm.answer_log import put_aside
from jaxteach.utils.errors import UserError
from tests.llm.fakes import COLORED, FakeBackend, make_job

SETTINGS = {"model": "one", "temperature": 0.5}
RECORD = {"ask": "sample", "state": 1, "number": 0, "raw": 'a "quoted"\nanswer \ud83d'}


def filled(path):
    log = AnswerLog(path, SETTINGS)
    log.append([RECORD, RECORD | {"number": 1}])
    log.close()
    return path.read_bytes()


def reopened(path, settings=SETTINGS):
    log = AnswerLog(path, settings, resume=True)
    log.close()
    return log


def test_answers_come_back(tmp_path):
    path = tmp_path / "deep" / "log.jsonl"
    filled(path)
    log = reopened(path)
    assert log.records == {("sample", 1, 0): RECORD, ("sample", 1, 1): RECORD | {"number": 1}}
    assert ("sample", 1, 1) in log
    assert answered(path) == set(log.records)


def test_a_cut_anywhere_loses_only_what_was_cut(tmp_path):
    path = tmp_path / "log.jsonl"
    data = filled(path)
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        log = reopened(path)
        complete = max(data[:cut].count(b"\n") - 1, 0)
        assert len(log.records) == complete
        assert path.read_bytes().endswith(b"\n")
        assert len(answered(path)) == complete


def test_every_answer_is_on_disk_before_the_next_is_asked(tmp_path, monkeypatch):
    path, synced = tmp_path / "log.jsonl", []

    def note(descriptor):
        assert os.path.samestat(os.fstat(descriptor), path.stat())
        synced.append(path.read_bytes())  # what other processes see, and so what is flushed

    monkeypatch.setattr(os, "fsync", note)
    log = AnswerLog(path, SETTINGS)
    assert synced == [path.read_bytes()], "the settings"
    for number in range(3):
        log.append([RECORD | {"number": number}])
        assert len(synced) == number + 2
        assert json.loads(synced[-1].splitlines()[-1])["number"] == number
    log.close()
    assert path.read_bytes() == synced[-1]


def test_what_follows_a_cut_is_readable(tmp_path):
    path = tmp_path / "log.jsonl"
    data = filled(path)
    path.write_bytes(data[:-5])
    log = AnswerLog(path, SETTINGS, resume=True)
    log.append([RECORD | {"number": 7}])
    log.close()
    assert {key[2] for key in reopened(path).records} == {0, 7}


def test_other_settings_are_refused_and_named(tmp_path):
    path = tmp_path / "log.jsonl"
    data = filled(path)
    with pytest.raises(UserError, match=r'model was "one" and is now "two"'):
        reopened(path, SETTINGS | {"model": "two"})
    with pytest.raises(UserError, match=r"extra was null and is now 1"):
        reopened(path, SETTINGS | {"extra": 1})
    assert path.read_bytes() == data


def test_without_resume_an_existing_log_is_refused(tmp_path):
    path = tmp_path / "log.jsonl"
    data = filled(path)
    with pytest.raises(UserError, match="--resume continues it"):
        AnswerLog(path, SETTINGS)
    assert path.read_bytes() == data


HEAD = b'"state": 1, "number": 0'


@pytest.mark.parametrize(
    "line",
    [
        *(b"{", b"[1]", b'{"ask": "sample"}', b"\xff", b"7"),
        pytest.param(b"[" * 10**5, id="deep"),
        b'{"ask": "sample", %s}' % HEAD,
        b'{"ask": "think", %s, "raw": null}' % HEAD,
        b'{"ask": "score", %s, "raw": null}' % HEAD,
        b'{"ask": "score", %s, "scores": [1]}' % HEAD,
        b'{"ask": "score", %s, "scores": {"explore": 1}}' % HEAD,
        b'{"ask": "score", %s, "scores": {"explore": []}}' % HEAD,
        b'{"ask": "score", %s, "scores": {"explore": [NaN, 1]}}' % HEAD,
        b'{"ask": "score", %s, "scores": {"explore": [1%s, 1]}}' % (HEAD, b"0" * 400),
    ],
)
def test_damage_in_the_middle_is_reported_with_its_line(tmp_path, line):
    path = tmp_path / "log.jsonl"
    lines = filled(path).splitlines()
    path.write_bytes(b"\n".join([lines[0], line, lines[2]]) + b"\n")
    with pytest.raises(UserError, match=r"line 2: "):
        reopened(path)


def test_two_writers_at_once_are_told_apart(tmp_path):
    pytest.importorskip("fcntl")
    first = AnswerLog(tmp_path / "log.jsonl", SETTINGS)
    with pytest.raises(UserError, match="another run"):
        AnswerLog(tmp_path / "log.jsonl", SETTINGS, resume=True)
    first.close()


def test_a_file_system_without_locks_is_no_second_writer(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    filled(tmp_path / "log.jsonl")
    assert len(reopened(tmp_path / "log.jsonl").records) == 2


def test_logs_put_aside_do_not_replace_each_other(tmp_path):
    path = tmp_path / "log.jsonl"
    (tmp_path / "log.jsonl.old.1").mkdir()
    for content in ("first", "second", "third"):
        path.write_text(content)
        put_aside(path)
    put_aside(path)
    aside = [tmp_path / f"log.jsonl.old{i}" for i in ("", ".2", ".3")]
    assert [file.read_text() for file in aside] == ["first", "second", "third"]
    assert not path.exists()


def test_a_log_that_is_being_written_is_not_put_aside(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "log.jsonl"
    log = AnswerLog(path, SETTINGS)
    with pytest.raises(UserError, match="another run"):
        put_aside(path)
    log.close()
    assert [file.name for file in tmp_path.iterdir()] == ["log.jsonl"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        AnswerLog(tmp_path / "file" / "log.jsonl", SETTINGS)


@pytest.mark.parametrize(
    "settings", [{"samples": 4}, {"estimator": "score"}, {"estimator": "verbalized", "samples": 2}]
)
def test_resuming_after_any_cut_gives_the_same_table_and_asks_only_the_rest(tmp_path, settings):
    job = make_job(COLORED, max_unparsed=1.0, **settings)
    out = tmp_path / "table.json"
    whole = FakeBackend(job.questions)
    precompute(job, whole, out, "t")
    table, log = out.read_bytes(), log_path(out).read_bytes()
    answers = log.count(b"\n") - 1
    for cut in (0, 3, log.index(b"\n") + 1, len(log) // 3, len(log) // 2, len(log) - 1, len(log)):
        out.unlink(missing_ok=True)
        log_path(out).write_bytes(log[:cut])
        backend = FakeBackend(job.questions)
        precompute(job, backend, out, "t", resume=True)
        assert out.read_bytes() == table
        assert len(backend.calls) == answers - max(log[:cut].count(b"\n") - 1, 0)


def test_answers_serve_other_estimates_without_asking_again(tmp_path):
    job = make_job(samples=5, max_unparsed=0.0)
    out = tmp_path / "table.json"
    with pytest.raises(UserError, match="--max-unparsed"):
        precompute(job, FakeBackend(job.questions, unparsed=0.5), out, "t")
    assert not out.exists()
    asked = len(answered(log_path(out)))
    looser = make_job(samples=5, max_unparsed=1.0)
    backend = FakeBackend(job.questions, unparsed=0.5)
    table = precompute(looser, backend, out, "t", resume=True)
    assert len(backend.calls) == 30 - asked
    more = FakeBackend(job.questions, unparsed=0.5)
    precompute(make_job(samples=7, max_unparsed=1.0), more, out, "t", resume=True)
    assert len(more.calls) == 12
    assert 0 < table.provenance["unparsed"] < 1


def test_every_line_has_the_fields_promised(tmp_path):
    job = make_job(estimator="score", calibrate=True)
    out = tmp_path / "table.json"
    precompute(job, FakeBackend(job.questions), out, "t")
    header, *lines = map(json.loads, log_path(out).read_text().splitlines())
    assert header["settings"]["model"] == "fake"
    kinds = [line["ask"] for line in lines]
    assert sorted(kinds) == ["score"] * 7 + ["think"] * 6
    for line in lines:
        assert line["prompt_sha256"] == job.prompt.sha256
        assert line["seconds"] >= 0
        known = (
            {"scores", "prefill"} if line["ask"] == "score" else {"parse", "tokens_in", "tokens_out", "seed"}
        )
        assert known | {"ask", "state", "number", "caption", "raw"} <= line.keys()
