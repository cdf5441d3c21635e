"""One spelling for what models and servers spell in many ways: blanks, quotes, colons, brackets, escapes."""

import functools
import html
import re
import unicodedata

_SPELT = {
    "\u00a0": " ",
    "\u2581": "_",  # in the special tokens of DeepSeek
    "\u2018": "'",
    "\u2019": "'",
    "\u201a": "'",
    "\u201b": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u201f": '"',
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u2039\u27e8\u3008\u2329\u276c\u2770\u02c2", "<"),
    **dict.fromkeys("\u203a\u27e9\u3009\u232a\u276d\u2771\u02c3", ">"),
    **dict.fromkeys("\u2236\ua789\ua78f\u02d0", ":"),
    **dict.fromkeys("\u2192\u21d2\u27a1\u2794\u279c", "->"),
    **dict.fromkeys("\u3001\ufe51\uff64", ","),
    **dict.fromkeys("\u3002\uff61", "."),
    "\u20e3": "",  # the frame of a digit drawn as a key
    "\u0085": "\n",
}

LONGEST_SIGN = 4
"""Most characters that one sign stands for; some, such as whole invocations in Arabic, stand for 18."""

_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e]")
_CODE_POINT = re.compile(r"\\u(?!d[89a-f])([0-9a-f]{4})", re.IGNORECASE)  # half of a pair stays as it is
_ESCAPED = re.compile(r"(?<!\\)\\+(?=[!-/:-@\[\]^-`{-~])")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")


def plain(text: str) -> str:
    """Spell a text as the grammar does where that changes no meaning.

    Entities (``&lt;``) and escapes (``\\<``, ``\\u003c``) become what they stand for; full-width letters and
    signs, no-break spaces, curly quotes and other brackets with a point become ASCII; signs that show nothing
    (a byte order mark, zero-width spaces) go; every line ends in "\\n".

    Letters that only look like ASCII stay what they are: the grammar refuses them.

    Args:
        text: as it came.

    >>> plain("\\ufeffPlan\\uff1a go to &lt;key&gt;")
    'Plan: go to <key>'
    """
    bare = _CODE_POINT.sub(lambda found: chr(int(found[1], 16)), text)
    for _ in range(2):  # a page that was escaped twice
        bare = html.unescape(bare)
    bare = _FOREIGN.sub(lambda found: "".join(map(_spell, found[0])), bare)
    return _ESCAPED.sub("", _LINE_END.sub("\n", bare))


@functools.lru_cache(maxsize=4096)
def _spell(character: str) -> str:
    """One character; whole texts are not normalised, since many accents on one letter would take for ever."""
    if character in _SPELT:
        return _SPELT[character]
    category = unicodedata.category(character)
    if category in ("Zl", "Zp"):
        return "\n"
    if category == "Zs":
        return " "
    if category == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR"):
        return ""
    spelt = unicodedata.normalize("NFKC", character)
    return spelt if len(spelt) <= LONGEST_SIGN else character
