"""Writing frames as a small animated GIF: one palette for all, no dithering, only what changes is stored."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from jaxteach.utils.files import write_atomic

HOLD_SECONDS = 2.5
"""How long the last frame stays."""


def write_gif(frames: Sequence[Image.Image], path: Path, fps: float) -> int:
    """Write frames as an endless loop.

    Args:
        frames: RGB pictures of one size, at least one.
        path: the file; replaced if it exists.
        fps: frames a second; the last one stays longer.

    Returns:
        The file's size in bytes.

    Raises:
        UserError: if it cannot be written.
    """
    palette = _palette(frames)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    # GIF counts time in hundredths of a second.
    step = 10 * max(2, round(100 / fps))
    buffer = io.BytesIO()
    indexed[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=[step] * (len(frames) - 1) + [int(1000 * HOLD_SECONDS)],
        loop=0,
        disposal=1,
        optimize=True,  # what a frame leaves unchanged is transparent
    )
    write_atomic(path, buffer.getvalue())
    return len(buffer.getvalue())


def _palette(frames: Sequence[Image.Image]) -> Image.Image:
    """A palette that serves all frames: of some of them, spread over the episode, side by side."""
    n = min(len(frames), 8)
    chosen = [frames[round(i * (len(frames) - 1) / max(1, n - 1))] for i in range(n)]
    width, height = chosen[0].size
    sheet = Image.new("RGB", (width, height * n))
    for i, frame in enumerate(chosen):
        sheet.paste(frame, (0, i * height))
    # Not all 256: what stays unchanged needs a separate index.
    return sheet.quantize(250, method=Image.Quantize.MEDIANCUT)
