"""What a student reads from an observation; the same code runs on JAX arrays and on NumPy's."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from jaxteach.utils.json_file import typed
from jaxteach.worlds.minigrid import egocentric as frame
from jaxteach.worlds.minigrid.paper import constants as c

Array = Any  # jax.Array or np.ndarray, whichever module `xp` is


@dataclass(frozen=True)
class View:
    """What features depend on: plain values, written into config.json for `load_policy`.

    Attributes:
        height: H.
        width: W.
        key_colours: the colour of each key class, None for any.
    """

    height: int
    width: int
    key_colours: tuple[int | None, ...]

    @property
    def radius(self) -> int:
        """How far, in cells, anything in a room can be from an agent inside it."""
        return max(self.height, self.width) - 2

    @property
    def n_classes(self) -> int:
        """Kinds of cell told apart: empty, wall, door, lava and each key class (unseen is none)."""
        return 4 + len(self.key_colours)


@dataclass(frozen=True)
class Egocentric:
    """The seen-map in the agent's frame, one-hot; see `egocentric`."""

    view: View

    @property
    def size(self) -> int:
        """F, numbers a student reads."""
        return n_egocentric(self.view)

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,)."""
        return (self.size,)

    @property
    def observed(self) -> tuple[int, ...]:
        """(H, W, 4)."""
        return (self.view.height, self.view.width, 4)

    def read(self, obs: Array, xp: Any) -> Array:
        """u8[N, H, W, 4] to u8[N, F]."""
        return egocentric(obs, self.view, xp)

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return {"reader": "egocentric", **dataclasses.asdict(self.view)}


@dataclass(frozen=True)
class RawMap:
    """The observation as it is: what the reference's network reads."""

    view: View

    @property
    def size(self) -> int:
        """F = H * W * 4."""
        return self.view.height * self.view.width * 4

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, 4)."""
        return (self.view.height, self.view.width, 4)

    @property
    def observed(self) -> tuple[int, ...]:
        """(H, W, 4)."""
        return (self.view.height, self.view.width, 4)

    def read(self, obs: Array, xp: Any) -> Array:
        """u8[N, H, W, 4] to u8[N, F]."""
        del xp
        return obs.reshape(obs.shape[0], -1)

    def described(self) -> dict[str, Any]:
        """For config.json."""
        return {"reader": "raw_map", **dataclasses.asdict(self.view)}


def cell_bits(obs: Array, view: View, xp: Any) -> Array:
    """The kind of every cell as a bit: one for each class, none for unseen.

    Args:
        obs: u8[..., H, W, 4].
        view: the task's view, with at most 8 classes.
        xp: jax.numpy or numpy.

    Returns:
        u8[..., H, W], 1 << (class - 1): class 1 empty, 2 wall, 3 door, 4 lava, 5 + k a key of class k.
    """
    assert view.n_classes <= 8, "a byte has no bit for more kinds of cell"
    kind, colour = obs[..., 0], obs[..., 1]
    classes = [kind == wanted for wanted in (c.EMPTY, c.WALL, c.DOOR, c.LAVA)]
    classes += [(kind == c.KEY) & ((colour == key) | (key is None)) for key in view.key_colours]
    return frame.bits_of(classes, xp)


def egocentric(obs: Array, view: View, xp: Any) -> Array:
    """The seen-map in the agent's frame, one-hot; see `minigrid.egocentric.egocentric`.

    Args:
        obs: u8[N, H, W, 4].
        view: the task's view.
        xp: jax.numpy or numpy.

    Returns:
        u8[N, n_egocentric(view)].
    """
    return frame.egocentric(obs, cell_bits(obs, view, xp), view.radius, view.n_classes, xp)


def n_egocentric(view: View) -> int:
    """How many features `egocentric` gives."""
    return frame.n_egocentric(view.radius, view.n_classes)


def restore(described: dict[str, Any], place: str) -> Egocentric | RawMap:
    """Features as config.json describes them.

    Args:
        described: from `described`.
        place: what to call it in messages.

    Raises:
        UserError: a field is missing, unknown or of another type.
    """
    view = typed(View, {name: value for name, value in described.items() if name != "reader"}, place)
    return RawMap(view) if described["reader"] == "raw_map" else Egocentric(view)
