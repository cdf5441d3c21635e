"""What a task says of itself without JAX: its names, numbers, bounds and words."""

from typing import Any, ClassVar

from jaxteach.tasks.language import Language
from jaxteach.utils.errors import UserError, nearest
from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary

NUMBERS: dict[str, int] = {"room_min": 5, "room_max": 10, "n_keys": 1, "n_lava": 0, "view_size": 3}
"""What a task's numbers are unless its defaults say otherwise."""


class Facts:
    """All of a task that wrong input is checked against, so that it is refused before JAX is imported.

    Importing JAX takes seconds. A task of this package states its facts in a module of
    this folder, and its class inherits them; a class defined elsewhere states them itself.

    Args:
        **numbers: changes to the task's numbers, such as `room_min=8`.

    Raises:
        UserError: a number that is unknown.

    Attributes:
        height: of the grid, in cells.
        width: of the grid, in cells.
        max_steps: environment steps an episode may last.
        room_min: smallest side of a room, in cells, walls included.
        room_max: largest side of a room.
        n_keys: how many keys lie in the room.
        n_lava: how many lava cells.
        view_size: side of the square the agent sees ahead of it; odd.
    """

    name: ClassVar[str]
    facts: ClassVar[str] = ""
    defaults: ClassVar[dict[str, Any]]
    variants: ClassVar[dict[str, dict[str, Any]]] = {}
    env_steps: ClassVar[int] = 49_152

    height: int
    width: int
    max_steps: int
    room_min: int
    room_max: int
    n_keys: int
    n_lava: int
    view_size: int

    @classmethod
    def numbers(cls) -> tuple[str, ...]:
        """The names of a task's numbers."""
        return ("height", "width", "max_steps", *NUMBERS)

    def __init__(self, **numbers: Any) -> None:
        for name in numbers:
            if name not in self.numbers():
                raise UserError(f"unknown parameter '{name}' of {self.name}: {nearest(name, self.numbers())}")
        vars(self).update({**NUMBERS, **self.defaults, **numbers})

    @property
    def vocabulary(self) -> Vocabulary:
        """How captions and plans name the objects."""
        raise NotImplementedError

    @property
    def language(self) -> Language:
        """All that can be said about the task."""
        return self.vocabulary.language

    @property
    def shows(self) -> str:
        """What a student reads, in words; equal for tasks that a student can move between."""
        n_kinds = len(self.key_class_colours)
        return f"{self.height}x{self.width} maps with {n_kinds} {'kind' if n_kinds == 1 else 'kinds'} of key"

    @property
    def key_classes(self) -> tuple[int, ...]:
        """The class of each key, length n_keys; by default all are of one class."""
        return (0,) * self.n_keys

    @property
    def key_class_colours(self) -> tuple[int | None, ...]:
        """The colour of each key class; None (the default's only class) takes keys of any colour."""
        return (None,)

    def check(self) -> None:
        """Refuse parameters no layout can satisfy.

        Raises:
            UserError: naming the parameter and its bounds.
        """
        low, high, grid = self.room_min, self.room_max, f"{self.height}x{self.width} grid"
        self.require(self.view_size % 2 == 1, f"view size {self.view_size}, it must be odd")
        self.require(3 <= self.view_size <= 31, f"view size {self.view_size}, it must be 3 to 31")
        self.require(4 <= low <= high, f"room sides {low}..{high}, they must satisfy 4 <= min <= max")
        self.require(high <= min(self.height, self.width), f"room side {high} does not fit the {grid}")
        self.require(max(self.height, self.width) <= 32, f"{grid}, sides can be at most 32")
        # The reward's clock is float32, which counts that far.
        self.require(1 <= self.max_steps <= 2**24, f"{self.max_steps} steps, from 1 to {2**24}")
        self.require(self.n_keys >= 1, f"{self.n_keys} keys, at least 1")
        self.require(self.n_lava >= 0, f"{self.n_lava} lava cells, at least 0")
        # The agent, keys and lava need a cell each, and the cell before each door must stay free.
        needed = 1 + self.n_keys + self.n_lava + len(self.vocabulary.doors)
        self.require(
            (low - 2) ** 2 >= needed,
            f"a room of side {low} has {(low - 2) ** 2} cells inside but its objects need {needed}: "
            "use larger rooms, fewer keys or less lava",
        )

    def require(self, holds: bool, otherwise: str) -> None:
        """Raise a UserError that names this task unless the condition holds."""
        if not holds:
            raise UserError(f"impossible variant of {self.name}: {otherwise}")
