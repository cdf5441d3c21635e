"""Tests of the random streams: their names, their numbers, and that no key is made anywhere else."""

import re
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxteach.training import streams

SOURCE = Path(streams.__file__).parents[1]


def words(key):
    """A key's two words."""
    return np.asarray(jax.random.key_data(key)).tolist()


def test_every_stream_has_its_numbers():
    """Those that results so far were made with."""
    plain = jax.random.key

    def fold(key, *numbers):
        for number in numbers:
            key = jax.random.fold_in(key, number)
        return key

    update = jax.random.split(fold(plain(0), 7, 3), 3)
    begin, layouts, actions = jax.random.split(update[0], 3)
    plans, errors = jax.random.split(update[2])
    play_actions, play_layouts = jax.random.split(fold(plain(1), 7, 5))
    ours = streams.update_keys(7, 3)
    rollout, teacher = streams.rollout_keys(ours.rollout), streams.teacher_keys(ours.teacher)
    evaluation = streams.evaluation_key(7)
    found = {
        "parameters": (streams.parameters_key(7), fold(plain(0), 7, 2**31)),
        "first layouts": (streams.layouts_key(7), fold(plain(0), 7, 2**31 + 1)),
        "layouts at a rollout's start": (rollout.start, begin),
        "layouts": (streams.by_step(rollout.layouts, 9), fold(layouts, 9)),
        "actions": (streams.by_step(rollout.actions, 9), fold(actions, 9)),
        "shuffles": (streams.by_step(ours.learn, 2), fold(update[1], 2)),
        "plans": (teacher.plans, plans),
        "errors": (teacher.errors, errors),
        "evaluation's first layouts": (streams.first_layouts_key(evaluation), fold(plain(1), 7, 2**31)),
        "evaluation's actions": (streams.play_keys(evaluation, 5).actions, play_actions),
        "evaluation's layouts": (streams.play_keys(evaluation, 5).layouts, play_layouts),
        "evaluation's pools": (streams.pool_key(evaluation, 5), fold(play_layouts, 2**31)),
        "drawn episodes": (streams.drawn_episode_key(4), fold(plain(2), 4)),
    }
    assert {name: words(key) for name, (key, _) in found.items()} == {
        name: words(key) for name, (_, key) in found.items()
    }
    numbers = [tuple(words(key)) for key, _ in found.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("default", ["rbg", "unsafe_rbg", "threefry2x32"])
def test_keys_name_their_generator(default):
    with jax.default_prng_impl(default):
        keys = [streams.seed_key(1), streams.evaluation_key(1), streams.drawn_episode_key(1)]
    assert {str(jax.random.key_impl(key)) for key in keys} == {streams.IMPLEMENTATION}


def test_no_key_is_made_anywhere_else():
    """But by worlds that draw while they run, of a reset's words; of no words where shapes are asked; and
    where a checkpoint's are read back.
    """
    made = {
        path.relative_to(SOURCE).as_posix(): re.findall(r"(?:random\.key|PRNGKey|wrap_key_data)\(.*", text)
        for path in SOURCE.rglob("*.py")
        if "random" in (text := path.read_text(encoding="utf-8"))
    }
    made = {path: calls for path, calls in made.items() if calls}
    wrapping = {"worlds/gymnax.py", "student/networks.py", "runs/run_folder.py"}
    assert set(made) == {"training/streams.py", *wrapping}
    assert all("impl=" in call for calls in made.values() for call in calls)
    assert all("wrap_key_data" in call for path in wrapping for call in made[path])
