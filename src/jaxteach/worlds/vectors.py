"""Features of worlds whose observations are plain arrays; NumPy alone."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxteach.utils.json_file import typed


@dataclass(frozen=True)
class Vector:
    """An observation flattened into one vector.

    Attributes:
        axes: the shape of one observation.
    """

    axes: tuple[int, ...]

    @property
    def size(self) -> int:
        """F, numbers in it."""
        return math.prod(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,)."""
        return (self.size,)

    @property
    def observed(self) -> tuple[int, ...]:
        """The shape of one observation."""
        return self.axes

    def read(self, obs: Any, xp: Any) -> Any:
        """Arrays [N, ...] to [N, F], type unchanged."""
        return xp.reshape(obs, (obs.shape[0], -1))

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return {"reader": "vector", "axes": list(self.axes)}


@dataclass(frozen=True)
class Map:
    """An observation that is a map of cells.

    Attributes:
        height: H.
        width: W.
        channels: C.
    """

    height: int
    width: int
    channels: int

    @property
    def size(self) -> int:
        """F = H * W * C."""
        return self.height * self.width * self.channels

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C)."""
        return (self.height, self.width, self.channels)

    @property
    def observed(self) -> tuple[int, ...]:
        """(H, W, C)."""
        return self.shape

    def read(self, obs: Any, xp: Any) -> Any:
        """Maps [N, H, W, C] to [N, F], type unchanged."""
        return xp.reshape(obs, (obs.shape[0], -1))

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return {"reader": "map", "height": self.height, "width": self.width, "channels": self.channels}


@dataclass(frozen=True)
class Symbols:
    """A map of MiniGrid's or navix's symbols, each of its three channels one-hot.

    Attributes:
        height: H.
        width: W.
    """

    height: int
    width: int

    VALUES: ClassVar[tuple[int, int, int]] = (11, 6, 4)
    """How many objects, colours and states there are."""

    @property
    def size(self) -> int:
        """F = H * W * 21."""
        return self.height * self.width * sum(self.VALUES)

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,)."""
        return (self.size,)

    @property
    def observed(self) -> tuple[int, ...]:
        """(H, W, 3)."""
        return (self.height, self.width, 3)

    def read(self, obs: Any, xp: Any) -> Any:
        """Maps u8[N, H, W, 3] to u8[N, F]."""
        planes = [
            obs[..., channel, None] == xp.arange(n, dtype=obs.dtype).reshape(1, 1, 1, n)
            for channel, n in enumerate(self.VALUES)
        ]
        return xp.concatenate(planes, axis=-1).astype(xp.uint8).reshape(obs.shape[0], -1)

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return {"reader": "symbols", "height": self.height, "width": self.width}


_BY_NAME: dict[str, type[Vector] | type[Map] | type[Symbols]] = {
    "vector": Vector,
    "map": Map,
    "symbols": Symbols,
}


def restore(described: dict[str, Any], place: str) -> Vector | Map | Symbols:
    """Features as config.json describes them.

    Args:
        described: from `described`.
        place: what to call it in messages.

    Raises:
        UserError: a field is missing, unknown or of another type.
    """
    values = {name: value for name, value in described.items() if name != "reader"}
    return typed(_BY_NAME[described["reader"]], values, place)
