"""Thoughts: what only was thought is no answer, however it is marked."""

import pytest

from jaxteach.llm.thoughts import begun_thought, end_of, read
from jaxteach.llm.wording import plain

THOUGHT = "\nPlan: drop <key>\nNo, nothing is held.\n"
ANSWER = "Plan: explore"
GPT_OSS = "<|start|>assistant<|channel|>final<|message|>"

MARKED = [
    *((f"<{name}>", f"</{name}>") for name in ("think", "thinking", "thought", "reasoning", "reason")),
    *((f"<{name}>", f"</{name}>") for name in ("analysis", "reflection", "scratchpad", "inner_monologue")),
    *(
        (f"<{name}>", f"</{name}>")
        for name in ("THINK", "seed:think", "antThinking", "think_never_used_51bce")
    ),
    ('<think duration="3">', "</think >"),
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>\n<|begin_of_solution|>"),
    ("<\uff5cbegin\u2581of\u2581thinking\uff5c>", "<\uff5cend\u2581of\u2581thinking\uff5c>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|content_thinking|>", "<|end_message|><|message_model|><|content_text|>"),
    ("<unused94>thought", "<unused95>"),
    ("<|channel|>analysis<|message|>", f"<|end|>{GPT_OSS}"),
    ("<|start|>assistant<|channel|>commentary to=x <|constrain|>json<|message|>", f"<|call|>{GPT_OSS}"),
    ("<|channel>thought", "<channel|>"),
    ("analysisWe need", "assistantfinal"),
    ("Here is my thought process:", "Here is my response:"),
    ("Here\u2019s my thought process:", "Here\u2019s my response:"),
    ('<details type="reasoning" done="true">\n<summary>Thought</summary>', "</details>"),
    ("```thinking", "```"),
    ("&lt;think&gt;", "&lt;/think&gt;"),
]
MARKERS = pytest.mark.parametrize(("begins", "ends"), MARKED)


def said(text):
    return read(plain(text)).answer.strip()


@MARKERS
def test_a_thought_is_left_out(begins, ends):
    assert said(f"{begins}{THOUGHT}{ends}{ANSWER}") == ANSWER
    assert said(f"{begins}{THOUGHT}{ends}\n\n{ANSWER}<|im_end|>") == ANSWER


@MARKERS
def test_a_thought_that_was_cut_off_is_one_to_the_end(begins, ends):
    assert said(f"{begins}{THOUGHT}So") == ""
    assert said(f"{begins}{THOUGHT}{ends}") == ""


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        pair
        for pair in MARKED
        if not pair[1].endswith(("assistantfinal", "</details>", "```", "<|content_text|>"))
    ],
)
def test_a_thought_that_the_template_began_is_left_out(begins, ends):
    assert said(f"{THOUGHT}{ends}{ANSWER}") == ANSWER


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>a<think>b</think>c</think>Plan: explore", "Plan: explore"),
        ("<think>I use <think> tags.</think>Plan: explore", "Plan: explore"),
        ("<think>a<reasoning>b</reasoning>Plan: drop <key>\nNo", ""),
        ("<think>a</thinking>Plan: explore", "Plan: explore"),
        ("<think>a</think>b<think>c</think>Plan: explore", "b\nPlan: explore"),
        ("Plan: explore\n<think>Is it? Yes.</think>", "Plan: explore"),
        ("Plan: explore</think>", ""),
        ("<answer>Plan: explore</answer>", "Plan: explore"),
        ("```text\nPlan: explore\n```", "Plan: explore"),
        (
            "<|im_start|>assistant\nPlan: explore<|im_end|>\n<|im_start|>user\nPlan: open <door>",
            "Plan: explore",
        ),
        ("<s>Plan: explore</s>Plan: open <door>", "Plan: explore"),
        ("<start_of_turn>model\nPlan: explore<end_of_turn>", "Plan: explore"),
        ("Plan: explore<|end|><|user|>", "Plan: explore"),
        ("<no_think>Plan: explore", "Plan: explore"),
        ("<think/>Plan: explore", "Plan: explore"),
        ("I <think> so", "I"),
        (
            "go to <red key>, <final door>, <key>, [key], <start>",
            "go to <red key>, <final door>, <key>, [key], <start>",
        ),
    ],
)
def test_markers_in_odd_places(text, answer):
    assert said(text) == answer


def test_a_thought_that_no_marker_began_is_noticed():
    assert read("A key, so</think>Plan: explore").unopened
    assert not read("<think>A key.</think>Plan: explore").unopened


@pytest.mark.parametrize(
    ("prompt", "begun", "ends"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>\n", "</think>"),
        ("Answer <key>: [THINK]", "[THINK]", "[/THINK]"),
        ("<|CHATBOT_TOKEN|><|START_THINKING|>", "<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|inner_prefix|>", "<|inner_prefix|>", "<|inner_suffix|>"),
        ("\u25c1think\u25b7", "\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ],
)
def test_a_prompt_can_begin_the_thought(prompt, begun, ends):
    assert begun_thought(prompt) == begun
    assert end_of(begun.strip()) == ends


@pytest.mark.parametrize(
    "prompt", ["", "Answer:", "<|im_start|>assistant\n", "<think>\n\n</think>\n\n", "see <key>"]
)
def test_a_prompt_that_begins_no_thought(prompt):
    assert begun_thought(prompt) == ""
