"""What a model thinks and what it answers: the markers by which models and servers keep them apart.

The spellings are those of chat templates and of servers' parsers: <think> (DeepSeek, Qwen, GLM, MiniMax and
most others), <thinking>, <thought> (EXAONE), <reasoning>, <seed:think>, [THINK] (Magistral), triangles
(Kimi), <|START_THINKING|> (Command A), <|begin_of_thought|> (OpenThinker), <|inner_prefix|> (Apertus),
<|content_thinking|> (Inkling), <unused94> (MedGemma), <|channel|>analysis (gpt-oss), <|channel>thought
(Gemma 4), "Here is my thought process:" (Granite), and <details type="reasoning"> (Open WebUI).
"""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_MARKER = re.compile(
    r"<[^<>\n]{1,160}>|\[/?[A-Za-z][A-Za-z _]{1,24}\]|\u25c1/?\w{1,24}\u25b7"
    r"|```(?:[ \t]*\w{0,24}(?=\n|$))?|here(?: i|')s my (?:thought process|response):",
    re.IGNORECASE,
)
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")

_FAMILIES = {
    **dict.fromkeys(("think", "thinks", "thinking", "thought", "thoughts", "cot"), "think"),
    **dict.fromkeys(("reason", "reasons", "reasoning", "rationale"), "reason"),
    **dict.fromkeys(("analysis", "analyse", "analyze", "analysing", "analyzing"), "analysis"),
    **dict.fromkeys(("reflect", "reflection", "reflections", "reflecting"), "reflection"),
    **dict.fromkeys(("scratch", "scratchpad", "monologue", "deliberation", "pondering", "inner"), "aside"),
}
"""Words that name a thought; a marker closes only thoughts of the same family."""

_CLOSING = {"end", "close", "stop", "suffix", "finish"}
_ANSWER = {"answer", "response", "solution", "final", "output", "text", "result"}

# Words that are common in the world, and so may name an object, count only between bars.
_ENDS = {"/s", "eos", "eot", "endoftext", "im_end", "end_of_turn", "seed:eos"}
_BARRED_ENDS = {
    *("return", "call", "eot_id", "eom_id", "eod", "end_of_text", "end_of_sentence"),
    *("end_of_turn_token", "assistant_end", "content_model_end_sampling"),
}
_TURNS = {"s", "bos", "start_of_turn", "inst", "/inst", "seed:bos"}
_BARRED_TURNS = {
    *("im_start", "start", "user", "assistant", "system", "observation", "start_header_id", "start_of_role"),
    *("start_of_turn_token", "user_token", "chatbot_token", "message_model", "message_user"),
    *("assistant_start", "user_start", "begin_of_text", "begin_of_sentence"),
}
_SILENT = {"message", "end_header_id", "end_of_role", "constrain", "im_sep", "pad"}
_EXACT = {
    "unused94": ("open", "unused"),
    "unused95": ("close", "unused"),
    "content_thinking": ("open", "channel"),
    "content_text": ("close if open", "channel"),
}

_ROLE = re.compile(r"\s*(?:assistant|model|chatbot)\b[ \t]*", re.IGNORECASE)
_CHANNEL = re.compile(r"[ \t]*(\w*)(?:[^<\n]*(?:<\|constrain\|>[^<\n]*)?<\|message\|>)?", re.IGNORECASE)
_FINAL = re.compile(r"<\|channel\|?>[ \t]*final\b", re.IGNORECASE)
# What is left of the channels of gpt-oss where a server takes their markers out.
_BARE_CHANNEL = re.compile(r"(?:analysis|commentary)(?=[A-Z\"'])")
_BARE_FINAL = "assistantfinal"


@dataclass
class Reading:
    """A text, taken apart.

    Attributes:
        pieces: what is outside thoughts, each piece with its place in the text; a marker is a line's end.
        thoughts: families of the thoughts that are still open, outermost first.
        opened: place where the outermost of them begins.
        stop: place where the turn is over: what follows is no answer; None while it is not.
        said: the pieces hold more than blanks.
        unopened: a thought ended that no marker had begun: the model's chat template begins it.
    """

    pieces: list[tuple[int, str]] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    opened: int = 0
    stop: int | None = None
    said: bool = False
    unopened: bool = False

    @property
    def answer(self) -> str:
        """All that is said outside thoughts."""
        return "".join(piece for _, piece in self.pieces)

    def places_of(self, offsets: Iterable[int]) -> list[int]:
        """Where in the text characters of the answer come from.

        Args:
            offsets: of characters in the answer, in ascending order.
        """
        places, pieces, before = [], iter(self.pieces), 0
        place, piece = next(pieces, (0, ""))
        for offset in offsets:
            while offset - before >= len(piece):
                before += len(piece)
                place, piece = next(pieces)
            places.append(place + offset - before)
        return places

    def keep(self, place: int, piece: str) -> None:
        """Add a piece of the answer."""
        if piece and not self.thoughts:
            self.pieces.append((place, piece))
            self.said = self.said or not piece.isspace()

    def begin(self, family: str, place: int) -> None:
        """A thought begins."""
        if not self.thoughts:
            self.opened = place
        self.thoughts.append(family)

    def end(self, family: str) -> None:
        """The outermost thought of a family ends; while none is open, all that was read was a thought."""
        if family in self.thoughts:
            del self.thoughts[self.thoughts.index(family) :]
        elif not self.thoughts:
            self.pieces.clear()
            self.said, self.unopened = False, True

    def end_turn(self, place: int) -> None:
        """The turn is over, unless nothing was said in it yet."""
        if self.thoughts or self.said:
            self.stop = place


def read(text: str) -> Reading:
    """Take a text apart at its markers; a thought without an end lasts to the end of the text.

    Args:
        text: plain, see `wording.plain`.

    >>> read("<think>Plan: explore?</think>Plan: open <door>").answer
    '\\nPlan: open <door>'
    >>> read("<thinking>Plan: explore? No, so").answer
    '\\n'
    """
    reading, place = Reading(), 0
    if _BARE_CHANNEL.match(text):
        head, found, _ = text.partition(_BARE_FINAL)
        if not found:
            reading.begin("channel", 0)
        place = len(head + found)
    final = _FINAL.search(text, place)
    place = final.start() if final else place
    while reading.stop is None and (marker := _MARKER.search(text, place)):
        reading.keep(place, text[place : marker.start()])
        place = _apply(reading, text, marker)
    if reading.stop is None:
        reading.keep(place, text[place:])
    return reading


def begun_thought(prompt: str) -> str:
    """The marker at the end of a prompt that begins the answer's thought, with the blanks after it; or "".

    >>> begun_thought("<|im_start|>assistant\\n<think>\\n"), begun_thought("<think></think>\\n")
    ('<think>\\n', '')
    """
    bare = prompt.rstrip()
    start = max(bare.rfind(sign) for sign in "<[\u25c1")
    marker = _MARKER.match(bare, start) if start >= 0 else None
    ends = marker is not None and marker.end() == len(bare)
    return prompt[start:] if marker and ends and _sort(marker[0])[0] == "open" else ""


def end_of(marker: str) -> str:
    """The marker that ends a thought.

    Args:
        marker: the one that begins it, as `begun_thought` finds it.

    >>> [end_of(marker) for marker in ("<think>", "[THINK]", "<|START_THINKING|>", "<|begin_of_thought|>")]
    ['</think>', '[/THINK]', '<|END_THINKING|>', '<|end_of_thought|>']
    """
    if "|" not in marker:
        return f"{marker[0]}/{marker[1:]}"
    for begins, ends in (("START", "END"), ("start", "end"), ("begin", "end"), ("prefix", "suffix")):
        marker = marker.replace(begins, ends)
    return marker


def _apply(reading: Reading, text: str, marker: re.Match[str]) -> int:
    """Follow one marker; returns where to read on."""
    start, end = marker.span()
    event, family = _sort(marker[0])
    if event == "none":
        reading.keep(start, text[start])
        return start + 1
    reading.keep(start, "\n")
    if event == "channel":
        header = _CHANNEL.match(text, end)
        name = header[1].lower() if header else ""
        if "channel" in reading.thoughts:
            reading.end("channel")
        if name != "final":
            reading.begin("channel", start)
        return header.end() if header else end
    if event == "open":
        reading.begin(family, start)
    elif event == "close" or family in reading.thoughts:  # the latter is also a message that ends
        reading.end(family)
    elif event in ("stop", "turn"):
        reading.end_turn(start)
        role = _ROLE.match(text, end) if event == "turn" else None
        end = role.end() if role else end
    elif event == "plan":
        reading.keep(start, "Plan: ")
    return end


@functools.lru_cache(maxsize=4096)
def _sort(marker: str) -> tuple[str, str]:
    """What a marker does ("none": it is none), and to thoughts of which family."""
    if marker.startswith("```"):
        word = marker[3:].strip().lower()
        if word:
            return ("open", "fence") if word in _FAMILIES else ("silent", "")
        return "close if open", "fence"
    if marker[0] in "hH":
        return ("open" if "thought" in marker.lower() else "close"), "here"
    inner = marker[1:-1]
    barred = inner.startswith("|") or inner.endswith("|")
    name, _, rest = inner.strip("|").strip().partition(" ")
    if barred or marker[0] == "[":
        name, rest = "_".join([name, *rest.split()]), ""
    low = name.lower()
    pieces = [piece.lower() for piece in _PIECE.findall(name)]
    if low.removeprefix("/") == "details":
        return _sort_details(low, rest)
    if rest and "=" not in rest and rest != "/":
        return "none", ""
    if low in _EXACT:
        return _EXACT[low]
    if low == "channel" and barred:
        return ("channel", "") if inner.startswith("|") else ("close", "channel")
    if low == "turn" and barred:
        return ("turn", "") if not inner.endswith("|") else ("stop", "")
    if barred and low in ("end", "end_message"):
        return "stop", "channel"
    if low in _ENDS or (barred and low in _BARRED_ENDS):
        return "stop", ""
    if low in _TURNS or (barred and low in _BARRED_TURNS):
        return "turn", ""
    families = [_FAMILIES[piece] for piece in pieces if piece in _FAMILIES]
    if families and "no" not in pieces and rest != "/" and not low.endswith("/"):
        closes = low.startswith("/") or not _CLOSING.isdisjoint(pieces)
        return ("close" if closes else "open"), families[-1]
    if pieces and pieces[-1] == "plan":
        return ("silent" if low.startswith("/") else "plan"), ""
    known = families or not _ANSWER.isdisjoint(pieces) or (barred and low in _SILENT)
    return ("silent" if known else "none"), ""


def _sort_details(name: str, attributes: str) -> tuple[str, str]:
    """The element that a web page folds up; it holds a thought where its attributes say so."""
    if name.startswith("/"):
        return "close if open", "details"
    thoughtful = any(piece.lower() in _FAMILIES for piece in _PIECE.findall(attributes))
    return ("open" if thoughtful else "silent"), "details" if thoughtful else ""
