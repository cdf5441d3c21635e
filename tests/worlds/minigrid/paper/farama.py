"""The tasks' worlds in Farama's MiniGrid: an independent engine to hold ours against."""

from typing import Any

import numpy as np
from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.core.world_object import Door, WorldObj
from minigrid.minigrid_env import MiniGridEnv

MAX_STEPS = 150


class FaramaRoom(MiniGridEnv):
    """A room laid out by hand. Farama's rules, plus: opening a door ends the episode with a reward.

    Everything seen stays on a map, as in the tasks; what is visible is Farama's own `process_vis`.

    Args:
        grid: u8[H, W, 3] (row, column): object, colour and state; the agent is not drawn.
        position: the agent's (row, column).
        direction: the agent's direction.
        view_size: side of the square view.

    Attributes:
        seen: bool[H, W], cells seen so far in this episode.
    """

    def __init__(
        self, grid: np.ndarray, position: tuple[int, int], direction: int, view_size: int = 3
    ) -> None:
        self._layout = np.asarray(grid), (int(position[0]), int(position[1])), int(direction)
        height, width = grid.shape[:2]
        super().__init__(
            mission_space=MissionSpace(mission_func=lambda: "open a door"),
            width=width,
            height=height,
            max_steps=MAX_STEPS,
            agent_view_size=view_size,
            see_through_walls=False,
        )

    def _gen_grid(self, width: int, height: int) -> None:
        cells, (row, column), direction = self._layout
        self.grid = Grid(width, height)
        for y, x in np.ndindex(height, width):
            self.grid.set(x, y, WorldObj.decode(*(int(v) for v in cells[y, x])))
        self.agent_pos, self.agent_dir = (column, row), direction
        self.carrying = None
        self.seen = np.zeros((height, width), bool)

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One action; the observation is the tasks' own, u8[H, W, 4]."""
        x, y = self.front_pos
        ahead = self.grid.get(x, y)
        obs, reward, terminated, truncated, info = super().step(action)
        if action == self.actions.toggle and isinstance(ahead, Door) and ahead.is_open:
            reward, terminated = self._reward(), True
        return obs, float(reward), terminated, truncated, info

    def gen_obs(self) -> np.ndarray:
        """Add what Farama finds visible to the map and return the observation, u8[H, W, 4]."""
        _, visible = self.gen_obs_grid()
        left, top, right, bottom = self.get_view_exts()
        for x in range(max(left, 0), min(right, self.width)):
            for y in range(max(top, 0), min(bottom, self.height)):
                if visible[self.relative_coords(x, y)]:
                    self.seen[y, x] = True
        x, y = self.agent_pos
        cells = np.where(self.seen[..., None], self.true_grid(), 0)
        cells[y, x] = self.carrying.encode() if self.carrying else (1, 0, 0)
        agent = np.full(self.seen.shape, 4)
        agent[y, x] = self.agent_dir
        return np.concatenate([cells, agent[..., None]], axis=-1).astype(np.uint8)

    def true_grid(self) -> np.ndarray:
        """The whole grid without the agent, u8[H, W, 3] (row, column)."""
        cells = [thing.encode() if thing else (1, 0, 0) for thing in self.grid.grid]
        return np.array(cells, np.uint8).reshape(self.height, self.width, 3)

    def carried(self) -> tuple[int, int]:
        """Object and colour held, (-1, -1) if none."""
        return self.carrying.encode()[:2] if self.carrying else (-1, -1)
