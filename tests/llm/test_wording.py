"""Wording: one spelling for what models and servers spell in many ways, without a change of meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxteach.llm.wording import plain


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("Plan\uff1a go to \uff1ckey\uff1e\uff0c explore\u3002", "Plan: go to <key>, explore."),
        ("go\u00a0to\u202f\u3000<key>", "go to  <key>"),
        ("\ufeffPlan:\u200b explore\u2060", "Plan: explore"),
        ("\u201cPlan:\u201d it\u2019s", '"Plan:" it\'s'),
        ("&lt;key&gt; &#60;key&#x3e; &amp;lt;key&amp;gt;", "<key> <key> <key>"),
        (r"\<key\> \\<key\\> \u003ckey\u003E", "<key> <key> <key>"),
        ("\u2039key\u203a \u27e8key\u27e9 \u3008key\u3009", "<key> <key> <key>"),
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("<\uff5cend\u2581of\u2581sentence\uff5c>", "<|end_of_sentence|>"),
        ("1\ufe0f\u20e3 a \u2192 b \u2013 c", "1 a -> b - c"),
    ],
)
def test_signs_become_ascii(text, spelt):
    assert plain(text) == spelt


@pytest.mark.parametrize(
    "text", ["\u0420lan: explore", "g\u043e to <key>", "\\ud83d", "Plan: use <key>", "\x00"]
)
def test_look_alike_letters_and_words_stay(text):
    assert plain(text) == text


@given(st.text(alphabet=st.characters(max_codepoint=126, exclude_characters="\\&\r\x0b\x0c\x1c\x1d\x1e")))
def test_plain_text_stays_as_it_is(text):
    assert plain(text) == text
