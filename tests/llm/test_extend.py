"""A table that lacks states is extended: only they are asked about, what it said stays, nothing is lost."""

import json

import pytest

from jaxteach.llm import extend, lacking, precompute
from jaxteach.llm.extend import extension_log
from jaxteach.tasks import language
from jaxteach.teacher import load_table
from jaxteach.utils.errors import UserError
from tests.llm.fakes import FakeBackend, make_job

WORDS = language("simple_door_key")
GONE = (1, 4)


@pytest.fixture
def job():
    return make_job(samples=4, max_unparsed=1.0)


@pytest.fixture
def out(tmp_path, job):
    """A table without two of its states, as one made before they were in the vocabulary."""
    path = tmp_path / "t.json"
    precompute(job, FakeBackend(job.questions), path, "t")
    document = json.loads(path.read_text())
    document["states"] = [state for i, state in enumerate(document["states"]) if i not in GONE]
    path.write_text(json.dumps(document))
    return path


def test_the_refusal_says_how(out):
    with pytest.raises(UserError) as refused:
        load_table(out, "simple_door_key", WORDS)
    assert f"the state {WORDS.states[1].text!r} and 1 more are missing" in str(refused.value)
    assert f"--out {out} --extend" in str(refused.value)


def test_only_what_is_missing_is_asked_and_what_was_said_stays(out, job):
    before = out.read_bytes()
    part = lacking(job, out, WORDS)
    assert [question.index for question in part.questions] == list(GONE)
    backend = FakeBackend(part.questions)
    table = extend(part, backend, out, WORDS)
    assert len(backend.calls) == 4 * len(GONE)
    assert table.states == WORDS.states
    old = {state["text"]: state["plans"] for state in json.loads(before)["states"]}
    new = {state["text"]: state["plans"] for state in json.loads(out.read_text())["states"]}
    assert {text: new[text] for text in old} == old and len(new) == len(WORDS.states)
    (note,) = table.provenance["extensions"]
    assert note["states"] == [WORDS.states[i].text for i in GONE] and note["asks"] == 8
    assert load_table(out, "simple_door_key", WORDS) == table
    assert out.with_name("t.json.old").read_bytes() == before
    assert not extension_log(out).exists()  # put aside, so that another extension begins anew
    with pytest.raises(UserError, match="there is nothing to ask; leave out --extend"):
        lacking(job, out, WORDS)


def test_one_that_was_stopped_goes_on(out, job):
    part, before = lacking(job, out, WORDS), out.read_bytes()

    def stop(done, total):
        if done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extend(part, FakeBackend(part.questions), out, WORDS, stop)
    assert out.read_bytes() == before
    backend = FakeBackend(part.questions)
    extend(lacking(job, out, WORDS), backend, out, WORDS)
    assert 0 < len(backend.calls) < 8


def test_states_of_another_vocabulary_are_kept_and_never_asked_for(tmp_path, job):
    path = tmp_path / "t.json"
    whole = precompute(job, FakeBackend(job.questions), path, "t")
    document = json.loads(path.read_text())
    document["states"].append({"text": "Agent sees <box>.", "plans": []})
    path.write_text(json.dumps(document))
    table = load_table(path, "simple_door_key", WORDS)
    assert table.others == ("Agent sees <box>.",) and table.plans == whole.plans
    del document["states"][0]  # now it may be a misspelt one
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match="no state of this task"):
        load_table(path, "simple_door_key", WORDS)
