"""How students read a level's observations; the same code runs on JAX arrays and on NumPy's. NumPy alone."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from jaxteach.utils.errors import UserError, nearest
from jaxteach.utils.json_file import typed
from jaxteach.worlds.minigrid.egocentric import bits_of, egocentric, n_egocentric, one_hot_bits

Array = Any  # jax.Array or np.ndarray, whichever module `xp` is
Shapes = dict[str, tuple[int, ...]]

VIEW = 7
"""Cells along a side of Farama's view."""
_DOOR = 4
# Farama's number of each kind, and the state of doors.
KINDS: dict[str, tuple[int, int | None]] = {
    "empty": (1, None),
    "wall": (2, None),
    "floor": (3, None),
    "open door": (_DOOR, 0),
    "closed door": (_DOOR, 1),
    "locked door": (_DOOR, 2),
    "key": (5, None),
    "ball": (6, None),
    "box": (7, None),
    "goal": (8, None),
    "lava": (9, None),
}
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
# Doors, keys, balls, boxes: walls, goals and lava have but one colour each.
_COLOURED = (_DOOR, 7)


@dataclass(frozen=True)
class Legend:
    """What a level can show: plain values, written into config.json for `load_policy`.

    Attributes:
        height: H.
        width: W.
        kinds: names of `KINDS` that a cell can be of.
        colours: names of `COLOURS` that things can have; none where they do not differ.
        missions: the words of each mission, in the order of their numbers.
    """

    height: int
    width: int
    kinds: tuple[str, ...]
    colours: tuple[str, ...]
    missions: tuple[str, ...]

    @property
    def radius(self) -> int:
        """How far, in cells, anything can be from an agent, who never stands in the outermost cells."""
        return max(self.height, self.width) - 2

    @property
    def n_classes(self) -> int:
        """Inputs of a cell: kinds and colours (all are 0 where nothing was seen)."""
        return len(self.kinds) + len(self.colours)

    @property
    def n_missions(self) -> int:
        """How many missions there are; 0 where it is always the same."""
        return len(self.missions) if len(self.missions) > 1 else 0

    @functools.cached_property
    def mission_words(self) -> np.ndarray:
        """The words in which missions differ, one-hot, u8[missions, words]; see `words_of`."""
        return words_of(self.missions)

    @property
    def n_words(self) -> int:
        """Inputs that tell the mission."""
        return int(self.mission_words.shape[1])

    @property
    def mission_bytes(self) -> int:
        """Bytes that hold the mission's number: none where it is always the same."""
        return 0 if self.n_missions == 0 else 1 if self.n_missions <= 256 else 2

    def cell_bits(self, cells: Array, xp: Any) -> Array:
        """The classes of each cell u8[..., 3 or 4] as bits [...]: bit i for the i-th kind, then colour."""
        kind, colour, state = cells[..., 0], cells[..., 1], cells[..., 2]
        classes = []
        for number, status in (KINDS[name] for name in self.kinds):
            of_kind = kind == number
            classes.append(of_kind if status is None else of_kind & (state == status))
        coloured = (kind >= _COLOURED[0]) & (kind <= _COLOURED[1])
        classes += [coloured & (colour == COLOURS.index(name)) for name in self.colours]
        return bits_of(classes, xp)

    def told(self, mission: Array, xp: Any) -> Array:
        """The mission's words, one-hot, u8[N, n_words], from its number u16[N]."""
        return xp.asarray(self.mission_words)[mission]

    def mission_planes(self, mission: Array, xp: Any) -> list[Array]:
        """The bytes of the mission's number u16[N], low first, u8[N] each."""
        return [((mission >> (8 * i)) & 255).astype(xp.uint8) for i in range(self.mission_bytes)]


@dataclass(frozen=True)
class SeenMap:
    """What was seen so far, in the agent's frame, one-hot, and the mission; see `egocentric`.

    The agent's own cell tells what it holds.
    """

    legend: Legend

    reader: ClassVar[str] = "seen_map"

    @property
    def size(self) -> int:
        """F, numbers a student reads."""
        return n_egocentric(self.legend.radius, self.legend.n_classes) + self.legend.n_words

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,)."""
        return (self.size,)

    @property
    def observed(self) -> Shapes:
        """Cells (H, W, 4) and the mission's number."""
        return {"cells": (self.legend.height, self.legend.width, 4), "mission": ()}

    def read(self, obs: dict[str, Array], xp: Any) -> Array:
        """Cells u8[N, H, W, 4] and missions u16[N] to u8[N, F]."""
        legend, cells = self.legend, obs["cells"]
        bits = legend.cell_bits(cells, xp)
        seen = egocentric(cells, bits, legend.radius, legend.n_classes, xp)
        return xp.concatenate([seen, legend.told(obs["mission"], xp)], axis=1)

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return _described(self)


@dataclass(frozen=True)
class AgentView:
    """What the agent sees now, as Farama shows it, one-hot: the 7x7 square, its direction, the mission."""

    legend: Legend

    reader: ClassVar[str] = "agent_view"

    @property
    def size(self) -> int:
        """F, numbers a student reads."""
        return VIEW**2 * self.legend.n_classes + 4 + self.legend.n_words

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,)."""
        return (self.size,)

    @property
    def observed(self) -> Shapes:
        """Image (7, 7, 3), direction and the mission's number."""
        return {"image": (VIEW, VIEW, 3), "direction": (), "mission": ()}

    def read(self, obs: dict[str, Array], xp: Any) -> Array:
        """Images u8[N, 7, 7, 3], directions u8[N] and missions u16[N] to u8[N, F]."""
        n = obs["image"].shape[0]
        bits = self.legend.cell_bits(obs["image"], xp).reshape(n, -1)
        cells = one_hot_bits(bits, self.legend.n_classes, xp).reshape(n, -1)
        direction = (obs["direction"][:, None] == np.arange(4)[None]).astype(xp.uint8)
        return xp.concatenate([cells, direction, self.legend.told(obs["mission"], xp)], axis=1)

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return _described(self)


@dataclass(frozen=True)
class RawCells:
    """An observation as it is, for convolutions; what is not of a cell is repeated on every cell.

    Attributes:
        legend: of the level.
        observation: "seen", the map of what was seen; "view", what is seen now and the direction.
    """

    legend: Legend
    observation: Literal["seen", "view"]

    reader: ClassVar[str] = "raw_cells"

    @property
    def size(self) -> int:
        """F = H * W * C."""
        height, width, channels = self.shape
        return height * width * channels

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C): kind, colour, state, direction and the bytes of the mission's number."""
        sides = (self.legend.height, self.legend.width) if self.observation == "seen" else (VIEW, VIEW)
        return (*sides, 4 + self.legend.mission_bytes)

    @property
    def observed(self) -> Shapes:
        """As the compact features of the same observation."""
        return (SeenMap if self.observation == "seen" else AgentView)(self.legend).observed

    def read(self, obs: dict[str, Array], xp: Any) -> Array:
        """Observations [N, ...] to u8[N, F]."""
        told = self.legend.mission_planes(obs["mission"], xp)
        if self.observation == "seen":
            cells = obs["cells"]
        else:
            cells = obs["image"]
            told = [obs["direction"], *told]
        n, height, width, _ = cells.shape
        planes = [xp.broadcast_to(x[:, None, None, None], (n, height, width, 1)) for x in told]
        return xp.concatenate([cells, *planes], axis=-1).reshape(n, -1)

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return {**_described(self), "observation": self.observation}


LevelFeatures = SeenMap | AgentView | RawCells
_BY_READER: dict[str, type[LevelFeatures]] = {kind.reader: kind for kind in (SeenMap, AgentView, RawCells)}
READERS = tuple(_BY_READER)


@functools.cache
def words_of(missions: tuple[str, ...]) -> np.ndarray:
    """In which words missions differ: a one-hot group for each place in the sentence, counted from its end.

    A mission that names two things is told as their looks, not as one of all pairs.

    Args:
        missions: in words.

    Returns:
        u8[missions, words]; no words where there is one mission.

    >>> words_of(("go to the red key", "go to the red box", "go to the grey key")).tolist()
    [[1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]]
    """
    sentences = [mission.split()[::-1] for mission in missions]
    groups = [np.zeros((len(missions), 0), np.uint8)]
    for place in range(max(len(sentence) for sentence in sentences)):
        here = [sentence[place] if place < len(sentence) else "" for sentence in sentences]
        words = list(dict.fromkeys(here))
        if len(words) > 1:
            groups.append(np.array([[word == other for other in words] for word in here], np.uint8))
    return np.concatenate(groups, axis=1)


def _described(features: LevelFeatures) -> dict[str, Any]:
    """Features as JSON values."""
    legend = {name: _plain(value) for name, value in dataclasses.asdict(features.legend).items()}
    return {"reader": features.reader, "legend": legend}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def restore(described: dict[str, Any], place: str) -> LevelFeatures:
    """Features as config.json describes them.

    Args:
        described: from `described`.
        place: what to call it in messages.

    Raises:
        UserError: a field is missing, unknown or of another type, or names no kind or colour.
    """
    values = {name: value for name, value in described.items() if name != "reader"}
    features = typed(_BY_READER[described["reader"]], values, place)
    for what, names, known in (
        ("kinds", features.legend.kinds, tuple(KINDS)),
        ("colours", features.legend.colours, COLOURS),
    ):
        for name in names:
            if name not in known:
                raise UserError(f"{place}.legend.{what}: unknown '{name}': {nearest(name, known)}")
    if not features.legend.kinds or min(features.legend.height, features.legend.width) < 3:
        raise UserError(f"{place}.legend: a level has kinds of cell, and sides of at least 3")
    return features
