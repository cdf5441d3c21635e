"""MiniGrid's numbers: objects, colours, door states, directions and actions."""

# Objects (observation channel 0).
UNSEEN, EMPTY, WALL, FLOOR, DOOR, KEY, BALL, BOX, GOAL, LAVA, AGENT = range(11)

# Colours (observation channel 1).
RED, GREEN, BLUE, PURPLE, YELLOW, GREY = range(6)
COLOUR_NAMES = ("red", "green", "blue", "purple", "yellow", "grey")

# Door states (observation channel 2).
OPEN, CLOSED, LOCKED = range(3)

# Directions, clockwise; (row, column) offsets: `engine.state.heading`.
EAST, SOUTH, WEST, NORTH = range(4)

# Observation channel 3 where the agent is not.
NO_AGENT = 4

# Actions.
LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
N_ACTIONS = 7
ACTION_NAMES = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
