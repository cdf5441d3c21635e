"""The table and the sheet of pictures of docs/levels.md: every level of MiniGrid once."""

import argparse
from pathlib import Path
from typing import Any

from common import ROOT, say

from jaxteach.utils.errors import cli
from jaxteach.utils.jax_setup import start_jax

PAGE, SHEET = ROOT / "docs" / "levels.md", ROOT / "docs" / "images" / "levels.png"
BEGIN, END = "<!-- made by experiments/draw_levels.py -->", "<!-- end -->"
COLUMNS, SIDE, GAP, LINE = 10, 128, 10, 13
"""Pictures a row of the sheet, and in pixels: a picture's side, the space around it, a line of text."""
WORD = 7
"""Seeds the layouts that are drawn."""


def main() -> None:
    """Draw the sheet and write the table into the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()

    def draw() -> None:
        start_jax()
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n{table()}{END}{after}", encoding="utf-8")
        sheet().quantize(64).save(SHEET, optimize=True)
        say(f"{PAGE.relative_to(ROOT)} and {SHEET.relative_to(ROOT)}, {SHEET.stat().st_size / 1000:.0f} kB")

    cli(draw)


def table() -> str:
    """Every level as a row of a Markdown table."""
    from jaxteach.worlds.minigrid.levels import LEVELS

    lines = ["| id | width x height | steps | actions | missions |", "| --- | --- | --- | --- | --- |"]
    for name, level in LEVELS.items():
        n = len(level.missions)
        mission = level.missions[0] if n == 1 else f"{n}, such as: {level.missions[0]}"
        size, actions = f"{level.width} x {level.height}", level.n_actions
        lines.append(f"| `{name}` | {size} | {level.max_steps} | {actions} | {mission} |")
    return "\n".join(lines) + "\n"


def sheet() -> Any:
    """The pictures of all levels, with their names, in the order of the table."""
    import jax
    import matplotlib
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from jaxteach.worlds.minigrid.environment import make
    from jaxteach.worlds.minigrid.levels import LEVELS

    width, height = SIDE + GAP, SIDE + GAP + 2 * LINE
    n_rows = -(-len(LEVELS) // COLUMNS)
    image = Image.new("RGB", (COLUMNS * width + GAP, n_rows * height + GAP), (19, 22, 30))
    brush = ImageDraw.Draw(image)
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 10)
    for i, name in enumerate(LEVELS):
        picture = picture_of(make(name, remember=True), jax.random.key(WORD))
        scale = SIDE / max(picture.shape[:2])
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        x, y = GAP + i % COLUMNS * width, GAP + i // COLUMNS * height
        corner = (x + (SIDE - size[0]) // 2, y + (SIDE - size[1]) // 2)
        image.paste(Image.fromarray(np.asarray(picture)).resize(size, Image.Resampling.LANCZOS), corner)
        for line, words in enumerate(in_two(name.removeprefix("MiniGrid-"))):
            brush.text((x + SIDE // 2, y + SIDE + 2 + LINE * line), words, (200, 205, 218), font, "mt")
    return image


def picture_of(env: Any, key: Any) -> Any:
    """The first state of an episode, u8[rows, columns, 3]."""
    import jax

    from jaxteach.worlds.minigrid.drawing import draw_level

    return draw_level(env.level, jax.jit(env.reset)(key)).panels[0][1]


def in_two(name: str) -> list[str]:
    """A name on one line, or broken at a hyphen where it is too long for one.

    >>> in_two("DoorKey-8x8-v0"), in_two("Dynamic-Obstacles-Random-5x5-v0")
    (['DoorKey-8x8-v0'], ['Dynamic-Obstacles-', 'Random-5x5-v0'])
    """
    if len(name) <= 20:
        return [name]
    at = name.rfind("-", 0, 20) + 1
    return [name[:at], name[at:]]


if __name__ == "__main__":
    main()
