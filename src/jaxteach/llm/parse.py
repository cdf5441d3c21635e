"""From an LLM's free text to plans: find the line meant, then hand it to the strict grammar."""

import functools
import itertools
import math
import re
from collections.abc import Sequence

from jaxteach.llm.thoughts import Reading, read
from jaxteach.llm.wording import plain
from jaxteach.tasks.language import Option, Question
from jaxteach.teacher import parse_plan
from jaxteach.utils.errors import one_line

MAX_OPTIONS = 8
"""Options kept of one plan. A plan is asked anew at every step: later ones are hardly ever reached."""

MAX_RAW = 160
"""Characters kept of words that are no plan."""

LONGEST = 65_536
"""Characters of an answer that are read; a server can send anything."""

NEAR = 0.02
"""How far stated probabilities may be from summing to 1 (or 100) and still be a whole list."""

# Each blank must match in one way only, or an all-blank answer backtracks catastrophically.
_DRESS = r"[ \t*_#>`\-+~\u2022\"'({\[|]*"
_NUMBER = r"\(?\d{1,3}[.):]+(?!\d)"
_WORDS = (
    r"(?:(?:final|my|our|the|a|so|here|is|here's|then|thus|hence|therefore|answer|output|result|response|"
    r"solution|actually|wait|ok|okay|revised|updated|corrected|new|better|best|optimal|proposed|complete|"
    r"full|overall|step \d{1,3})\b[ \t*_,;:.!\-]*){0,5}"
)
_PLAN = re.compile(
    rf"{_DRESS}(?:{_NUMBER}{_DRESS})?{_WORDS}plan\b[ \t*_`\"')\]]*(?:(?:is|are)\b[ \t]*)?(->|[:=\-]|$)(.*)",
    re.IGNORECASE,
)
_LATER_PLAN = re.compile(  # in the middle of a line; one in quotes only talks of plans, unless it is JSON's
    r"(?:(?<![\"'`\w])(?:Plan|PLAN)|(?<=\")[Pp]lan(?=\"))[*_`\"' \t]*:"
)
_ANSWER = re.compile(
    r"(?:final[ \t]+)?(?:answer|output|response|solution|result)[ \t*_]*:(.*)", re.IGNORECASE
)
_NEXT_QUESTION = re.compile(rf"{_DRESS}(?:question|user|human|instruction)\b[ \t*_]*:", re.IGNORECASE)
_WEIGHED = re.compile(
    rf"{_DRESS}(?:{_NUMBER}[ \t]+)?(?:(?:probability|prob|p)\b[ \t]*[=:]?[ \t]*)?"
    r"(\d+(?:[.,]\d+)?|\.\d+)[ \t]*(?:(%)[ \t]*)?(?:[)\]\"'][ \t]*)?[:\-](.+)",
    re.IGNORECASE,
)
_ITEM = re.compile(rf"(?:step[ \t]{{0,3}})?{_NUMBER}[ \t]*", re.IGNORECASE)
_ENDS = " \t*_#`\"'~\u2022+(){}[].:!-"
"""Signs at the ends of an option that are dress."""
_BETWEEN = re.compile(r"[,;]|[\-=]>")

Options = tuple[Option, ...]


def read_plan(text: str, question: Question, cut: bool = False) -> Options:
    """The plan in a free answer: the last that it states after "Plan:", or the last line if that is a plan.

    What a model only thinks (see `thoughts`) states no plan, and what follows when a model continues to ask
    itself the next question states none of this answer's.

    Only the dress is taken off (spelling of signs, case, markdown, numbering, a full stop); the words must be
    the grammar's.

    Args:
        text: the answer.
        question: whose verbs and names a plan may use.
        cut: the answer was cut off: its last plan counts only if what states it is whole.

    Returns:
        At least one option; a single wait with the raw words if no plan is found.

    >>> from jaxteach.tasks.language import NamedState, plain_language
    >>> (question,) = plain_language((NamedState("A key."),), (Option("go to", "key"),)).questions
    >>> [option.text for option in read_plan("A key!\\n**Plan:** Go to <key>, use <key>.", question)]
    ['go to <key>', 'use <key>']
    """
    lines = _answer_lines(read(plain(text)))
    return _stated(lines, question, cut) or (Option("wait", raw=one_line(text, MAX_RAW)),)


def read_weighed_plans(text: str, question: Question, cut: bool = False) -> list[tuple[Options, float]]:
    """The plans in a verbalised answer, each with the probability stated for it.

    Of several lists, each of which sums to 1, the last one counts.

    Args:
        text: the answer: lines such as ``0.7: go to <key>, pick up <key>`` or ``70%: explore``.
        question: whose verbs and names a plan may use.
        cut: the answer was cut off: a line that is not whole is no plan, and neither is what its list lacks.

    Returns:
        Plans and probabilities that sum to 1, in the order written; a single wait if no line gives a usable
        figure.
    """
    unread = (Option("wait", raw=one_line(text, MAX_RAW)),)
    lines = _answer_lines(read(plain(text)))
    weighed = []
    for number, words, weight in _last_list(_weighed_blocks(lines), cut):
        broken = cut and number == len(lines) - 1
        weighed.append((unread if broken else _options(words, question), weight))
    lacking = 1 - sum(weight for _, weight in weighed) if cut else 0.0
    if lacking > NEAR:
        weighed.append((unread, lacking))
    if not weighed:
        return [(unread, 1.0)]
    largest = max(weight for _, weight in weighed)  # divided out first: a sum of huge figures is infinite
    total = sum(weight / largest for _, weight in weighed)
    return [(options, weight / largest / total) for options, weight in weighed]


def thought_of(text: str) -> str:
    """A thought without the plan that follows it, nor those it took back.

    What is marked as a thought stays where it ends. One that was cut off is left out: whatever is put after
    it would be part of it.

    >>> thought_of("Thought: a key!\\n**Plan:** Go to <key>.")
    'Thought: a key!'
    """
    bare = plain(text)
    reading = read(bare)
    end = reading.opened if reading.thoughts else len(bare) if reading.stop is None else reading.stop
    offset, offsets = 0, []
    for line in _answer_lines(reading):
        if found := _statement(line):
            offsets += [offset + found[0], offset + len(line) - 1]
        offset += len(line) + 1
    kept, place = "", 0
    for start, last in itertools.batched(reading.places_of(offsets), 2):
        kept, place, end = f"{kept}{bare[place:start]}", last + 1, start
    return (kept if offsets else bare[:end]).strip()


@functools.lru_cache(maxsize=4096)
def closes_unopened(text: str) -> bool:
    """Whether an answer ends a thought that it did not begin: the model's chat template begins it.

    >>> closes_unopened("A key, so</think>Plan: open <door>"), closes_unopened("<think></think>Plan: explore")
    (True, False)
    """
    return read(plain(text)).unopened


def is_rejected(option: Option) -> bool:
    """Whether an option is words that the grammar refused."""
    return option.raw is not None


def _answer_lines(reading: Reading) -> list[str]:
    """The lines of an answer that are read; all but the last one are whole."""
    return reading.answer[:LONGEST].split("\n")


def _statement(line: str) -> tuple[int, str, bool] | None:
    """Where a line states its last plan, and the words; false if only the words can tell that it does."""
    label, later = _PLAN.match(line), [found.span() for found in _LATER_PLAN.finditer(line)]
    if label and (not later or later[-1][1] <= label.start(2)):
        return 0, label[2], label[1] == ":"
    return (later[-1][0], line[later[-1][1] :], True) if later else None


def _stated(lines: Sequence[str], question: Question, cut: bool) -> Options:
    """The last plan stated; nothing if there is none, or if it was cut off."""
    whole = lines[:-1] if cut else lines
    found: tuple[Options, int] | None = None
    for number, line in enumerate(lines):
        if found and _NEXT_QUESTION.match(line):
            break
        if statement := _statement(line):
            options, last = _continued(whole, number, statement[1], question)
            if statement[2] or _is_plan(options):
                found = options, last
    if found:
        return found[0] if not cut or found[1] < len(whole) else ()
    said = [number for number, line in enumerate(lines) if line.strip()]
    if not said or (cut and said[-1] == len(whole)):
        return ()
    answer = _ANSWER.match(lines[said[-1]])
    options = _options(answer[1] if answer else lines[said[-1]], question)
    return options if _is_plan(options) else ()


def _continued(lines: Sequence[str], number: int, words: str, question: Question) -> tuple[Options, int]:
    """A plan that may continue in the lines below, and the number of the line that must be whole for it."""
    begun = _options(words, question) if words.strip(f"{_ENDS},") else ()
    if begun and not words.rstrip().endswith(","):
        return begun, number
    listed = numbered = False
    for below in range(number + 1, len(lines)):
        line = lines[below].strip()
        if not line and begun and not listed:
            return begun, below
        if not line:
            continue
        more, item = _options(line, question), bool(_ITEM.match(line))
        if not _is_plan(more) and not (numbered and item):
            return begun or more, below
        begun, numbered, listed = (begun + more)[:MAX_OPTIONS], item, item or line[0] in "-*+\u2022"
    return begun or _options("", question), len(lines)


def _is_plan(options: Options) -> bool:
    """Whether the grammar took every word."""
    return bool(options) and not any(is_rejected(option) for option in options)


def _weighed_blocks(lines: Sequence[str]) -> list[list[tuple[int, str, float]]]:
    """Number, words and figure of every line that states a figure; other words begin another block."""
    blocks: list[list[tuple[int, str, float]]] = [[]]
    for number, line in enumerate(lines):
        found = _WEIGHED.match(re.sub(r"[*_`]", "", line))
        if found:
            weight = float(found[1].replace(",", ".")) / (100 if found[2] else 1)
            plan = _PLAN.match(found[3].strip())
            if weight > 0 and math.isfinite(weight):
                blocks[-1].append((number, plan[2] if plan else found[3], weight))
        elif line.strip() and blocks[-1]:
            if _NEXT_QUESTION.match(line):
                break
            blocks.append([])
    return blocks


def _last_list(blocks: Sequence[list[tuple[int, str, float]]], cut: bool) -> list[tuple[int, str, float]]:
    """Blocks that sum to 1 are a list: the last, or one that was cut off after it; all if there is none."""
    last: list[tuple[int, str, float]] = []
    begun: list[tuple[int, str, float]] = []
    total = 0.0
    for block in blocks:
        begun += block
        total += sum(weight for _, _, weight in block)
        if abs(total - 1) <= NEAR or abs(total / 100 - 1) <= NEAR:
            last, begun, total = begun, [], 0.0
    return begun if begun and (cut or not last) else last


def _options(words: str, question: Question) -> Options:
    """Parse one line, undressed."""
    bare = re.sub(r"<([^<>]*)>", lambda name: f"<{' '.join(name[1].split())}>", re.sub(r"[*_`]", "", words))
    for quote in "\"'":
        bare = bare.replace(f"{quote}<", "<").replace(f">{quote}", ">")
    parts = [_undressed(part) for part in _BETWEEN.split(bare.lower())]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    options = parse_plan(",".join(parts), {name.lower() for name in question.objects}, question.grammar)[
        :MAX_OPTIONS
    ]
    return tuple(Option("wait", raw=one_line(o.raw, MAX_RAW)) if o.raw is not None else o for o in options)


def _undressed(part: str) -> str:
    """One option without numbering, quotes and brackets around it, and with single blanks."""
    bare = " ".join(part.split()).strip(_ENDS).lstrip(">").strip()
    item = _ITEM.match(bare)
    return bare[item.end() :].strip(_ENDS) if item else bare
