"""Tests of tasks' facts: what is known of a task without JAX is what the task itself says."""

import subprocess
import sys

import pytest

from jaxteach import tasks
from jaxteach.tasks import registry
from jaxteach.utils.errors import UserError
from jaxteach.worlds.minigrid.paper.facts.base import NUMBERS
from jaxteach.worlds.minigrid.paper.simple_door_key import SimpleDoorKey

NAMES = ("colored_door_key", "lava_door_key", "simple_door_key", "two_door")
ALL = [f"{name}:{variant}" for name in NAMES for variant in ("", *registry.facts_class(name).variants)]


@pytest.mark.parametrize("name", ALL)
def test_facts_are_the_task_s_own(name):
    facts, task = tasks.task_facts(name, n_lava=1), tasks.make_task(name, n_lava=1)
    for number in (*NUMBERS, "height", "width", "max_steps", "env_steps"):
        assert getattr(facts, number) == getattr(task, number)
    words = "name facts defaults variants vocabulary language key_classes key_class_colours".split()
    for word in words:
        assert getattr(facts, word) == getattr(task, word)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("simple_door_key", {"room_max": 11}),
        ("simple_door_key", {"view_size": 4}),
        ("colored_door_key", {"n_keys": 4}),
        ("two_door", {"room_min": 5}),
        ("two_door:nowhere", {}),
        ("nowhere", {}),
    ],
)
def test_facts_and_task_refuse_alike(name, numbers):
    with pytest.raises(UserError) as by_facts:
        tasks.task_facts(name, **numbers)
    with pytest.raises(UserError) as by_task:
        tasks.make_task(name, **numbers)
    assert str(by_facts.value) == str(by_task.value)


def test_they_are_known_without_jax():
    code = (
        "import sys\nfrom jaxteach import tasks\n"
        "for name in tasks.task_names(): tasks.task_facts(name).vocabulary.states\n"
        "assert not tasks.needs_jax(*tasks.task_names())\n"
        "assert not {'jax', 'navix', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_class_defined_elsewhere_states_them_itself(monkeypatch):
    monkeypatch.setattr(registry._tasks, "_registered", {})

    @tasks.register_task
    class Elsewhere(SimpleDoorKey):
        name = "elsewhere"
        variants = {"large": {"room_min": 8}}  # noqa: RUF012

    assert tasks.needs_jax(None, "elsewhere:large") and tasks.needs_jax("two_door", "elsewhere")
    assert not tasks.needs_jax(None, "two_door:small_rooms", "no task at all")
    assert tasks.task_facts("elsewhere:large").room_min == 8
    assert tasks.language("elsewhere") == tasks.language("simple_door_key")
