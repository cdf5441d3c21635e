"""Prompts: a text file with named sections, filled with a task's facts and one abstract state."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from jaxteach.utils.errors import UserError, nearest

DEFAULT = "v1"
"""The prompt file used unless another is given."""

NO_CONTENT = "Agent sees <something>, holds <something>."
"""The caption that says nothing, asked about when scores are calibrated."""

Style = Literal["think", "direct", "verbalize"]
Message = dict[str, str]
"""One turn of a conversation: its "role" (system, user or assistant) and "content"."""

_REQUIRED = ("system", "question", "think", "direct", "verbalize")
_FIELDS = {"system": {"facts", "objects"}, "question": {"state", "instruction"}}
_HEADING = re.compile(r"^\[([a-z]+)\][ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A worked example.

    Attributes:
        state: what is seen and held.
        thought: the reasoning.
        plan: the best plan.
        weighed: plans with probabilities, one a line; None if the example does not have them.
    """

    state: str
    thought: str
    plan: str
    weighed: str | None

    def answer(self, style: Style) -> str | None:
        """The answer in the style asked for."""
        if style == "verbalize":
            return self.weighed
        return f"Thought: {self.thought}\nPlan: {self.plan}" if style == "think" else f"Plan: {self.plan}"


@dataclass(frozen=True)
class Prompt:
    """A prompt file, read and checked.

    Attributes:
        name: the file's name without suffix.
        sha256: of the file's text.
        sections: the text of each section, still with its {fields}.
        examples: the worked examples, in order.
    """

    name: str
    sha256: str
    sections: dict[str, str]
    examples: tuple[Example, ...]

    def messages(
        self, facts: str, objects: Sequence[str], state: str, style: Style, examples: int = 3
    ) -> list[Message]:
        """The conversation that asks about one abstract state.

        Args:
            facts: the task's world in words, for the LLM.
            objects: names a plan may mention.
            state: the caption.
            style: think before the plan, give the plan alone, or give plans with probabilities.
            examples: how many worked examples to show. With "verbalize" all that state probabilities are
                shown: small models copy the figures of a single one.

        Returns:
            The system turn, two turns for each example, and the question.
        """
        names = ", ".join(f"<{name}>" for name in objects)
        turns = [_turn("system", _fill(self.sections["system"], facts=facts.strip(), objects=names))]
        instruction = self.sections[style]
        for example in self.examples[: None if style == "verbalize" else examples]:
            answer = example.answer(style)
            if answer:
                question = _fill(self.sections["question"], state=example.state, instruction=instruction)
                turns += [_turn("user", question), _turn("assistant", answer)]
        question = _fill(self.sections["question"], state=state, instruction=instruction)
        return [*turns, _turn("user", question)]


def load_prompt(path: Path | None = None) -> Prompt:
    """Read a prompt file.

    Args:
        path: a user's own file; None for the one that ships.

    Returns:
        The prompt.

    Raises:
        UserError: the file cannot be read, or lacks a section or a field.
    """
    name = str(path) if path else DEFAULT
    try:
        source = path or resources.files("jaxteach.llm").joinpath("prompt_files", f"{DEFAULT}.txt")
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the prompt file {name}: {error}") from error
    parts = _HEADING.split(text)
    headings, bodies = parts[1::2], [body.strip() for body in parts[2::2]]
    for heading in headings:
        if heading not in (*_REQUIRED, "example"):
            raise UserError(
                f"{name}: unknown section [{heading}]: {nearest(heading, (*_REQUIRED, 'example'))}"
            )
    sections = {h: b for h, b in zip(headings, bodies, strict=True) if h != "example"}
    for section in _REQUIRED:
        if not sections.get(section):
            raise UserError(f"{name}: the section [{section}] is missing or empty")
        for field in sorted(_FIELDS.get(section, set())):
            if f"{{{field}}}" not in sections[section]:
                raise UserError(f"{name}: the section [{section}] must hold the field {{{field}}}")
    examples = [_example(b, name) for h, b in zip(headings, bodies, strict=True) if h == "example"]
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Prompt(path.stem if path else DEFAULT, sha256, sections, tuple(examples))


def _example(text: str, name: str) -> Example:
    """Read one worked example: lines "state:", "thought:", "plan:", and maybe "weighed:", in this order."""
    match = re.fullmatch(r"state:(.+)\nthought:(.+)\nplan:(.+)(?:\nweighed:(.+))?", text)
    if not match:
        raise UserError(
            f"{name}: an [example] must be lines state: ..., thought: ..., plan: ... and, if it shows "
            f"probabilities, weighed: 0.9: PLAN | 0.1: PLAN"
        )
    state, thought, plan = (match[i].strip() for i in (1, 2, 3))
    weighed = match[4] and "\n".join(part.strip() for part in match[4].split("|"))
    return Example(state, thought, plan, weighed)


def _fill(text: str, **fields: str) -> str:
    """Put values in place of {fields}, in one pass, so that braces inside a value stay as they are."""
    return re.sub("|".join(rf"\{{{name}\}}" for name in fields), lambda m: fields[m[0][1:-1]], text)


def _turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}
