"""Answers to several states side by side: each is what it would be alone; what prompts share is read once."""

import dataclasses

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, MistralConfig, Qwen2Config

from jaxteach.llm import log_path, precompute
from jaxteach.llm.backend import Request
from jaxteach.llm.backends.decode import Copies, draw
from jaxteach.llm.backends.local import LocalBackend, LocalSettings
from jaxteach.utils.errors import UserError
from tests.llm.fakes import COLORED, make_job

SETTINGS = LocalSettings(offline=True, device="cpu", threads=1, batch=7)
JOB = make_job(COLORED)
STATES = [
    JOB.prompt.messages(JOB.facts, question.objects, question.real_state.text, "think")
    for question in JOB.questions
]


@pytest.fixture(scope="module")
def backend(tiny):
    return LocalBackend(str(tiny), SETTINGS)


def ask(backend, requests, temperature=1.0, most=30):
    replies = {}
    for made in backend.generate_many(requests, temperature, most):
        assert not set(dict(made)) & replies.keys(), "answered twice"
        replies |= dict(made)
    return [replies[number] for number in range(len(requests))]


def three_each(states):
    return [Request(state, 100 * number + seed) for number, state in enumerate(states) for seed in range(3)]


def test_states_are_asked_in_two_orders_of_their_objects():
    """So that what follows is about prompts with two beginnings, each of which many share."""
    heads = {str(state[:-1]) for state in STATES}
    assert (len(STATES), len(heads)) == (14, 2)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_does_not_depend_on_the_states_asked_beside_it(backend, temperature):
    requests = three_each(STATES)
    together = ask(backend, requests, temperature)
    assert backend._shares
    alone = [ask(backend, [request], temperature)[0] for request in requests]
    assert together == alone
    backwards = ask(backend, requests[::-1], temperature)[::-1]
    assert backwards == together
    some = [3, 17, 18, 40]
    assert ask(backend, [requests[i] for i in some], temperature) == [together[i] for i in some]
    assert len({reply.text for reply in together}) > 5


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_an_answer_does_not_depend_on_the_batch(backend, tiny, batch):
    other = LocalBackend(str(tiny), dataclasses.replace(SETTINGS, batch=batch))
    assert ask(other, three_each(STATES[:5])) == ask(backend, three_each(STATES[:5]))


def test_answers_that_end_at_different_times_make_room_for_others(backend, monkeypatch):
    monkeypatch.setattr(backend, "_end", backend._end | set(range(20, 80)))
    requests = three_each(STATES)
    together = ask(backend, requests)
    assert len({reply.tokens_out for reply in together}) > 4
    assert together == [ask(backend, [request])[0] for request in requests]


def test_long_answers_need_more_room(backend, monkeypatch):
    monkeypatch.setattr(backend, "_end", frozenset())
    requests = three_each(STATES[:3])
    together = ask(backend, requests, most=150)
    assert {reply.tokens_out for reply in together} == {150}
    assert together == [ask(backend, [request], most=150)[0] for request in requests]


def test_copies_of_the_cache_give_the_same_answers(backend, tiny):
    other = LocalBackend(str(tiny), SETTINGS)
    other._shares = False
    requests = three_each(STATES[:6])
    assert ask(other, requests) == ask(backend, requests)


def read_tokens(backend, monkeypatch):
    """Notes for every call of the model how many rows of how many tokens it reads."""
    read, model = [], backend._model

    class Counting:
        def __call__(self, tokens, **kwargs):
            read.append(tuple(tokens.shape))
            return model(tokens, **kwargs)

        def __getattr__(self, name):
            return getattr(model, name)

    monkeypatch.setattr(backend, "_model", Counting())
    return read


def test_what_prompts_share_is_read_once_for_all_states_and_answers(tiny, monkeypatch):
    backend = LocalBackend(str(tiny), SETTINGS)
    ask(backend, three_each(STATES[:1]), most=1)  # finds out what the model can do
    backend._heads._known.clear()
    read = read_tokens(backend, monkeypatch)
    ask(backend, three_each(STATES), most=4)
    prompts = [tuple(backend._encode(backend._render(state))) for state in STATES]
    beginnings = {prompt[:length] for prompt in prompts for length in range(1, len(prompt))}
    once = sum(tokens for rows, tokens in read if rows == 1 and tokens > 1)
    assert once <= 1.1 * len(beginnings), "hardly more than every distinct beginning once"
    assert once < 0.35 * sum(map(len, prompts))
    rows = [rows for rows, tokens in read if tokens == 1]
    assert max(rows) == 7 and sum(row == 7 for row in rows) > 0.8 * len(rows), "batches are full"


def test_scores_of_all_states_read_it_once_as_well(tiny, monkeypatch):
    backend = LocalBackend(str(tiny), SETTINGS)
    read = read_tokens(backend, monkeypatch)
    warm = [backend.score(state, "Plan:", (" explore", " go to <red key>")) for state in STATES]
    long = [tokens for rows, tokens in read if rows == 1 and tokens > 150]
    assert len(long) == 2, "one for each of the two beginnings"
    cold = LocalBackend(str(tiny), SETTINGS)
    cold_scores = []
    for state in STATES:
        cold._heads._known.clear()
        cold_scores += cold.score(state, "Plan:", (" explore", " go to <red key>"))
    for one, other in zip((score for row in warm for score in row), cold_scores, strict=True):
        assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-3)


def remade(tiny, folder, config):
    """The tiny model's tokenizer with another random model."""
    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


def shape(tiny):
    size = len(AutoTokenizer.from_pretrained(tiny))
    common = {"vocab_size": size, "bos_token_id": 1, "eos_token_id": 0, "initializer_range": 0.4}
    layers = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2}
    return common | layers | {"num_attention_heads": 4, "num_key_value_heads": 2}


def gpt2(tiny):
    small = {"n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": 2048}
    ends = {"bos_token_id": 1, "eos_token_id": 0, "initializer_range": 0.4}
    return GPT2Config(vocab_size=len(AutoTokenizer.from_pretrained(tiny)), **small, **ends)


@pytest.mark.parametrize(
    ("config", "shares"),
    [
        (lambda tiny: Qwen2Config(**shape(tiny)), True),
        (gpt2, True),
        (lambda tiny: MistralConfig(**shape(tiny), sliding_window=None), True),
        (lambda tiny: MistralConfig(**shape(tiny), sliding_window=50), False),
        (lambda tiny: MistralConfig(**shape(tiny), sliding_window=5000), False),
        (
            lambda tiny: Qwen2Config(
                **shape(tiny),
                max_position_embeddings=2000,
                rope_parameters={"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0},
            ),
            False,
        ),
    ],
    ids=["qwen2", "gpt2", "mistral", "window", "wide window", "dynamic positions"],
)
def test_other_models_share_where_that_is_exact_and_copy_where_not(tiny, tmp_path, config, shares):
    folder = remade(tiny, tmp_path / "model", config(tiny))
    backend = LocalBackend(str(folder), SETTINGS)
    requests = [Request(state, 1) for state in STATES[:4]]
    together = ask(backend, requests, 0.0, 12)
    assert backend._shares is shares
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    for state, reply in zip(STATES, together, strict=False):
        ids = torch.tensor([backend._encode(backend._render(state))])
        expected = model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)[0, ids.shape[1] :]
        assert reply.tokens_out == len(expected)
        whole = expected[:-1] if expected[-1] == 0 else expected
        assert reply.text == backend._tokenizer.decode(whole, skip_special_tokens=False)


def test_a_drawn_token_is_the_one_with_the_largest_noisy_logit():
    logits = 8 * torch.randn((40, 5000), generator=torch.Generator().manual_seed(0))
    for temperature in (0.1, 0.7, 5.0):
        picked = draw(logits, temperature, [torch.Generator().manual_seed(seed) for seed in range(40)])
        for seed, (row, token) in enumerate(zip(logits, picked, strict=True)):
            noise = torch.rand(5000, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
            assert token == int((row.double() / temperature - torch.log(-torch.log(noise))).argmax())


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_logits_that_are_no_numbers_are_told(temperature):
    with pytest.raises(UserError, match=r"not finite in torch\.float16: try --dtype float32"):
        draw(torch.full((1, 9), torch.nan, dtype=torch.float16), temperature, [torch.Generator()])


def test_copies_take_one_prompt_at_a_time():
    pool = Copies(None, "cpu")
    assert pool.takes("a")
    pool.add(None, "a")
    assert pool.takes("a") and not pool.takes("b")
    pool.keep([])
    assert pool.takes("b")


def test_a_resumed_run_gives_the_same_table(backend, tmp_path):
    job = make_job(COLORED, max_tokens=12, max_unparsed=1.0, samples=4)
    out = tmp_path / "t.json"
    precompute(job, backend, out, "tiny")
    whole, lines = out.read_bytes(), log_path(out).read_bytes().splitlines(keepends=True)
    for kept in (1, 8, 30, len(lines) - 1):
        out.unlink()
        log_path(out).write_bytes(b"".join(lines[:kept]))
        precompute(job, backend, out, "tiny", resume=True)
        assert out.read_bytes() == whole
