"""One frame: the room, what the agent has seen, and what student and teacher would do."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from jaxteach.rendering.episode import Episode, Moment
from jaxteach.utils.jax_setup import import_matplotlib

WIDTH, HEIGHT = 840, 470
"""The size everything below is measured in; a frame is scaled from it."""

Colour = tuple[int, int, int]
_PAPER: Colour = (19, 22, 30)
_WELL: Colour = (12, 14, 19)
_LINE: Colour = (45, 51, 66)
_INK: Colour = (233, 236, 244)
_MUTED: Colour = (139, 147, 167)
_STUDENT: Colour = (64, 196, 180)
_TEACHER: Colour = (240, 163, 62)
_OUTCOMES: dict[str, Colour] = {
    "success": (98, 208, 128),
    "failure": (244, 104, 84),
    "time": (170, 178, 198),
}

_PANEL = 256
_ROOM_X, _SEEN_X, _PANEL_Y = 20, 292, 92
_BARS_X, _BARS_RIGHT = 564, 820
_NAMES_WIDTH, _FIGURES_WIDTH = 66, 40
_FOOT_Y = 366


@dataclass(frozen=True)
class _Brush:
    """Drawing in the units of WIDTH and HEIGHT."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    scale: float

    def box(self, x: float, y: float, width: float, height: float, fill: Colour, radius: float = 0) -> None:
        """A filled rectangle."""
        s = self.scale
        corners = (round(x * s), round(y * s), round((x + width) * s) - 1, round((y + height) * s) - 1)
        if corners[2] >= corners[0] and corners[3] >= corners[1]:
            self.draw.rounded_rectangle(corners, round(radius * s), fill=fill)

    def text(
        self, x: float, y: float, text: str, size: float, fill: Colour, anchor: str = "ls", bold: bool = False
    ) -> float:
        """A line of text at its anchor (l, m or r; then m for its middle, s for its baseline); its width."""
        font = _font(bold, max(7, round(size * self.scale)))
        self.draw.text((round(x * self.scale), round(y * self.scale)), text, fill, font, anchor)
        return float(font.getlength(text)) / self.scale

    def fitted(self, text: str, size: float, width: float, bold: bool = False) -> str:
        """The text, its end cut off where it would be wider than `width`."""
        font = _font(bold, max(7, round(size * self.scale)))
        if font.getlength(text) <= width * self.scale:
            return text
        while text and font.getlength(text + "\u2026") > width * self.scale:
            text = text[:-1]
        return text.rstrip(" ,") + "\u2026"

    def paste(self, picture: npt.NDArray[np.uint8], x: float, y: float, side: float) -> None:
        """A picture scaled to a square."""
        pixels = round(side * self.scale)
        scaled = Image.fromarray(picture).resize((pixels, pixels), Image.Resampling.LANCZOS)
        self.image.paste(scaled, (round(x * self.scale), round(y * self.scale)))


@functools.cache
def _font(bold: bool, pixels: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans as it comes with matplotlib: the same letters on every machine."""
    import_matplotlib()
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, pixels)


def draw_frame(episode: Episode, number: int, title: str, subtitle: str, width: int = WIDTH) -> Image.Image:
    """Draw one moment of an episode.

    Args:
        episode: the episode.
        number: which moment, 0 for its start.
        title: what is learnt.
        subtitle: who plays.
        width: of the picture, in pixels; the height follows.

    Returns:
        An RGB picture.
    """
    moment, scale = episode.moments[number], width / WIDTH
    image = Image.new("RGB", (width, round(HEIGHT * scale)), _PAPER)
    brush = _Brush(image, ImageDraw.Draw(image), scale)
    _header(brush, episode, number, title, subtitle)
    for x, (name, panel) in zip((_ROOM_X, _SEEN_X), moment.drawing.panels, strict=False):
        picture = _squared(panel)
        brush.text(x, _PANEL_Y - 9, name, 12, _MUTED)
        brush.box(x - 3, _PANEL_Y - 3, _PANEL + 6, _PANEL + 6, _LINE, 4)
        brush.paste(picture, x, _PANEL_Y, _PANEL)
    # At the end nothing is chosen any more: the choice that led there stays, dimmed.
    _bars(
        brush, episode, moment if moment.action is not None else episode.moments[max(0, number - 1)], moment
    )
    _footer(brush, episode, moment)
    if moment.action is None:
        _banner(brush, episode)
    return image


def _header(brush: _Brush, episode: Episode, number: int, title: str, subtitle: str) -> None:
    """Who plays what, and how far the episode is."""
    x = 20 + brush.text(20, 34, title, 18, _INK, bold=True)
    brush.text(x + 14, 34, subtitle, 13, _MUTED)
    right = brush.text(820, 34, f" / {episode.max_steps}", 13, _MUTED, "rs")
    right += brush.text(820 - right, 34, str(number), 18, _INK, "rs", bold=True)
    brush.text(820 - right - 6, 34, "step", 13, _MUTED, "rs")
    brush.box(20, 48, 800, 3, _LINE)
    brush.box(20, 48, 800 * number / episode.max_steps, 3, _STUDENT)


def _blend(picture: npt.NDArray[np.float64], colour: Colour, share: float) -> npt.NDArray[np.float64]:
    """Move every pixel towards a colour."""
    return picture * (1 - share) + np.array(colour, float) * share


def _squared(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The room in the middle of a square."""
    height, width = picture.shape[:2]
    side = max(height, width)
    square = np.empty((side, side, 3), np.uint8)
    square[:] = _PAPER
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def _bars(brush: _Brush, episode: Episode, choice: Moment, now: Moment) -> None:
    """The action probabilities of student and teacher, and which action is taken."""
    over = choice is not now
    legend = [("student", _STUDENT)] + ([("teacher", _TEACHER)] if choice.teacher is not None else [])
    x = float(_BARS_X + _NAMES_WIDTH)
    for name, colour in legend:
        brush.box(x, _PANEL_Y - 18, 9, 9, _dim(colour, over), 2)
        x += 14 + brush.text(x + 14, _PANEL_Y - 9, name, 12, _MUTED) + 16
    pitch = _PANEL / len(episode.action_names)
    left = _BARS_X + _NAMES_WIDTH
    room = _BARS_RIGHT - _FIGURES_WIDTH - left
    # Of many actions bars and letters get smaller, so that all find room.
    gap = min(3.0, pitch / 12)
    thick = min(9.0, (pitch - 2 * gap) / 2) if choice.teacher is not None else min(14.0, pitch - gap)
    size = min(13.0, 0.8 * pitch)
    for action, name in enumerate(episode.action_names):
        top = _PANEL_Y + action * pitch
        taken = action == choice.action
        if taken:
            brush.box(_BARS_X - 8, top + 1, _BARS_RIGHT - _BARS_X + 16, pitch - 2, _dim(_LINE, over), 5)
        ink = _dim(_INK if taken else _MUTED, over)
        fitted = brush.fitted(name, size, _NAMES_WIDTH - 2, bold=taken)
        brush.text(left - 10, top + pitch / 2, fitted, size, ink, "rm", bold=taken)
        rows = [(choice.student[action], _STUDENT)]
        if choice.teacher is not None:
            rows.append((choice.teacher[action], _TEACHER))
        first = top + (pitch - len(rows) * thick - (len(rows) - 1) * gap) / 2
        for i, (probability, colour) in enumerate(rows):
            y, share = first + i * (thick + gap), float(probability)
            brush.box(left, y, room, thick, _WELL, 2)
            if share >= 0.005:
                brush.box(left, y, max(2.0, room * share), thick, _dim(colour, over), 2)
                figure = "1.0" if share >= 0.995 else f"{share:.2f}"[1:]
                brush.text(_BARS_RIGHT, y + thick / 2, figure, min(11.0, thick + 2), _dim(colour, over), "rm")


def _dim(colour: Colour, over: bool) -> Colour:
    """The colour, or what is left of it once the episode is over."""
    if not over:
        return colour
    faded = _blend(np.array([[colour]], float), _PAPER, 0.55)[0, 0]
    return int(faded[0]), int(faded[1]), int(faded[2])


def _footer(brush: _Brush, episode: Episode, moment: Moment) -> None:
    """The caption, the teacher's plans for it, and what is carried."""
    brush.box(_ROOM_X - 3, _FOOT_Y, 806, 90, _WELL, 6)
    split = 664
    taught = f"what the teacher {episode.teacher} is told, and its likeliest plans"
    label = taught if episode.teacher is not None else "what is seen and held, in words"
    words = moment.caption
    if not words and moment.drawing.mission:
        label, words = "mission", moment.drawing.mission
    brush.text(34, _FOOT_Y + 20, brush.fitted(label, 12, split - 44), 12, _MUTED)
    brush.text(34, _FOOT_Y + 42, brush.fitted(words, 15, split - 44), 15, _INK)
    for i, (plan, probability) in enumerate(moment.plans[:2]):
        y = _FOOT_Y + 62 + 18 * i
        brush.text(34, y, f"{probability:.0%}", 12, _TEACHER, bold=True)
        brush.text(80, y, brush.fitted(plan, 12, split - 92), 12, _INK if i == 0 else _MUTED)
    brush.box(split, _FOOT_Y + 12, 1, 66, _LINE)
    if moment.drawing.held is None:
        return
    brush.text(split + 16, _FOOT_Y + 20, "carries", 12, _MUTED)
    words, picture = moment.drawing.held
    brush.text(split + 16, _FOOT_Y + 43, words, 14, _MUTED if picture is None else _INK)
    if picture is not None:
        brush.paste(picture, 772, _FOOT_Y + 44, 36)


def _banner(brush: _Brush, episode: Episode) -> None:
    """How the episode ended, over the choices that led there."""
    words, colour = episode.ending, _OUTCOMES[episode.outcome]
    x, y, width, height = _BARS_X, _PANEL_Y + 72, _BARS_RIGHT - _BARS_X, 108
    middle = x + width / 2
    brush.box(x, y, width, height, colour, 10)
    brush.box(x + 2, y + 2, width - 4, height - 4, _PAPER, 8)
    brush.text(middle, y + 38, words, 19, colour, "ms", bold=True)
    brush.text(middle, y + 64, f"after {episode.length} steps", 14, _INK, "ms")
    brush.text(middle, y + 87, f"return {episode.reward:.2f}", 14, _INK, "ms")
