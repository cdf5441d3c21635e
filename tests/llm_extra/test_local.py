"""The transformers backend on a tiny random model: exact where it claims to be."""

import json
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from jaxteach.llm import log_path, make_backend, precompute
from jaxteach.llm.backends.local import LocalBackend, LocalSettings
from jaxteach.utils.errors import UserError
from tests.llm.fakes import COLORED, make_job

SETTINGS = LocalSettings(offline=True, device="cpu", threads=1)
JOB = make_job(COLORED)
MESSAGES = JOB.prompt.messages(JOB.facts, JOB.questions[0].objects, JOB.questions[3].real_state.text, "think")
OPTIONS = (" explore", " go to <red key>", " go to <blue key>", " open <blue door>", " exploreexplore")


@pytest.fixture(scope="module")
def backend(tiny):
    return LocalBackend(str(tiny), SETTINGS)


def plain(folder):
    return AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()


def log_likelihood(folder, prompt, option):
    """One option alone, without batch, padding or cache."""
    tokenizer, model = plain(folder)
    start = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    ids = tokenizer(prompt + option, add_special_tokens=False)["input_ids"]
    assert ids[: len(start)] == start
    with torch.inference_mode():
        steps = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), dim=-1)
    return sum(float(steps[i - 1, ids[i]]) for i in range(len(start), len(ids))), len(ids) - len(start)


def test_scores_are_those_of_every_option_alone(backend, tiny):
    tokenizer, _ = plain(tiny)
    prompt = tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True) + "Plan:"
    for score, option in zip(backend.score(MESSAGES, "Plan:", OPTIONS), OPTIONS, strict=True):
        expected, tokens = log_likelihood(tiny, prompt, option)
        assert score.log_likelihood == pytest.approx(expected, abs=1e-3)
        assert score.tokens == tokens


def test_scores_do_not_depend_on_the_company(backend):
    together = backend.score(MESSAGES, "Plan:", OPTIONS)
    for option, score in zip(OPTIONS, together, strict=True):
        alone = backend.score(MESSAGES, "Plan:", [option])[0]
        assert alone.log_likelihood == pytest.approx(score.log_likelihood, abs=1e-3)


def test_greedy_answers_are_those_of_transformers_own_generate(backend, tiny):
    tokenizer, model = plain(tiny)
    prompt = tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    expected = model.generate(ids, max_new_tokens=40, do_sample=False)[0, ids.shape[1] :]
    reply = backend.generate(MESSAGES, [5], 0.0, 40)[0]
    whole = expected[:-1] if expected[-1] == 0 else expected
    assert reply.text == tokenizer.decode(whole, skip_special_tokens=False)
    assert (reply.tokens_in, reply.tokens_out) == (ids.shape[1], len(expected))
    assert reply.finish == ("stop" if expected[-1] == 0 else "length")


def test_sampling_follows_the_softmax_at_its_temperature(backend, tiny):
    tokenizer, model = plain(tiny)
    prompt = tokenizer.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    with torch.inference_mode():
        logits = model(tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]).logits[
            0, -1
        ]
    chances = torch.softmax(logits / 0.5, dim=-1)
    likely = int(chances.argmax())
    n = 2000
    replies = backend.generate(MESSAGES, range(n), 0.5, 1)
    share = sum(reply.text == tokenizer.decode([likely]) for reply in replies) / n
    chance = float(chances[likely])
    assert 0.05 < chance < 0.95
    assert share == pytest.approx(chance, abs=4 * (chance * (1 - chance) / n) ** 0.5)


def test_an_answer_follows_from_its_seed_whatever_the_batch(backend):
    together = [reply.text for reply in backend.generate(MESSAGES, [1, 2, 3, 4], 1.0, 30)]
    assert len(set(together)) == 4
    assert [backend.generate(MESSAGES, [seed], 1.0, 30)[0].text for seed in (4, 2)] == [
        together[3],
        together[1],
    ]


def test_answers_that_end_early_leave_the_others_as_they_are(backend, monkeypatch):
    whole = backend.generate(MESSAGES, range(6), 1.0, 40)
    monkeypatch.setattr(backend, "_end", backend._end | set(range(20, 80)))
    together = backend.generate(MESSAGES, range(6), 1.0, 40)
    assert together == [backend.generate(MESSAGES, [seed], 1.0, 40)[0] for seed in range(6)]
    assert len({reply.tokens_out for reply in together}) > 2
    assert {reply.finish for reply in together} >= {"stop"}
    assert all(long.text.startswith(short.text) for long, short in zip(whole, together, strict=True))


def test_the_shared_beginning_changes_nothing(backend, tiny):
    other = [*MESSAGES[:-1], {"role": "user", "content": "Something else."}]
    backend.generate(other, [1], 0.0, 5)
    warm = backend.score(MESSAGES, "Plan:", OPTIONS)
    cold = LocalBackend(str(tiny), SETTINGS).score(MESSAGES, "Plan:", OPTIONS)
    assert warm == cold


@pytest.mark.parametrize("template", [None, "no system"])
def test_models_without_a_template_or_without_a_system_turn(tiny, tmp_path, template):
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    if template:
        template = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        template += tokenizer.chat_template
    tokenizer.chat_template = template
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
    backend = LocalBackend(str(folder), SETTINGS)
    assert backend.describe()["chat_template"] is (template is not None)
    text = backend._render(MESSAGES)
    assert all(message["content"] in text for message in MESSAGES)
    assert backend.generate(MESSAGES, [1], 0.7, 5)[0].tokens_out > 0


@pytest.mark.parametrize(
    "settings", [{"estimator": "score"}, {"samples": 3}, {"estimator": "verbalized", "samples": 1}]
)
def test_tables_and_resume(backend, tmp_path, settings):
    job = make_job(COLORED, max_tokens=12, max_unparsed=1.0, **settings)
    out = tmp_path / "t.json"
    table = precompute(job, backend, out, "tiny")
    whole, log = out.read_bytes(), log_path(out).read_bytes()
    log_path(out).write_bytes(log[: len(log) // 2])
    out.unlink()
    precompute(job, backend, out, "tiny", resume=True)
    assert out.read_bytes() == whole
    made = table.provenance
    assert (made["model"], made["dtype"], made["device"]) == ("tiny", "float32", "cpu")
    assert set(made["versions"]) == {"jaxteach", "python", "torch", "transformers"}
    assert len(made["weights_sha256"]) == 64
    assert str(tmp_path.parent) not in json.dumps(made)


def test_damaged_models_are_told_in_one_line(tiny, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    (tmp_path / "junk.gguf").write_bytes(b"GGUF" + b"\x00" * 200)
    for model in (folder, tmp_path / "junk.gguf"):
        with pytest.raises(UserError, match="cannot be loaded"):
            make_backend("transformers", str(model), JOB.questions, {"offline": True}, {})


def test_what_fails_inside_a_model_is_told_in_one_line(tiny, monkeypatch):
    backend = LocalBackend(str(tiny), SETTINGS)

    def no_memory(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 GiB.")

    monkeypatch.setattr(backend, "_model", no_memory)
    with pytest.raises(UserError, match=r"4 answers at a time: OutOfMemoryError: .*--batch"):
        backend.generate(MESSAGES, range(4), 0.7, 5)
    with pytest.raises(UserError, match=r"5 options at a time: OutOfMemoryError: .*--resume continues"):
        backend.score(MESSAGES, "Plan:", OPTIONS)


def test_settings_that_cannot_be_used(tiny):
    for name in ("batch", "threads"):
        with pytest.raises(UserError, match=f"--{name} is -1: it must be at least 1"):
            LocalBackend(str(tiny), LocalSettings(offline=True, **{name: -1}))
    with pytest.raises(UserError, match="--device nonsense"):
        LocalBackend(str(tiny), LocalSettings(offline=True, device="nonsense"))
    with pytest.raises(UserError, match="unknown --dtype 'int8'"):
        LocalBackend(str(tiny), LocalSettings(offline=True, dtype="int8"))
    with pytest.raises(UserError, match="in the local cache"):
        LocalBackend("some-org/some-model", LocalSettings(offline=True))
