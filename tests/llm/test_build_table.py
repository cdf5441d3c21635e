"""From answers to a table: estimators, masks, limits and provenance, with backends that need no model."""

import time

import pytest

from jaxteach.llm import Settings, answered, log_path, precompute, quality
from jaxteach.llm.backend import Reply, Score
from jaxteach.llm.backends.rule import RuleBackend
from jaxteach.tasks.language import Option
from jaxteach.teacher import load_table
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper import rules
from jaxteach.worlds.minigrid.paper.rules import admissible
from tests.llm.fakes import COLORED, SIMPLE, VOCABULARIES, FakeBackend, Saying, make, make_job


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
@pytest.mark.parametrize("estimator", ["sample", "verbalized", "score"])
def test_the_ideal_rule_is_sensible_by_every_estimator(tmp_path, vocabulary, estimator):
    job = make_job(vocabulary, estimator=estimator, samples=1)
    q = quality(make(tmp_path, job, RuleBackend("ideal", job.questions)), rules)
    assert (q.sensible, q.accuracy, q.unparsed) == pytest.approx((1, 1, 0))


def test_the_uniform_rule_is_uniform(tmp_path):
    job = make_job(SIMPLE, estimator="score")
    table = make(tmp_path, job, RuleBackend("uniform", job.questions))
    assert [round(plan.probability, 4) for plan in table.plans[0]] == [0.1667] * 6
    sampled = make_job(SIMPLE, samples=600)
    (tmp_path / "t.json").unlink()
    log_path(tmp_path / "t.json").unlink()
    table = make(tmp_path, sampled, RuleBackend("uniform", job.questions))
    assert all(60 < plan.count < 140 for plans in table.plans for plan in plans)


def test_what_is_saved_loads_as_it_was_built(tmp_path):
    job = make_job(COLORED, samples=7)
    table = make(tmp_path, job, FakeBackend(job.questions))
    loaded = load_table(tmp_path / "t.json", "simple_door_key", COLORED.language)
    assert (loaded.name, loaded.states, loaded.provenance) == ("mine", table.states, table.provenance)
    assert loaded.sha256 == table.sha256
    for ours, theirs in zip(table.plans, loaded.plans, strict=True):
        assert [(p.options, p.count) for p in ours] == [(p.options, p.count) for p in theirs]
        assert [p.probability for p in ours] == pytest.approx([p.probability for p in theirs], abs=1e-5)
        assert sum(p.count for p in theirs) == 7


def test_answers_in_real_colours_become_canonical(tmp_path):
    job = make_job(COLORED, samples=1, max_unparsed=1.0)
    table = make(tmp_path, job, Saying(job.questions, "Plan: go to <red key>"))
    by_state = {s.text: plans[0].options[0] for s, plans in zip(table.states, table.plans, strict=True)}
    assert by_state["Agent sees <nothing>, holds <nothing>."] == Option("go to", "c2 key")
    assert by_state["Agent sees <c1 key>, <c2 door>, holds <nothing>."] == Option("go to", "c1 key")
    assert by_state["Agent sees <c1 key>, holds <c2 key>."] == Option("go to", "c1 key")


@pytest.mark.parametrize("estimator", ["sample", "verbalized"])
def test_too_many_unparsed_answers_fail_with_the_text_and_the_remedy(tmp_path, estimator):
    job = make_job(estimator=estimator)
    with pytest.raises(UserError) as failed:
        make(tmp_path, job, Saying(job.questions, "Well,\x1b it\ndepends.", finish="length"))
    said = str(failed.value)
    assert "100% of the answers are no plan" in said
    assert "'Well,? it depends.'" in said
    assert "cut off at --max-tokens" in said
    assert "--resume --max-unparsed 1" in said
    assert not (tmp_path / "t.json").exists()


def test_unparsed_answers_within_the_limit_become_waiting_and_are_counted(tmp_path):
    job = make_job(samples=30, max_unparsed=0.6)
    table = make(tmp_path, job, FakeBackend(job.questions, unparsed=0.3))
    assert 0.15 < table.provenance["unparsed"] < 0.45
    assert any(p.options[0] == Option("wait", raw="I am only a small model.") for p in table.plans[0])


def test_the_mask_leaves_only_admissible_plans_and_is_recorded(tmp_path):
    job = make_job(COLORED, estimator="score", mask_inadmissible=True)
    table = make(tmp_path, job, FakeBackend(job.questions))
    for state, plans in zip(table.states, table.plans, strict=True):
        assert {plan.options[0] for plan in plans} == admissible(state)
        assert sum(plan.probability for plan in plans) == pytest.approx(1, abs=1e-5)
    assert table.provenance["sampling"]["mask_inadmissible"] is True


def test_what_was_not_understood_is_counted_before_the_mask(tmp_path):
    plain = make_job(samples=30, max_unparsed=0.6)
    masked = make_job(samples=30, max_unparsed=0.6, mask_inadmissible=True)
    out = tmp_path / "t.json"
    before = precompute(plain, FakeBackend(plain.questions, unparsed=0.3), out, "t")
    after = precompute(masked, FakeBackend(plain.questions), out, "t", resume=True)
    assert before.provenance["unparsed"] == after.provenance["unparsed"] > 0.15
    assert quality(after, rules).unparsed == 0


def test_a_mask_that_leaves_nothing_fails(tmp_path):
    job = make_job(samples=1, mask_inadmissible=True)
    with pytest.raises(UserError, match="the mask leaves none"):
        make(tmp_path, job, Saying(job.questions, "Plan: drop <key>"))


def test_calibration_asks_once_more_and_changes_the_table(tmp_path):
    plain = make_job(estimator="score", think=False)
    calibrated = make_job(estimator="score", think=False, calibrate=True)
    one, other = FakeBackend(plain.questions), FakeBackend(plain.questions)
    before = precompute(plain, one, tmp_path / "a.json", "t")
    after = precompute(calibrated, other, tmp_path / "b.json", "t")
    assert len(other.calls) == len(one.calls) + 1
    assert before.plans != after.plans
    assert "Agent sees <something>" in str(other.prompts)
    assert "Agent sees <something>" not in str(one.prompts)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_scores_can_be_calibrated_afterwards(tmp_path, concurrency):
    out = tmp_path / "t.json"
    plain = make_job(estimator="score")
    precompute(plain, FakeBackend(plain.questions), out, "t")
    job = make_job(estimator="score", calibrate=True)
    backend = FakeBackend(job.questions, concurrency=concurrency)
    later = precompute(job, backend, out, "t", resume=True)
    assert len(backend.calls) == 1
    at_once = precompute(job, FakeBackend(job.questions, concurrency), tmp_path / "other.json", "t")
    assert later.sha256 == at_once.sha256


def test_thoughts_are_greedy_and_the_state_left_unsaid_gets_none(tmp_path):
    job = make_job(estimator="score", calibrate=True, temperature=0.9)
    backend = FakeBackend(job.questions)
    make(tmp_path, job, backend)
    assert backend.temperatures == {0.0}
    unsaid = [str(prompt) for prompt in backend.prompts if "Agent sees <something>" in prompt[-1]["content"]]
    assert len(unsaid) == 1
    assert "Thought" not in unsaid[0]
    sampling = FakeBackend(job.questions)
    precompute(make_job(temperature=0.9), sampling, tmp_path / "s.json", "t")
    assert sampling.temperatures == {0.9}


@pytest.mark.parametrize(("limit", "passes"), [(0.2, True), (0.19, False)])
def test_the_limit_on_unparsed_answers_is_the_largest_share_allowed(tmp_path, limit, passes):
    class OneInFive(FakeBackend):
        def generate(self, messages, seeds, temperature, max_tokens):
            self.calls += [("generate", seed) for seed in seeds]
            return [Reply("Plan: explore" if len(self.calls) % 5 else "Hm.") for _ in seeds]

    job = make_job(samples=5, max_unparsed=limit)
    backend = OneInFive(job.questions, batch=1)
    if passes:
        assert make(tmp_path, job, backend).provenance["unparsed"] == pytest.approx(0.2)
    else:
        with pytest.raises(UserError, match="20% of the answers are no plan"):
            make(tmp_path, job, backend)


def test_after_an_error_what_was_under_way_is_kept(tmp_path):
    class OneFails(FakeBackend):
        def generate(self, messages, seeds, temperature, max_tokens):
            self.calls += [("generate", seed) for seed in seeds]
            if len(self.calls) == 1:
                time.sleep(0.1)
                raise UserError("no more")
            time.sleep(0.4)
            return [Reply("Plan: explore") for _ in seeds]

    job = make_job()
    backend = OneFails(job.questions, concurrency=3, batch=1)
    with pytest.raises(UserError, match="no more"):
        make(tmp_path, job, backend)
    assert len(answered(log_path(tmp_path / "t.json"))) == len(backend.calls) - 1 >= 2
    assert backend.stopped


@pytest.mark.parametrize("plan", ["Plan: explore", "**Plan:** explore", "- plan : explore"])
def test_scores_follow_one_greedy_thought_cut_before_its_plan(tmp_path, plan):
    prefills = []

    class Noting(Saying):
        def score(self, messages, prefill, options):
            prefills.append((prefill, tuple(options)))
            return [Score(0.0, 1) for _ in options]

    job = make_job(estimator="score")
    make(tmp_path, job, Noting(job.questions, f"Thought: hm.\n{plan}\nPlan: open <door>"))
    assert {prefill for prefill, _ in prefills} == {"Thought: hm.\nPlan:"}
    assert prefills[0][1][:2] == (" explore", " go to <key>")


def test_without_thinking_nothing_is_generated(tmp_path):
    job = make_job(estimator="score", think=False)
    backend = FakeBackend(job.questions)
    make(tmp_path, job, backend)
    assert {kind for kind, _ in backend.calls} == {"score"}
    assert "Thought:" not in str(backend.prompts)


def test_provenance_says_how_it_was_made_and_not_when(tmp_path):
    job = make_job(samples=2, temperature=0.5, seed=3)
    made = make(tmp_path, job, Saying(job.questions, "Plan: explore")).provenance
    assert made["sampling"] == {
        "max_tokens": 160,
        "think": True,
        "examples": 3,
        "samples": 2,
        "temperature": 0.5,
        "seed": 3,
        "mask_inadmissible": False,
    }
    assert (made["asks"], made["estimator"], made["served_by"]) == (12, "sample", ["m-2026"])
    assert made["prompt_sha256"] == job.prompt.sha256


def test_concurrent_answers_give_the_table_of_answers_one_by_one(tmp_path):
    job = make_job(samples=9)
    one = precompute(job, FakeBackend(job.questions, concurrency=1, batch=9), tmp_path / "a.json", "t")
    many = precompute(job, FakeBackend(job.questions, concurrency=5, batch=1), tmp_path / "b.json", "t")
    assert one.sha256 == many.sha256


def test_another_seed_gives_other_answers(tmp_path):
    tables = []
    for seed in (0, 1):
        job = make_job(samples=5, seed=seed)
        tables.append(precompute(job, FakeBackend(job.questions), tmp_path / f"{seed}.json", "t"))
    assert tables[0].plans != tables[1].plans


@pytest.mark.parametrize(
    "wrong",
    [
        {"samples": 0},
        {"samples": -3},
        {"max_tokens": 0},
        {"temperature": -0.1},
        {"temperature": float("inf")},
        {"temperature": float("nan")},
        {"seed": -1},
        {"examples": -1},
        {"score_temperature": 0.0},
        {"score_temperature": float("nan")},
        {"max_unparsed": 1.5},
        {"estimator": "sample", "calibrate": True},
    ],
)
def test_settings_out_of_range(wrong):
    with pytest.raises(UserError, match="--"):
        Settings(**{"estimator": "score", **wrong}).check()


def test_a_capability_that_is_missing_is_an_error(tmp_path):
    job = make_job(estimator="score", think=True)
    backend = FakeBackend(job.questions)
    backend.capabilities = frozenset({"score"})
    with pytest.raises(UserError, match="the fake backend cannot generate"):
        make(tmp_path, job, backend)
    assert not backend.calls
    assert not log_path(tmp_path / "t.json").exists()


def test_the_rule_backend_answers_its_own_captions_only():
    backend = RuleBackend("ideal", SIMPLE.questions)
    with pytest.raises(UserError, match="finds no caption"):
        backend.generate([{"role": "user", "content": "Agent sees <lava>, holds <nothing>."}], [1], 0, 1)
    with pytest.raises(UserError, match="did you mean 'ideal'"):
        RuleBackend("idea", SIMPLE.questions)
