"""What a world draws of a state, for rendering."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""u8[rows, columns, 3]."""


@dataclass(frozen=True)
class Drawing:
    """One state.

    Attributes:
        panels: up to two pictures with their names, in the order they are shown.
        held: what the agent carries, in words and as a picture (None for nothing); None for an agent that
            carries nothing.
        mission: what the agent is told to do; empty in a world that tells it nothing.
    """

    panels: tuple[tuple[str, Picture], ...]
    held: tuple[str, Picture | None] | None = None
    mission: str = ""


@runtime_checkable
class Drawable(Protocol):
    """A world that draws its own states.

    Attributes:
        endings: how an episode ends in words, for "success", "failure" and "time".
    """

    endings: Mapping[str, str]

    def draw(self, state: Any) -> Drawing:
        """One completed state."""
