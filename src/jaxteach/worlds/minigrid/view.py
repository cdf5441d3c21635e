"""What the agent sees: the square before it, lit, and shown as Farama shows it; the batch last."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.cut import VIEW, cut
from jaxteach.worlds.minigrid.kinds import EAST, NORTH, SOUTH
from jaxteach.worlds.minigrid.state import State, compute_once


class View(struct.PyTreeNode):
    """What N agents see, in their own frame: axis 0 leads ahead, axis 1 from their left to their right.

    Attributes:
        codes: code[V, V, N], 0 where nothing is seen; the agent's own cell shows what it holds.
        lit: u8[V, N], bit l of row f: the cell f ahead and l from the left is visible.
        doors: whether any code may be a door's.
    """

    codes: Array
    lit: Array
    doors: bool = struct.field(pytree_node=False, default=True)


def light(clear: Array) -> list[Array]:
    """Where light reaches: Farama's occlusion, row by row from the agent's outwards.

    In a row, visibility spreads sideways from every visible see-through cell until a cell that is
    not, which is seen too; then every visible see-through cell shows the three cells before it.

    Args:
        clear: u8[V, N], bit l of row f: the cell can be seen through.

    Returns:
        V words u8[N], as `View.lit`.
    """
    size = clear.shape[0]
    full = jnp.uint8((1 << size) - 1)
    # spans[i] bit l: the 2**i cells from l upwards are all clear.
    spans = [clear]
    for places in (1, 2):
        spans.append(spans[-1] & (spans[-1] >> jnp.uint8(places)))
    spans = compute_once(spans)
    rows = []
    lit = jnp.full(clear.shape[1:], 1 << size // 2, jnp.uint8)
    for f in range(size):
        row = clear[f]
        # Adding a bit to a run of ones carries through to the first zero: the whole run in one addition.
        upwards = ((row + (lit & row)) ^ row) | lit
        reached = upwards & row
        for places, span in zip((1, 2, 4), spans, strict=True):
            reached = reached | (span[f] & (reached >> jnp.uint8(places)))
        # A barrier a row: without it stacking computes the whole chain again for each row.
        lit = compute_once((upwards | reached | (reached >> jnp.uint8(1))) & full)
        rows.append(lit)
        through = lit & row
        lit = (through | (through << jnp.uint8(1)) | (through >> jnp.uint8(1))) & full
    return rows


def look(state: State, height: int, width: int, see_through: bool, view_size: int = VIEW) -> View:
    """What each agent sees.

    Args:
        state: N environments.
        height: H.
        width: W.
        see_through: whether walls and doors hide nothing.
        view_size: V, odd, at most 7.

    Returns:
        The views.
    """
    window = cut(state, height, width, view_size)
    if see_through:
        lit = jnp.full((view_size, state.row.shape[0]), (1 << view_size) - 1, jnp.uint8)
        shown = window
    else:
        clear = (~k.is_any(k.kind_of(window), k.OPAQUE)).astype(jnp.uint8)
        bits = clear[:, 0]
        for place in range(1, view_size):
            bits = bits | (clear[:, place] << jnp.uint8(place))
        lit = compute_once(jnp.stack(light(compute_once(bits))))
        lane = jnp.asarray(1 << np.arange(view_size), jnp.uint8)[None, :, None]
        shown = jnp.where((lit[:, None] & lane) != 0, window, window.dtype.type(0))
    own = np.zeros((view_size, view_size, 1), bool)
    own[0, view_size // 2] = True
    in_hand = jnp.where(state.carried == 0, window.dtype.type(k.EMPTY), state.carried)
    return View(codes=compute_once(jnp.where(own, in_hand[None, None], shown)), lit=lit)


def image_of(view: View) -> Array:
    """The observation as Farama gives it.

    Args:
        view: what N agents see.

    Returns:
        u8[N, V, V, 3], indexed [x, y]: x from the agent's left to its right, the agent at y = V - 1
        looking towards y = 0; kind, colour and state, (0, 0, 0) where nothing is seen.
    """
    channels = jnp.stack(k.channels(view.codes.astype(jnp.uint8)[::-1], view.doors))  # [3, V, V, N]
    if view.doors:
        channels = compute_once(channels)
    # Left to XLA: a reader that takes any order of axes pays nothing for this one.
    return jnp.transpose(channels, (3, 2, 1, 0))


def visible_of(view: View) -> Array:
    """Which cells of the view are visible, bool[N, V, V], indexed as `image_of`."""
    size = view.lit.shape[0]
    bits = view.lit[::-1].T[:, None, :] >> jnp.arange(size, dtype=jnp.uint8)[None, :, None]
    return (bits & jnp.uint8(1)) == 1


def unseen(n: int, height: int, view_size: int = VIEW) -> Array:
    """A seen-map on which nothing is known, u32[n, H + 2 (V - 1)]."""
    return jnp.zeros((n, height + 2 * (view_size - 1)), jnp.uint32)


def grow(seen: Array, state: State, view: View, width: int) -> Array:
    """The seen-maps with what is visible now added.

    Args:
        seen: u32[N, H + 2 (V - 1)], as `State.seen`.
        state: N environments.
        view: what they see.
        width: W, at most 32.

    Returns:
        As `seen`.
    """
    size = view.lit.shape[0]
    half = size // 2
    row, column, direction = (x.astype(jnp.int32) for x in (state.row, state.column, state.direction))
    upright = (direction == SOUTH) | (direction == NORTH)
    # Facing east, what lies i from the left is row i of the square, what lies j ahead its column j.
    east = compute_once([_column_of(view.lit, i) for i in range(size)])
    words = []
    for i in range(size):
        last = size - 1 - i
        across = jnp.where(direction == EAST, east[i], _backwards(east[last], size))
        # Facing south, the agent's left is the map's right.
        along = jnp.where(direction == SOUTH, _backwards(view.lit[i], size), view.lit[last])
        words.append(jnp.where(upright, along, across).astype(jnp.uint32))
    words = compute_once(words)
    top = jnp.where(upright, jnp.where(direction == SOUTH, row, row - size + 1), row - half)
    left = jnp.where(upright, column - half, jnp.where(direction == EAST, column, column - size + 1))
    up, down = jnp.maximum(left, 0).astype(jnp.uint32), jnp.maximum(-left, 0).astype(jnp.uint32)
    on_grid = jnp.uint32((1 << width) - 1)
    added = compute_once(jnp.stack([(word >> down << up) & on_grid for word in words], axis=1))
    rows = top[:, None] + (size - 1) + jnp.arange(size)[None]
    old = jnp.take_along_axis(seen, rows, axis=1, mode="promise_in_bounds")
    n = jnp.arange(seen.shape[0])[:, None]
    return seen.at[n, rows].set(old | added, mode="promise_in_bounds", unique_indices=True)


def _column_of(rows: Array, place: int) -> Array:
    """Bit `place` of each of the rows u8[V, N], as a word u8[N] whose bit j is row j's."""
    word = jnp.zeros_like(rows[0])
    for j in range(rows.shape[0]):
        word = word | (((rows[j] >> jnp.uint8(place)) & jnp.uint8(1)) << jnp.uint8(j))
    return word


def _backwards(word: Array, size: int) -> Array:
    """The `size` lowest bits of a word in reverse."""
    out = jnp.zeros_like(word)
    for j in range(size):
        out = out | (((word >> jnp.uint8(j)) & jnp.uint8(1)) << jnp.uint8(size - 1 - j))
    return out


def seen_cells(seen: Array, width: int, view_size: int = VIEW) -> Array:
    """The seen-map cell by cell.

    Args:
        seen: u32[N, H + 2 (V - 1)].
        width: W.
        view_size: V.

    Returns:
        bool[N, H, W].
    """
    margin = view_size - 1
    rows = seen[:, margin : seen.shape[1] - margin]
    return ((rows[:, :, None] >> jnp.arange(width, dtype=jnp.uint32)[None, None]) & 1) == 1


def map_of(state: State, height: int, width: int) -> Array:
    """Everything on the seen-maps, as it is now.

    Args:
        state: N environments that keep seen-maps.
        height: H.
        width: W.

    Returns:
        u8[N, H, W, 4]: kind, colour and state, (0, 0, 0) where nothing was seen; in the agent's cell
        what is held, else empty; the agent's direction there, 4 elsewhere.
    """
    assert state.seen is not None
    cells = state.grid.astype(jnp.uint8).reshape(-1, height, width)
    at = state.row.astype(jnp.int32) * width + state.column
    in_hand = jnp.where(state.carried == 0, jnp.uint8(k.EMPTY), state.carried.astype(jnp.uint8))
    at, in_hand = compute_once((at, in_hand))
    here = jnp.arange(height * width, dtype=jnp.int32).reshape(1, height, width) == at[:, None, None]
    shown = jnp.where(here, in_hand[:, None, None], cells)
    kind, colour, status = (channel.astype(jnp.uint32) for channel in k.channels(shown))
    # Four channels as one word: interleaving bytes costs more than all the rest.
    words = jnp.where(seen_cells(state.seen, width), kind | colour << 8 | status << 16, jnp.uint32(0))
    direction = jnp.where(here, state.direction[:, None, None].astype(jnp.uint32), jnp.uint32(4))
    return jax.lax.bitcast_convert_type(words | direction << 24, jnp.uint8)
