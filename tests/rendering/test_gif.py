"""Tests of GIF files: their frames, their times, their size."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxteach.rendering import write_gif
from jaxteach.utils.errors import UserError


def frames(n: int) -> list[Image.Image]:
    """A white square that wanders over a coloured ground."""
    pictures = []
    for i in range(n):
        picture = Image.new("RGB", (120, 60), (30, 60, 90))
        ImageDraw.Draw(picture).rectangle((5 * i, 10, 5 * i + 8, 18), fill=(255, 255, 255))
        pictures.append(picture)
    return pictures


def test_every_frame_comes_back_as_it_was(tmp_path):
    drawn = frames(12)
    size = write_gif(drawn, tmp_path / "x.gif", 5)
    assert size == (tmp_path / "x.gif").stat().st_size
    with Image.open(tmp_path / "x.gif") as gif:
        assert (gif.n_frames, gif.info["loop"]) == (12, 0)
        durations = []
        for i, picture in enumerate(drawn):
            gif.seek(i)
            durations.append(gif.info["duration"])
            np.testing.assert_array_equal(np.asarray(gif.convert("RGB")), np.asarray(picture))
    assert durations == [200] * 11 + [2500]


def test_what_stays_is_not_stored_again(tmp_path):
    assert write_gif(frames(20), tmp_path / "x.gif", 5) < 20 * write_gif(frames(1), tmp_path / "y.gif", 5) / 2


def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="cannot write"):
        write_gif(frames(2), tmp_path / "nowhere" / "x.gif", 5)
