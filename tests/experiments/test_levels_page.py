"""docs/levels.md says what the levels are."""

import draw_levels
import numpy as np
from PIL import Image

from jaxteach.worlds.minigrid.levels import LEVELS


def test_the_pages_table_is_that_of_the_levels() -> None:
    page = draw_levels.PAGE.read_text(encoding="utf-8")
    assert f"{draw_levels.BEGIN}\n{draw_levels.table()}{draw_levels.END}" in page
    assert draw_levels.table().count("\n") == len(LEVELS) + 2


def test_the_sheet_has_a_picture_for_every_level() -> None:
    step = draw_levels.SIDE + draw_levels.GAP
    with Image.open(draw_levels.SHEET) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    for i in range(len(LEVELS)):
        y, x = i // draw_levels.COLUMNS * (step + 2 * draw_levels.LINE), i % draw_levels.COLUMNS * step
        tile = pixels[y + draw_levels.GAP :, x + draw_levels.GAP :][: draw_levels.SIDE, : draw_levels.SIDE]
        assert len(np.unique(tile.reshape(-1, 3), axis=0)) > 4, i
