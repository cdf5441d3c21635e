"""Where things lie when an episode starts: many draws against distributions worked out in plain Python."""

import functools
import itertools
from collections import Counter
from collections.abc import Iterable

import jax
import numpy as np
import pytest
from scipy.stats import chisquare

from jaxteach.tasks import make_task, task_names
from jaxteach.tasks.registry import task_class
from jaxteach.worlds.minigrid.paper.task import Task
from tests.worlds.minigrid.paper.play import draw_layouts

pytestmark = pytest.mark.unoptimised

N = 200_000
ALL = [f"{name}:{variant}" for name in task_names() for variant in ("", *task_class(name).variants)]
Cell = tuple[int, int]


def draw(task: Task, seed: int, n: int = N) -> dict[str, np.ndarray]:
    """n layouts; cells (row, column) as one number, 100 * row + column, so that they can be counted."""
    drawn = jax.tree.map(np.asarray, draw_layouts(task, seed, n))
    number = np.array([100, 1])
    arrays = {"rows": drawn["room"][:, 0], "columns": drawn["room"][:, 1], "direction": drawn["direction"]}
    arrays["agent"] = drawn["agent"] @ number
    for name in ("keys", "doors", "lava"):
        arrays |= {f"{name}{i}": cells @ number for i, cells in enumerate(drawn[name])}
    for name in ("key_colours", "door_colours"):
        arrays |= {f"{name}{i}": colours for i, colours in enumerate(drawn[name])}
    return arrays


def assert_distributed(observed: Iterable[np.ndarray], expected: dict[tuple[int, ...], float]) -> None:
    """Nothing outside the support, all of it in proportion (chi-square at fixed seeds: nothing flickers)."""
    assert sum(expected.values()) == pytest.approx(1)
    values, numbers = np.unique(np.stack(list(observed), axis=1), axis=0, return_counts=True)
    counts = Counter({tuple(int(v) for v in row): int(n) for row, n in zip(values, numbers, strict=True)})
    assert set(counts) <= set(expected), "drawn, but impossible"
    n = sum(counts.values())
    assert min(expected.values()) * n >= 5, "too few draws to judge"
    result = chisquare([counts[key] for key in expected], [p * n for p in expected.values()])
    assert result.pvalue > 1e-6, result


def interior(rows: int, columns: int) -> list[int]:
    """Cells inside a room."""
    return [100 * r + c for r in range(1, rows - 1) for c in range(1, columns - 1)]


@functools.cache
def doorways(rows: int, columns: int) -> dict[int, tuple[float, int]]:
    """For each possible door its probability (wall first, then the place) and the cell before it."""
    found = {}
    for c in range(1, columns - 1):
        found[c] = (1 / 4 / (columns - 2), 100 + c)
        found[100 * (rows - 1) + c] = (1 / 4 / (columns - 2), 100 * (rows - 2) + c)
    for r in range(1, rows - 1):
        found[100 * r] = (1 / 4 / (rows - 2), 100 * r + 1)
        found[100 * r + columns - 1] = (1 / 4 / (rows - 2), 100 * r + columns - 2)
    return found


@pytest.mark.parametrize("name", ["simple_door_key", "lava_door_key", "colored_door_key"])
def test_every_size_door_and_agent_cell(name: str) -> None:
    drawn = draw(make_task(name), seed=1)
    sizes = list(itertools.product(range(5, 11), repeat=2))
    assert_distributed((drawn["rows"], drawn["columns"]), dict.fromkeys(sizes, 1 / 36))
    doors = {(r, c, door): p / 36 for r, c in sizes for door, (p, _) in doorways(r, c).items()}
    assert_distributed((drawn["rows"], drawn["columns"], drawn["doors0"]), doors)
    cells = {(r, c, cell): 1 / 36 / ((r - 2) * (c - 2)) for r, c in sizes for cell in interior(r, c)}
    assert_distributed((drawn["rows"], drawn["columns"], drawn["agent"]), cells)


@pytest.mark.parametrize("name", ["simple_door_key", "lava_door_key"])
def test_the_key_lies_anywhere_in_rooms_of_every_size(name: str) -> None:
    drawn = draw(make_task(name), seed=2)
    sizes = itertools.product(range(5, 11), repeat=2)
    cells = {(r, c, cell): 1 / 36 / ((r - 2) * (c - 2)) for r, c in sizes for cell in interior(r, c)}
    assert_distributed((drawn["rows"], drawn["columns"], drawn["keys0"]), cells)


def test_simple_key_is_uniform_given_door_and_agent() -> None:
    drawn = draw(make_task("simple_door_key", room_min=5, room_max=5), seed=3)
    expected = {
        (door, agent, key): p / 9 / 8
        for door, (p, _) in doorways(5, 5).items()
        for agent, key in itertools.permutations(interior(5, 5), 2)
    }
    assert_distributed((drawn["doors0"], drawn["agent"], drawn["keys0"]), expected)


def test_lava_is_uniform_over_what_is_left_but_never_before_the_door() -> None:
    drawn = draw(make_task("lava_door_key", room_min=5, room_max=5), seed=4)
    expected = {}
    for door, (p, before) in doorways(5, 5).items():
        for agent, key in itertools.permutations(interior(5, 5), 2):
            free = set(interior(5, 5)) - {agent, key, before}
            expected |= {(door, agent, key, lava): p / 9 / 8 / len(free) for lava in free}
    assert_distributed((drawn["doors0"], drawn["agent"], drawn["keys0"], drawn["lava0"]), expected)


def test_colored_keys_are_uniform_over_what_is_left_but_never_before_the_door() -> None:
    drawn = draw(make_task("colored_door_key", room_min=5, room_max=5), seed=5)
    expected = {}
    for door, (p, before) in doorways(5, 5).items():
        for agent in interior(5, 5):
            pairs = list(itertools.permutations(set(interior(5, 5)) - {agent, before}, 2))
            expected |= {(door, agent, blue, red): p / 9 / len(pairs) for blue, red in pairs}
    assert_distributed((drawn["doors0"], drawn["agent"], drawn["keys0"], drawn["keys1"]), expected)


def test_two_door_doors_stand_on_opposite_walls_in_caption_order() -> None:
    drawn = draw(make_task("two_door"), seed=6)
    along = list(itertools.product(range(1, 19), repeat=2))
    sides = {(100 * r1, 100 * r2 + 19): 1 / 2 / len(along) for r1, r2 in along}  # west before east
    ends = Counter()  # north and south: by column; in one column north first
    for c1, c2 in along:
        north, south = c1, 1900 + c2
        ends[(north, south) if c1 <= c2 else (south, north)] += 1 / 2 / len(along)
    assert_distributed((drawn["doors0"], drawn["doors1"]), {**sides, **ends})
    assert set(drawn["rows"]) == set(drawn["columns"]) == {20}


def test_two_door_key_lies_in_the_middle_and_is_placed_before_the_agent() -> None:
    drawn = draw(make_task("two_door"), seed=7)
    middle = [909, 910, 1009, 1010]
    expected = {(key, agent): 1 / 4 / 323 for key in middle for agent in interior(20, 20) if agent != key}
    assert_distributed((drawn["keys0"], drawn["agent"]), expected)


@pytest.mark.parametrize("name", ["simple_door_key", "lava_door_key", "colored_door_key", "two_door"])
def test_direction_is_uniform_and_so_is_the_colour_that_key_and_door_share(name: str) -> None:
    drawn = draw(make_task(name), seed=8)
    if name == "colored_door_key":
        assert_distributed((drawn["direction"],), {(d,): 1 / 4 for d in range(4)})
        for thing, colour in (("door_colours0", 2), ("key_colours0", 2), ("key_colours1", 0)):
            assert set(drawn[thing]) == {colour}, thing
        return
    pairs = itertools.product(range(4), range(6))
    assert_distributed((drawn["direction"], drawn["door_colours0"]), dict.fromkeys(pairs, 1 / 24))
    for thing in [n for n in drawn if "colours" in n]:
        np.testing.assert_array_equal(drawn[thing], drawn["door_colours0"], err_msg=thing)


@pytest.mark.parametrize("name", ALL)
def test_nothing_overlaps_in_any_variant(name: str) -> None:
    task = make_task(name)
    drawn = draw(task, seed=9, n=4000)
    assert drawn["rows"].min() == drawn["columns"].min() == task.room_min
    assert drawn["rows"].max() == drawn["columns"].max() == task.room_max
    lying = [drawn[n] for n in drawn if n == "agent" or n[:-1] in ("keys", "lava")]
    assert len(lying) == 1 + task.n_keys + task.n_lava
    for one, other in itertools.combinations(lying, 2):
        assert (one != other).all()
    for cells in lying:
        row, column = cells // 100, cells % 100
        assert (row >= 1).all() and (row <= drawn["rows"] - 2).all()
        assert (column >= 1).all() and (column <= drawn["columns"] - 2).all()
    for d in range(len(task.vocabulary.doors)):
        for i in range(4000):
            _, before = doorways(int(drawn["rows"][i]), int(drawn["columns"][i]))[int(drawn[f"doors{d}"][i])]
            lava = [drawn[f"lava{k}"][i] for k in range(task.n_lava)]
            keys = [drawn[f"keys{k}"][i] for k in range(task.n_keys)]
            assert before not in lava
            assert not name.startswith("colored") or before not in keys
