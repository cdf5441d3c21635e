"""What layouts are like, counted: the same counts for our levels and for Farama's."""

import dataclasses
import functools
import itertools
from collections.abc import Iterable

import jax
import numpy as np
from scipy.stats import chi2_contingency, norm

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.engine import fresh
from jaxteach.worlds.minigrid.level import Level
from jaxteach.worlds.minigrid.state import State

COUNTED = ("door", "key", "ball", "box", "goal")
STATES = ("open", "closed", "locked")
# Pairs of things of these kinds are measured; walls and lava are too many.
Counts = dict[str, dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Layouts:
    """n first states: cells u16[n, H, W] (codes), row, column and direction i64[n], missions."""

    cells: np.ndarray
    row: np.ndarray
    column: np.ndarray
    direction: np.ndarray
    mission: np.ndarray


@functools.cache
def _generator(level: Level):
    return jax.jit(lambda words: fresh(level, words))


def first_states(level: Level, n: int, seed: int) -> State:
    """n first states that we draw, as NumPy arrays."""
    words = np.random.default_rng(seed).integers(0, 2**32, (n, 2), np.uint32)
    parts = [_generator(level)(part) for part in np.split(words, max(1, n // 1000))]
    state = jax.tree.map(lambda *leaves: np.concatenate([np.asarray(leaf) for leaf in leaves]), *parts)
    return state


def draw(level: Level, n: int, seed: int) -> Layouts:
    """n layouts that we draw."""
    state = first_states(level, n, seed)
    return Layouts(
        state.grid.astype(np.uint16).reshape(n, level.height, level.width),
        state.row.astype(int),
        state.column.astype(int),
        state.direction.astype(int),
        np.array(level.missions)[state.mission],
    )


def count(layouts: Layouts) -> Counts:
    """For each statistic, and each value it takes, how often every layout has it: i64[n]."""
    n = len(layouts.cells)
    kind, colour, state = k.channels(layouts.cells)
    counts: Counts = {}
    for number in np.unique(kind):
        name = k.KIND_NAMES[number]
        if name == "empty":
            continue
        at = kind == number
        for row, column in np.argwhere(at.any(axis=0)):
            counts.setdefault(f"cells {name}", {})[f"{column},{row}"] = at[:, row, column].astype(int)
        total = at.sum(axis=(1, 2))
        counts[f"number {name}"] = {str(v): (total == v).astype(int) for v in np.unique(total)}
        if name != "wall":
            counts[f"colours {name}"] = {
                text: (at & (colour == i)).sum(axis=(1, 2)) for i, text in enumerate(k.COLOURS)
            }
    doors = kind == k.DOOR
    if doors.any():
        counts["door_states"] = {
            text: (doors & (state == i)).sum(axis=(1, 2)) for i, text in enumerate(STATES)
        }
    held = layouts.cells >> 8
    for content in np.unique(held[held > 0]):
        text = f"grey>key {k.COLOURS[content >> 4 & 7]}"
        counts.setdefault("contents", {})[text] = (held == content).sum(axis=(1, 2))
    counts["agent"] = _labels(
        np.char.add(np.char.add(layouts.column.astype(str), ","), layouts.row.astype(str))
    )
    counts["direction"] = _labels(layouts.direction.astype(str))
    counts["mission"] = _labels(layouts.mission)
    by_row, by_column = np.array([0, 1, 0, -1]), np.array([1, 0, -1, 0])
    direction = layouts.direction
    front = kind[np.arange(n), layouts.row + by_row[direction], layouts.column + by_column[direction]]
    counts["front"] = _labels(np.array(k.KIND_NAMES)[front])
    return counts | _distances(layouts, kind)


def _labels(labels: np.ndarray) -> dict[str, np.ndarray]:
    return {str(v): (labels == v).astype(int) for v in np.unique(labels)}


def _distances(layouts: Layouts, kind: np.ndarray) -> Counts:
    """Manhattan distances of all pairs of things."""
    n = len(kind)
    numbers = [k.KIND_NAMES.index(name) for name in COUNTED]
    where = np.argwhere(np.isin(kind, numbers))
    order = np.arange(len(where)) - np.searchsorted(where[:, 0], where[:, 0])
    most = order.max(initial=-1) + 1
    things = np.zeros((n, most + 1, 3), int)  # row, column, kind; kind 0: none
    things[where[:, 0], order, :2] = where[:, 1:]
    things[where[:, 0], order, 2] = kind[tuple(where.T)]
    things[:, most] = np.stack([layouts.row, layouts.column, np.full(n, 99)], axis=1)
    names = {99: "agent", **dict(zip(numbers, COUNTED, strict=True))}
    longest = sum(kind.shape[1:]) + 1
    totals: dict[str, np.ndarray] = {}
    for i, j in itertools.combinations(range(most + 1), 2):
        a, b = things[:, i], things[:, j]
        apart = np.abs(a[:, :2] - b[:, :2]).sum(axis=1)
        both = (a[:, 2] > 0) & (b[:, 2] > 0)
        for x, y in {tuple(pair) for pair in np.stack([a[both, 2], b[both, 2]], axis=1).tolist()}:
            text = "-".join(sorted((names[x], names[y])))
            here = np.flatnonzero(both & (a[:, 2] == x) & (b[:, 2] == y))
            table = totals.setdefault(f"distance {text}", np.zeros((n, longest), int))
            np.add.at(table, (here, apart[here]), 1)
    return {
        name: {str(d): table[:, d] for d in np.flatnonzero(table.any(axis=0))}
        for name, table in totals.items()
    }


def sums(counts: Counts) -> dict[str, dict[str, int]]:
    """Each value's count over all layouts."""
    return {name: {v: int(c.sum()) for v, c in values.items()} for name, values in counts.items()}


def p_values(ours: Counts, theirs: dict[str, dict[str, int]], n: int) -> dict[str, float]:
    """How probable the differences from n layouts of another generator are, for each statistic.

    Where each layout has one value, a chi-square test of both samples; else, as a layout's counts depend on
    each other, the largest deviation of any value's mean, against its own spread, after Bonferroni.

    Args:
        ours: counts by layout.
        theirs: counts over all of their layouts.
        n: how many those are.
    """
    return {name: _p_value(ours.get(name, {}), theirs.get(name, {}), n) for name in sorted({*ours, *theirs})}


def _p_value(ours: dict[str, np.ndarray], theirs: dict[str, int], n: int) -> float:
    values = sorted({*ours, *theirs})
    size = len(next(iter(ours.values()))) if ours else 1
    mine = np.stack([ours.get(v, np.zeros(size, int)) for v in values], axis=1)
    other = np.array([theirs.get(v, 0) for v in values])
    happens = (mine.any(axis=0)) | (other > 0)
    mine, other = mine[:, happens], other[happens]
    total = mine.sum(axis=0)
    if (mine.sum(axis=1) == 1).all() and other.sum() == n:
        return _chi_square(total, other)
    mean = (total + other) / (size + n)
    spread = np.maximum(mine.var(axis=0), mean * (1 - np.minimum(mean, 0.99)))
    rare = mean * n < 5
    spread = np.where(rare, np.maximum(spread, mean), spread)
    if not spread.any():
        return 1.0 if (total * n == other * size).all() else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.abs(total / size - other / n) / np.sqrt(spread / size + spread / n)
    z = np.where(rare, 0, np.nan_to_num(z, nan=0, posinf=99))
    pooled = _pooled(total[rare].sum(), other[rare].sum(), size, n) if rare.any() else 1.0
    return float(min(1.0, 2 * norm.sf(z.max()) * len(other), pooled))


def _chi_square(total: np.ndarray, other: np.ndarray) -> float:
    """Two samples of one label a layout; rare labels are taken together."""
    table = np.stack([total, other]).astype(float)
    rare = other.sum() * table.sum(axis=0) / table.sum() < 5
    if rare.any():
        table = np.concatenate([table[:, ~rare], table[:, rare].sum(axis=1, keepdims=True)], axis=1)
    if table.shape[1] < 2:
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)


def _pooled(mine: int, other: int, size: int, n: int) -> float:
    """Rare values together, as one Poisson count each."""
    if mine + other == 0:
        return 1.0
    rate = (mine + other) / (size + n)
    return float(2 * norm.sf(abs(mine / size - other / n) / np.sqrt(rate / size + rate / n)))


def flat(stats: dict[str, dict]) -> dict[str, dict[str, int]]:
    """Recorded statistics of one level in the form of `sums`."""
    out: dict[str, dict[str, int]] = {}
    for name in ("cells", "colours", "number", "distance"):
        for what, values in stats.get(name, {}).items():
            out[f"{name} {what}"] = dict(values)
    for name in ("agent", "front", "mission", "door_states", "contents"):
        if name in stats:
            out[name] = dict(stats[name])
    out["direction"] = {str(i): v for i, v in enumerate(stats["direction"]) if v}
    return out


def worst(found: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """The least probable first."""
    return sorted(found, key=lambda pair: pair[1])
