"""What options do now, the teacher's and the hierarchical student's: `perceive` and `act`."""

import functools

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.tasks.language import Option
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.abstract_states import Vocabulary
from jaxteach.worlds.minigrid.paper.abstraction import Abstraction, perceive, situation_table
from jaxteach.worlds.minigrid.paper.option_policies import Boards, explore, read_boards
from jaxteach.worlds.minigrid.paper.paths import first_action
from jaxteach.worlds.minigrid.paper.state import compute_once, heading

ACTION_OF = {"pick up": c.PICKUP, "drop": c.DROP, "open": c.TOGGLE, "wait": c.DONE}
"""Options that take a single step, whatever the map looks like."""

EXPLORE, GO_TO = 0, 1
"""Groups of the options whose action depends on the map."""


class Scene(struct.PyTreeNode):
    """What options need to know of N observations.

    Attributes:
        situation: what is seen, held and where the agent is.
        boards: the map.
        memory: i32[N, C, 2], where a key of each class was last seen lying.
        width: W, cells in a row of the map (static).
    """

    situation: Abstraction
    boards: Boards
    memory: Array
    width: int = struct.field(pytree_node=False)


def option_groups(vocabulary: Vocabulary) -> tuple[tuple[int, ...], ...]:
    """Places of `explore`, and of all `go to`, among the task's options."""
    kinds = [option.kind for option in vocabulary.options]
    return tuple(tuple(i for i, k in enumerate(kinds) if k == kind) for kind in ("explore", "go to"))


def fixed_action(vocabulary: Vocabulary, state: int, option: Option) -> int | None:
    """See `Teachable.fixed_action`: an object never seen cannot be dealt with."""
    told = vocabulary.language.states[state]
    if option.object is not None and option.object not in (*told.fields["sees"], told.fields["holds"]):
        return c.DONE
    return ACTION_OF.get(option.kind)


def look_around(
    obs: Array, memory: Array, vocabulary: Vocabulary, key_class_colours: tuple[int | None, ...]
) -> tuple[Array, Scene]:
    """See `Teachable.perceive`.

    Args:
        obs: u8[N, H, W, 4].
        memory: i32[N, C, 2], where a key of each class was last seen lying.
        vocabulary: the task's object names.
        key_class_colours: the colour of each key class, None for any.

    Returns:
        Abstract states i32[N], and what options need to know.
    """
    chex.assert_rank([obs, memory], [4, 3])
    seen, boards = compute_once((perceive(obs, vocabulary, key_class_colours), read_boards(obs)))
    state = jnp.asarray(situation_table(vocabulary).state_index)[seen.code]
    return state, Scene(seen, boards, memory, obs.shape[2])


def act(vocabulary: Vocabulary, scene: Scene, group: int, option: Array) -> tuple[Array, Array]:
    """See `Teachable.act`.

    Exploring ends when nothing is left to explore, going to a thing when the agent faces it.

    Args:
        vocabulary: the task's object names.
        scene: of N observations.
        group: `EXPLORE` or `GO_TO`.
        option: i32[K, N], places among the task's options.

    Returns:
        Actions i32[K, N] and bool[K, N].
    """
    seen = scene.situation
    row, column, direction = seen.row, seen.column, seen.direction
    n_slots = option.shape[0]
    if group == EXPLORE:
        action, over = explore(scene.boards, row, column, direction, scene.width)
        return jnp.stack([action] * n_slots), jnp.stack([over] * n_slots)
    row_step, column_step = heading(direction)
    targets, ended = [], []
    for k in range(n_slots):
        place_row, place_column = _place(vocabulary, scene, option[k])
        faced = (place_row == row + row_step) & (place_column == column + column_step)
        # A target already faced needs no path; without one its search ends at once.
        targets.append((jnp.where(faced, -1, place_row), jnp.where(faced, -1, place_column)))
        ended.append(faced)

    def each(values: Array) -> Array:
        """Repeat a board or a vector for every slot: [..., N] -> [..., K * N]."""
        return jnp.concatenate([values] * n_slots, axis=-1)

    flat = [jnp.concatenate(parts) for parts in zip(*targets, strict=True)]  # [K * N] each
    pose = (each(row), each(column), each(direction))
    action = first_action(*compute_once((each(scene.boards.passable), *pose, *flat))).reshape(n_slots, -1)
    return action, jnp.stack(ended)


def subject(vocabulary: Vocabulary, scene: Scene, option: Array) -> Array:
    """See `Teachable.subject`: the real object that an option is about, a key's class or a door's cell.

    Names of objects change as more is seen: two keys, or two doors, may swap theirs.

    Args:
        vocabulary: the task's object names.
        scene: of N observations.
        option: i32[N].

    Returns:
        i32[N]; 0 for none, or one not known.
    """
    entity = _entity(vocabulary, scene, option)
    n_classes = len(vocabulary.key_classes)
    row, column = _place(vocabulary, scene, option)
    return jnp.where(entity < n_classes, entity + 1, n_classes + 1 + row * scene.width + column)


def _entity(vocabulary: Vocabulary, scene: Scene, option: Array) -> Array:
    """The real object that an option is about: key class k as k, door d as C + d, -1 for none, i32[N]."""
    names = _entities(vocabulary)
    n_options = names.shape[1]
    return jnp.asarray(names.reshape(-1))[scene.situation.code * n_options + option % n_options]


@functools.cache
def _entities(vocabulary: Vocabulary) -> np.ndarray:
    """i32[codes, options + 1], by situation and option the entity it is about; the last option is none."""
    table, objects = situation_table(vocabulary), vocabulary.objects
    about = [objects.index(o.object) if o.object else -1 for o in vocabulary.options]
    entity = np.concatenate([table.object_entity, np.full((len(table.state_index), 1), -1, np.int32)], axis=1)
    return entity[:, [*about, -1]]


def _place(vocabulary: Vocabulary, scene: Scene, option: Array) -> tuple[Array, Array]:
    """Where the object of an option is, row and column i32[N], -1 if that is not known."""
    entity = _entity(vocabulary, scene, option)
    rows = [*scene.memory[:, :, 0].T, *scene.situation.door_rows]
    columns = [*scene.memory[:, :, 1].T, *scene.situation.door_columns]
    of_entity = [entity == e for e in range(len(rows))]
    return jnp.select(of_entity, rows, -1), jnp.select(of_entity, columns, -1)
