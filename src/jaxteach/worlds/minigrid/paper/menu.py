"""Options as actions: the options of a task, numbered; what each does now, and when it has ended."""

import dataclasses

import chex
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array

from jaxteach.teacher.plans import Option, all_options
from jaxteach.teacher.policy import ACTION_OF
from jaxteach.worlds.minigrid.paper import constants as c
from jaxteach.worlds.minigrid.paper.abstraction import sight_table
from jaxteach.worlds.minigrid.paper.option_policies import explore, read_boards
from jaxteach.worlds.minigrid.paper.paths import first_action
from jaxteach.worlds.minigrid.paper.state import heading
from jaxteach.worlds.minigrid.paper.task import Task

NO_OPTION = -1
"""What runs where no option does."""


@dataclasses.dataclass(frozen=True)
class Menu:
    """The options of a task; an option is the number of its place here.

    Attributes:
        task: the task.
        options: what can be chosen.
    """

    task: Task
    options: tuple[Option, ...]

    @property
    def object_of(self) -> np.ndarray:
        """i32[options], the canonical object each option is about, -1 for exploring."""
        objects = self.task.vocabulary.objects
        return np.array([objects.index(o.object) if o.object else -1 for o in self.options], np.int32)

    @property
    def fixed_action(self) -> np.ndarray:
        """i32[options], the action of an option that takes a single step, -1 for those that go on."""
        return np.array([ACTION_OF.get(o.kind, -1) for o in self.options], np.int32)


def make_menu(task: Task) -> Menu:
    """The menu of a task: explore, go to X, pick up X, drop X, open X, for its canonical objects."""
    return Menu(task, all_options(task.vocabulary.objects))


class Scene(struct.PyTreeNode):
    """What options need to know of N observations.

    Attributes:
        passable: uint[H, N], cells a path may use.
        row: i32[N], the agent's.
        column: i32[N].
        direction: i32[N].
        identity: i32[N, objects], the real object each canonical one stands for now, which keeps its number
            whatever it is called: a key its class, a door of several its cell; -1 if it is not known.
        place: i32[N, objects, 2], where each canonical object is, -1 if that is not known.
        known: bool[N, objects], objects that are seen or held.
        facing: bool[N, objects], objects right ahead.
        explore_action: i32[N].
        explored: bool[N], nothing is left to explore.
    """

    passable: Array
    row: Array
    column: Array
    direction: Array
    identity: Array
    place: Array
    known: Array
    facing: Array
    explore_action: Array
    explored: Array


def look_around(menu: Menu, obs: Array, memory: Array) -> Scene:
    """Work out what options need to know.

    Args:
        menu: static.
        obs: u8[N, H, W, 4].
        memory: i32[N, C, 2], where a key of each class was last seen lying.
    """
    chex.assert_rank([obs, memory], [4, 3])
    percept = menu.task.perceive(obs)
    row, column = percept.row, percept.column
    boards = read_boards(obs)
    explore_action, explored = explore(boards, row, column, percept.direction, obs.shape[2])
    entity = jnp.asarray(sight_table(menu.task.vocabulary).object_entity)[percept.code]  # [N, objects]
    doors = jnp.stack([percept.door_rows.T, percept.door_columns.T], axis=-1)  # [N, D, 2]
    places = jnp.concatenate([memory, doors], axis=1)  # [N, C + D, 2]
    chosen = entity[:, :, None] == jnp.arange(places.shape[1])[None, None, :]
    place = jnp.sum(jnp.where(chosen[..., None], places[:, None], 0), axis=2)  # [N, objects, 2]
    known = entity >= 0
    place = jnp.where(known[..., None], place, -1)
    identity = entity
    if len(menu.task.vocabulary.doors) > 1:
        # Doors are numbered among those seen: another one found may take a door's number.
        n_classes, cell = memory.shape[1], place[..., 0] * obs.shape[2] + place[..., 1]
        identity = jnp.where(entity >= n_classes, n_classes + cell, entity)
    row_step, column_step = heading(percept.direction)
    ahead = jnp.stack([row + row_step, column + column_step], axis=-1)  # [N, 2]
    return Scene(
        passable=boards.passable,
        row=row,
        column=column,
        direction=percept.direction,
        identity=identity,
        place=place,
        known=known,
        facing=jnp.all(place == ahead[:, None], axis=-1),
        explore_action=explore_action,
        explored=explored,
    )


def has_ended(menu: Menu, scene: Scene, option: Array) -> Array:
    """Whether options begun earlier have come to their end.

    Exploring ends when nothing is left to explore, going to a thing when the agent faces it (or no
    longer knows it), any other option after its one step.

    Args:
        menu: static.
        scene: now.
        option: i32[N], begun at an earlier step.

    Returns:
        bool[N].
    """
    about = _about(menu, option)
    arrived = jnp.any(about & (scene.facing | ~scene.known), axis=1)
    exploring = jnp.asarray(menu.object_of)[option] < 0
    single = jnp.asarray(menu.fixed_action)[option] >= 0
    return single | jnp.where(exploring, scene.explored, arrived)


def action_of(menu: Menu, scene: Scene, option: Array) -> Array:
    """What options do now: wait (6) where one has ended, or lacks its object or a path to it.

    Args:
        menu: static.
        scene: now.
        option: i32[N].

    Returns:
        i32[N].
    """
    about = _about(menu, option)
    known, facing = jnp.any(about & scene.known, axis=1), jnp.any(about & scene.facing, axis=1)
    target = jnp.sum(jnp.where(about[..., None], scene.place, 0), axis=1)  # [N, 2]
    exploring = jnp.asarray(menu.object_of)[option] < 0
    fixed = jnp.asarray(menu.fixed_action)[option]
    walks = ~exploring & (fixed < 0) & known & ~facing
    # Without a target a search for a path ends at once.
    row, column = jnp.where(walks, target[:, 0], -1), jnp.where(walks, target[:, 1], -1)
    step = first_action(scene.passable, scene.row, scene.column, scene.direction, row, column)
    action = jnp.where(walks, step, c.DONE)
    action = jnp.where((fixed >= 0) & known, fixed, action)
    return jnp.where(exploring & ~scene.explored, scene.explore_action, action)


def running_option(menu: Menu, scene: Scene, option: Array) -> Array:
    """An option and the real object it is about, as one number: what runs must know it again.

    Names of objects change as more is seen: two keys, or two doors, may swap theirs.

    Args:
        menu: static.
        scene: now.
        option: i32[N].

    Returns:
        i32[N]; the option's own number as long as objects go by the names of their places in the
        vocabulary, as they always do where none is renamed.
    """
    return option + len(menu.options) * _renaming(menu, scene, option)


def option_of(menu: Menu, running: Array) -> Array:
    """The option that runs, i32[N], without its object; of no meaning where none does."""
    return jnp.maximum(running, 0) % len(menu.options)


def is_renamed(menu: Menu, scene: Scene, running: Array) -> Array:
    """Whether the object of what runs goes by another name than when it began, bool[N].

    Args:
        menu: static.
        scene: now.
        running: i32[N], see `running_option`.
    """
    option = option_of(menu, running)
    return (running != NO_OPTION) & (running_option(menu, scene, option) != running)


def _renaming(menu: Menu, scene: Scene, option: Array) -> Array:
    """By how much the real object of an option is shifted against its canonical one, i32[N]."""
    n_objects = len(menu.task.vocabulary.objects)
    most = n_objects + menu.task.height * menu.task.width  # more than there are numbers of objects
    shift = jnp.where(scene.known, scene.identity - jnp.arange(n_objects)[None], 0) % most  # [N, objects]
    return jnp.sum(jnp.where(_about(menu, option), shift, 0), axis=1)


def _about(menu: Menu, option: Array) -> Array:
    """Which object each option is about, bool[N, objects]."""
    n_objects = len(menu.task.vocabulary.objects)
    return jnp.asarray(menu.object_of)[option][:, None] == jnp.arange(n_objects)[None, :]
