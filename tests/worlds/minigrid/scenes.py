"""Small scenes drawn as text, for cases worked by hand."""

import jax.numpy as jnp
import numpy as np

from jaxteach.worlds.minigrid import kinds as k
from jaxteach.worlds.minigrid.rules import Play, play
from jaxteach.worlds.minigrid.state import State

KEY = k.code(k.KEY, k.RED)
BLUE_KEY = k.code(k.KEY, k.BLUE)
BALL = k.code(k.BALL, k.GREEN)
BOX = k.code(k.BOX, k.GREY)
# k a red key, o a ball, b an empty box, c a box with a blue key; red doors: L locked, D closed, O open.
SIGNS = {
    ".": k.EMPTY,
    "#": k.WALL_CODE,
    "_": k.code(k.FLOOR, k.BLUE),
    "k": KEY,
    "o": BALL,
    "b": BOX,
    "c": BOX | BLUE_KEY << 8,
    "L": k.code(k.LOCKED, k.RED),
    "D": k.code(k.CLOSED, k.RED),
    "O": k.code(k.OPEN, k.RED),
    "G": k.GOAL_CODE,
    "~": k.LAVA_CODE,
}
AGENTS = ">v<^"


def scene(*rows: str, carried: int = 0) -> State:
    """One environment from its picture; the agent is an arrow, on an empty cell."""
    cells = np.array([[SIGNS.get(sign, k.EMPTY) for sign in row] for row in rows])
    ((row, column, arrow),) = [
        (y, x, sign) for y, line in enumerate(rows) for x, sign in enumerate(line) if sign in AGENTS
    ]
    return State(
        grid=jnp.asarray(cells.reshape(1, -1), jnp.uint16),
        row=jnp.asarray([row], jnp.uint8),
        column=jnp.asarray([column], jnp.uint8),
        direction=jnp.asarray([AGENTS.index(arrow)], jnp.uint8),
        carried=jnp.asarray([carried], jnp.uint16),
        clock=jnp.zeros(1, jnp.uint16),
        mission=jnp.zeros(1, jnp.uint16),
    )


def act(state: State, height: int, width: int, action: int) -> tuple[State, Play]:
    """One action."""
    return play(state, jnp.asarray([action], jnp.uint8), None, height, width, boxes_hold=True)


def picture(state: State, width: int) -> tuple[str, ...]:
    """The scene drawn again."""
    signs = {code: sign for sign, code in SIGNS.items()} | {BLUE_KEY: "K"}
    text = [signs[int(code)] for code in state.grid[0]]
    text[int(state.row[0]) * width + int(state.column[0])] = AGENTS[int(state.direction[0])]
    return tuple("".join(text[i : i + width]) for i in range(0, len(text), width))
