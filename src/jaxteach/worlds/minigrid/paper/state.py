"""The state of a door/key task: navix's State, extended with what MiniGrid's rules need."""

import jax
import jax.numpy as jnp
from jax import Array
from navix.components import DISCARD_PILE_COORDS, EMPTY_POCKET_ID
from navix.entities import Door, Entities, Key, Lava, Player
from navix.rendering.cache import RenderingCache
from navix.states import EventsManager, State

from jaxteach.worlds.minigrid.paper.constants import EAST, NORTH, SOUTH, WEST


class GridState(State):
    """navix's state with the room's size, the seen-map, the clock and the teacher's memory.

    In training `grid` and `cache` are None: the walls follow from `room`, and rendered tiles would
    be 12 kB an environment. `with_rendering` fills both in for navix's own observations.

    Attributes:
        room: i32[2], rows and columns of the room, walls included.
        seen: uint[H], the seen-map as bitboards: bit c of word r is the cell at row r, column c.
        memory: i32[C, 2], where a key of each class was last seen lying (row, column); -1 if never.
        clock: i32[], environment steps taken in this episode.
    """

    room: Array = None  # type: ignore[assignment]
    seen: Array = None  # type: ignore[assignment]
    memory: Array = None  # type: ignore[assignment]
    clock: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Keep navix from filling `events`: the rules here never read them."""

    @property
    def position(self) -> Array:
        """i32[2], the agent's (row, column)."""
        return self.entities[Entities.PLAYER].position[..., 0, :]

    @property
    def direction(self) -> Array:
        """i32[], the agent's direction."""
        return self.entities[Entities.PLAYER].direction[..., 0]

    @property
    def pocket(self) -> Array:
        """i32[], index of the key held, or -1."""
        return self.entities[Entities.PLAYER].pocket[..., 0]

    @property
    def keys(self) -> Key:
        """The keys, a batch of K; a held key lies off the grid."""
        return self.entities[Entities.KEY]

    @property
    def doors(self) -> Door:
        """The doors, a batch of D, in caption order."""
        return self.entities[Entities.DOOR]

    @property
    def lava(self) -> Array:
        """i32[L, 2], the lava cells (L = 0 in tasks without lava)."""
        if Entities.LAVA not in self.entities:
            return jnp.zeros((0, 2), jnp.int32)
        return self.entities[Entities.LAVA].position


def compute_once[Tree](tree: Tree) -> Tree:
    """Values that XLA must compute before anything that reads them.

    Without this barrier XLA fuses shared logic into every one of its readers and computes it again
    there, at worst once a cell of the map: most of what an environment step costs on CPU.
    """
    return jax.lax.optimization_barrier(tree)


def heading(direction: Array) -> tuple[Array, Array]:
    """One step's offset in rows and in columns.

    Args:
        direction: i32[...], 0 east, 1 south, 2 west, 3 north.

    Returns:
        i32[...] each. Rows and columns are kept apart while computing: an axis of two does not
        vectorise.
    """
    rows = (direction == SOUTH).astype(jnp.int32) - (direction == NORTH).astype(jnp.int32)
    columns = (direction == EAST).astype(jnp.int32) - (direction == WEST).astype(jnp.int32)
    return rows, columns


def is_at(positions: Array, row: Array, column: Array) -> Array:
    """Which positions i32[n, 2] are the cell at row i32[], column i32[]: bool[n]."""
    return (positions[:, 0] == row) & (positions[:, 1] == column)


def on_wall(room: Array, row: Array, column: Array) -> Array:
    """Whether cells belong to the room's outer wall (doors included).

    Args:
        room: i32[2].
        row: i32[...].
        column: i32[...], same shape as row or broadcastable to it.

    Returns:
        bool[...].
    """
    within = (row >= 0) & (column >= 0) & (row < room[0]) & (column < room[1])
    edge = (row == 0) | (column == 0) | (row == room[0] - 1) | (column == room[1] - 1)
    return within & edge


def make_state(
    *,
    room: Array,
    position: Array,
    direction: Array,
    key_positions: Array,
    key_colours: Array,
    door_positions: Array,
    door_colours: Array,
    lava: Array,
    n_key_classes: int,
    height: int,
    word: jnp.dtype,
) -> GridState:
    """Build the state an episode starts from, before anything has been seen.

    Args:
        room: i32[2].
        position: i32[2], the agent's (row, column).
        direction: i32[].
        key_positions: i32[K, 2].
        key_colours: i32[K].
        door_positions: i32[D, 2], in caption order (by column, then row).
        door_colours: i32[D].
        lava: i32[L, 2].
        n_key_classes: C, the rows of the teacher's memory.
        height: H, the rows of the seen-map.
        word: unsigned integer type of the seen-map, at least as many bits as columns.

    Returns:
        The state, with an all-false seen-map.
    """
    n_keys, n_doors = key_positions.shape[0], door_positions.shape[0]
    entities = {
        Entities.PLAYER: Player.create(
            position=position[None], direction=direction[None], pocket=EMPTY_POCKET_ID[None]
        ),
        Entities.KEY: Key.create(
            position=key_positions, id=jnp.arange(n_keys, dtype=jnp.int32), colour=key_colours
        ),
        Entities.DOOR: Door.create(
            position=door_positions,
            # navix reads this only to draw a lock; which key opens a door is decided by colour.
            requires=jnp.zeros((n_doors,), jnp.int32),
            colour=door_colours,
            open=jnp.zeros((n_doors,), jnp.int32),
        ),
    }
    if lava.shape[0]:
        entities[Entities.LAVA] = Lava.create(position=lava)
    return GridState(
        key=None,
        grid=None,
        cache=None,
        entities=entities,
        events=EventsManager(),
        room=room,
        seen=jnp.zeros((height,), word),
        memory=jnp.full((n_key_classes, 2), -1, jnp.int32),
        clock=jnp.zeros((), jnp.int32),
    )


def with_rendering(state: GridState, height: int, width: int) -> GridState:
    """Fill in what navix's own observations draw from: the wall map and the tile cache.

    Args:
        state: a state without `grid` and `cache`.
        height: H.
        width: W.

    Returns:
        The same state with `grid` i32[H, W] (-1 wall, 0 floor) and a fresh rendering cache.
    """
    row, column = jnp.arange(height)[:, None], jnp.arange(width)[None, :]
    grid = jnp.where(on_wall(state.room, row, column), -1, 0)
    # No floor beneath a door would leave navix's view blocked where the door stands open.
    for d in range(state.doors.position.shape[0]):
        at_door = (row == state.doors.position[d, 0]) & (column == state.doors.position[d, 1])
        grid = jnp.where(at_door, 0, grid)
    return state.replace(grid=grid, cache=RenderingCache.init(grid))


OFF_GRID = DISCARD_PILE_COORDS
EMPTY_HANDED = EMPTY_POCKET_ID
