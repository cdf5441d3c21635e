"""A walker that knows the whole room and seeks out what random play hardly ever does; and what it did."""

from collections import Counter, deque

import numpy as np
from minigrid.core.actions import Actions
from minigrid.core.world_object import Door, Key, WorldObj

from tests.worlds.minigrid.paper.farama import MAX_STEPS, FaramaRoom

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # (x, y) of one step east, south, west, north
Cell = tuple[int, int]


def cells_of(env: FaramaRoom, kind: str | None) -> list[Cell]:
    """The (x, y) of every cell that holds an object of a kind (None: nothing)."""
    things = enumerate(env.grid.grid)
    return [(i % env.width, i // env.width) for i, thing in things if (thing.type if thing else None) == kind]


def approaches(env: FaramaRoom) -> list[Cell]:
    """For each door the only cell from which it can be reached."""
    walls = cells_of(env, "wall") + cells_of(env, "door")
    right, bottom = max(x for x, _ in walls), max(y for _, y in walls)
    found = []
    for x, y in cells_of(env, "door"):
        around = [(x + dx, y + dy) for dx, dy in STEPS]
        found.append(next((x, y) for x, y in around if 0 < x < right and 0 < y < bottom))
    return found


def route(env: FaramaRoom, target: Cell) -> list[int] | None:
    """Actions that bring the agent beside a cell, facing it, over empty cells; None if there is no way."""
    start = (*(int(v) for v in env.agent_pos), int(env.agent_dir))
    came: dict[tuple[int, int, int], tuple[tuple[int, int, int], int] | None] = {start: None}
    queue = deque([start])
    while queue:
        x, y, d = pose = queue.popleft()
        ahead = (x + STEPS[d][0], y + STEPS[d][1])
        if ahead == target:
            actions = []
            while (step := came[pose]) is not None:
                pose, action = step
                actions.append(action)
            return actions[::-1]
        moves = [((x, y, (d - 1) % 4), Actions.left), ((x, y, (d + 1) % 4), Actions.right)]
        if env.grid.get(*ahead) is None and (ahead[0] < env.width and ahead[1] < env.height):
            moves.append(((*ahead, d), Actions.forward))
        for then, action in moves:
            if then not in came:
                came[then] = (pose, int(action))
                queue.append(then)
    return None


class Walker:
    """Continues errands: walk up to some cell and do something there.

    Args:
        env: the room, already reset.
        rng: for all choices.
        patient: open no door before the last step the clock allows, then do.
    """

    def __init__(self, env: FaramaRoom, rng: np.random.Generator, patient: bool) -> None:
        self.env, self.rng, self.patient = env, rng, patient
        self.noise = float(rng.choice([0.0, 0.1, 0.4]))
        self.todo: list[int] = []
        self.finishing = False
        self.before_doors = approaches(env)

    def action(self) -> int:
        """The next action."""
        left = MAX_STEPS - self.env.step_count
        to_spare = 2 * (self.env.width + self.env.height)  # for the walk to the key and the door
        if self.patient and not self.finishing and left <= to_spare:
            self.finishing, self.todo = True, []
        if not self.finishing and self.rng.random() < self.noise:
            self.todo = []
            action = int(self.rng.choice(7, p=[0.1, 0.1, 0.2, 0.2, 0.2, 0.15, 0.05]))
        else:
            if not self.todo:
                self.todo = (self._finish(left) if self.finishing else None) or self._errand()
            action = self.todo.pop(0)
        return int(Actions.done) if self.patient and left > 1 and self._opens(action) else action

    def _ahead(self) -> WorldObj | None:
        return self.env.grid.get(*self.env.front_pos)

    def _opens(self, action: int) -> bool:
        door, held = self._ahead(), self.env.carrying
        return (
            action == Actions.toggle
            and isinstance(door, Door)
            and held is not None
            and held.color == door.color
        )

    def _finish(self, left: int) -> list[int] | None:
        """Fetch the key, go to the door and open it on the very last step; None if there is no way."""
        env = self.env
        colour = {cell: env.grid.get(*cell).color for cell in cells_of(env, "door") + cells_of(env, "key")}
        door_colours = {colour[door] for door in cells_of(env, "door")}
        if env.carrying and env.carrying.color not in door_colours:
            return [int(Actions.drop if self._ahead() is None else Actions.right)]
        if env.carrying:
            targets = [door for door in cells_of(env, "door") if colour[door] == env.carrying.color]
        else:
            targets = [key for key in cells_of(env, "key") if colour[key] in door_colours]
        routes = [path for path in (route(env, target) for target in targets) if path is not None]
        if not routes:
            return None
        path = min(routes, key=len)
        if not env.carrying:
            return [*path, int(Actions.pickup)]
        return [*path, *[int(Actions.done)] * (left - 1 - len(path)), int(Actions.toggle)]

    def _errand(self) -> list[int]:
        """Somewhere to go and something to do there."""
        env, rng = self.env, self.rng
        keys, doors, walls, lava = (cells_of(env, kind) for kind in ("key", "door", "wall", "lava"))
        around = {(x + dx, y + dy) for x, y in keys + lava for dx, dy in STEPS} | set(self.before_doors)
        free = sorted(around.intersection(cells_of(env, None)))
        choices = [
            (keys, Actions.pickup, 4),
            (keys, Actions.drop, 2),
            (keys, Actions.forward, 0.5),
            (doors, Actions.toggle, 2),
            (doors, Actions.drop, 1),
            (doors, Actions.pickup, 1),
            (walls, Actions.drop, 1),
            (walls, Actions.pickup, 1),
            (lava, Actions.drop, 1),
            (lava, Actions.forward, 0.15),
            (free, Actions.drop, 3),
        ]
        weights = np.array([weight if cells else 0.0 for cells, _, weight in choices])
        for _ in range(10):
            cells, action, _ = choices[rng.choice(len(choices), p=weights / weights.sum())]
            path = route(env, cells[rng.integers(len(cells))])
            if path is not None:
                return [*path, int(action)]
        return [int(rng.integers(3))]


def what_happens(env: FaramaRoom, action: int, before_doors: list[Cell]) -> list[str]:
    """Names of the rare events an action, about to be taken, will be."""
    x, y = (int(v) for v in env.front_pos)
    ahead, held = env.grid.get(x, y), env.carrying
    events = []
    if action == Actions.pickup and held and ahead:
        events.append(f"pickup with full hands before a {ahead.type}")
    if action == Actions.drop and held:
        around = [env.grid.get(x + dx, y + dy) for dx, dy in STEPS] if ahead is None else []
        events += [f"drop beside a {thing.type}" for thing in around if thing]
        events.append(f"drop on {'the floor' if ahead is None else f'a {ahead.type}'}")
    if action == Actions.toggle and isinstance(ahead, Door):
        fit = "no key" if not held else "its key" if held.color == ahead.color else "the wrong key"
        events.append(f"toggle a door with {fit}")
    if action == Actions.forward and ahead:
        events.append(f"forward into a {ahead.type}")
    if any(isinstance(env.grid.get(*cell), Key) for cell in before_doors):
        events.append("a key lies on a door's only approach")
    return events


def second_door(env: FaramaRoom, before: np.ndarray) -> list[str]:
    """What becomes of the doors' numbers if a step showed the second; `before` is the seen-map before it."""
    doors = cells_of(env, "door")
    known = [before[y, x] for x, y in doors]
    now = [env.seen[y, x] for x, y in doors]
    if sum(known) == 1 and sum(now) == 2:
        return ["second door seen later", f"the door known is now door{known.index(True) + 1}"]
    return []


def episode(env: FaramaRoom, rng: np.random.Generator, events: Counter[str]) -> dict[str, np.ndarray]:
    """Walk from reset to the end.

    Returns:
        Arrays [steps, ...] of the actions and of reward, terminated and truncated after them; and
        [steps + 1, ...] of the states, from the start to the one the episode ended in.
    """
    obs, _ = env.reset()
    walker = Walker(env, rng, patient=rng.random() < 0.7)
    rows: dict[str, list[object]] = {}

    def record(**values: object) -> None:
        for name, value in values.items():
            rows.setdefault(name, []).append(value)

    def record_state(obs: np.ndarray) -> None:
        x, y = env.agent_pos
        record(obs=obs, grid=env.true_grid(), seen=env.seen.copy(), carrying=env.carried())
        record(position=(y, x), direction=env.agent_dir)

    done = False
    while not done:
        record_state(obs)
        action, before = walker.action(), env.seen.copy()
        events.update(what_happens(env, action, walker.before_doors))
        obs, reward, terminated, truncated, _ = env.step(action)
        events.update(second_door(env, before))
        if truncated:
            events["a door opens on the last step" if reward else "time runs out"] += 1
        record(action=action, reward=reward, terminated=terminated, truncated=truncated)
        done = terminated or truncated
    record_state(obs)
    return {name: np.asarray(values) for name, values in rows.items()}
