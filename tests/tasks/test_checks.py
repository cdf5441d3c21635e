"""A task that breaks the protocol is refused in one line that names the field."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import pytest

from jaxteach import tasks
from jaxteach.tasks.checks import check_task
from jaxteach.tasks.language import NamedState
from jaxteach.tasks.protocol import Outcome
from jaxteach.utils.errors import UserError
from jaxteach.worlds.gymnax import GymnaxTask
from tests.worlds.chase import Chase, make_task


def changed(**attributes: Any) -> GymnaxTask:
    """The chase with other attributes; a function becomes a method."""
    task = make_task()
    for name, value in attributes.items():
        setattr(task, name, value)
    return task


def lacking(name: str) -> Any:
    """The chase without one attribute or method."""

    class Lacking(GymnaxTask):
        def __getattribute__(self, asked: str) -> Any:
            if asked == name:
                raise AttributeError(asked)
            return super().__getattribute__(asked)

    task = make_task()
    task.__class__ = Lacking
    return task


def outcome_with(**fields: Any) -> GymnaxTask:
    """The chase whose step gives an outcome with other fields."""
    task = make_task()
    step = task.step

    def other(state: Any, action: Any) -> Any:
        state, outcome = step(state, action)
        return state, outcome.replace(**fields)

    task.step = other  # type: ignore[method-assign]
    return task


def described(**fields: Any) -> GymnaxTask:
    """The chase with another language."""
    task = make_task()
    task.language = dataclasses.replace(task.language, **fields)
    return task


def grouped(act: Any, fixed: Any = None) -> GymnaxTask:
    """The chase with options that `act` decides."""
    return changed(option_groups=((0, 1, 2),), act=act, fixed_action=lambda state, option: fixed)


STATES = make_task().language.states
TRUE = jnp.ones((), bool)
BROKEN = [
    (lambda: changed(max_steps=2.5), "its max_steps is 2.5, not of type int"),
    (lambda: changed(max_steps=0), "its max_steps is 0, not at least 1"),
    (lambda: changed(action_names=["a"]), "its action_names is ['a'], not of type tuple"),
    (lambda: changed(action_names=("a", "a")), "its action_names ('a', 'a') are not different names"),
    (lambda: changed(action_names=()), "its action_names () are not different names"),
    (lambda: changed(no_op=3), "its no_op 3 is not the place of an action"),
    (lambda: changed(pool_size=None), "its pool_size is None, not of type int"),
    (lambda: changed(language={}), "its language is {}, not of type Language"),
    *((lambda n=name: lacking(n), f"it has no {name}") for name in ("n_draws", "facts", "language", "no_op")),
    *(
        (lambda n=name: lacking(n), f"it has no {name}")
        for name in (
            "reset",
            "step",
            "update_seen",
            "observe",
            "features",
            "recall",
            "perceive",
            "fixed_action",
        )
    ),
    (lambda: changed(reset=lambda words: 1 / 0), "its reset fails: ZeroDivisionError: division by zero"),
    (lambda: changed(step=lambda state, action: state), "its step does not give a pair (state, outcome)"),
    (lambda: changed(step=lambda state, action: (state, ())), "its step gives tuple, not an Outcome"),
    (
        lambda: changed(step=lambda state, action: (state, Outcome(0.0, TRUE, TRUE))),
        "missing 1 required positional argument: 'success'",
    ),
    (
        lambda: changed(step=lambda state, action: ((), outcome_with().step(state, action)[1])),
        "its step gives a state of other shapes or types than its reset",
    ),
    (
        lambda: changed(step=lambda state, action: (1 / 0 if action == 1 else state, None)),
        "its step fails: TracerBoolConversionError",
    ),
    (lambda: changed(update_seen=lambda state: ()), "its update_seen gives a state of other shapes"),
    (lambda: outcome_with(reward=jnp.zeros((), jnp.int32)), "its outcome's reward is int32[], not float32[]"),
    (lambda: outcome_with(reward=jnp.zeros((1,))), "its outcome's reward is float32[1], not float32[]"),
    (lambda: outcome_with(success=None), "its outcome's success is None, not bool[]"),
    (lambda: outcome_with(success=1), "its outcome's success is int32[], not bool[]"),
    (lambda: outcome_with(terminated=jnp.zeros(())), "its outcome's terminated is float32[], not bool[]"),
    (lambda: outcome_with(truncated=jnp.ones((2,), bool)), "its outcome's truncated is bool[2], not bool[]"),
    (lambda: described(states=(NamedState(""), *STATES[1:])), "its state 0 has no text"),
    (lambda: described(states=(*STATES[1:], None)), "its state 3 has no text"),
    (lambda: described(states=(STATES[1], *STATES[1:])), "two of its states have the same text 'The target"),
    (lambda: described(questions=()), "its language has 0 questions for 4 states"),
    (lambda: described(options=()), "its language's options () are not Options"),
    (
        lambda: changed(fixed_action=lambda state, option: 3),
        "its fixed_action gives {3} for option 'step left'",
    ),
    (
        lambda: changed(fixed_action=lambda state, option: None),
        "its fixed_action gives None for option 'step left', which is in no option group",
    ),
    (lambda: changed(option_groups=((0, 3),)), "its option_groups ((0, 3),) do not hold places of options"),
    (lambda: changed(perceive=lambda obs, memory: obs), "its perceive does not give a pair"),
    (
        lambda: changed(perceive=lambda obs, memory: (obs[:, 0], ())),
        "its perceive's states is float32[2], not int32[2]",
    ),
    (lambda: grouped(lambda view, group, option: option), "its act does not give a pair"),
    (
        lambda: grouped(lambda view, group, option: (option[0], option > 0)),
        "its act's actions is int32[2], not int32[1, 2]",
    ),
    (
        lambda: grouped(lambda view, group, option: (option, option)),
        "its act's over is int32[1, 2], not bool[1, 2]",
    ),
    (lambda: changed(subject=lambda view, option: option > 0), "its subject is bool[2], not int32[2]"),
]


@pytest.mark.parametrize(("broken", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_what_breaks_the_protocol_is_named(broken: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_task(broken(), "acme (acme:task): its task 'chase'")
    said = str(caught.value)
    assert said.startswith("acme (acme:task): its task 'chase' breaks the protocol: ") and message in said
    assert "\n" not in said and len(said) < 500


def test_a_task_must_be_hashable() -> None:
    class Unhashable(GymnaxTask):
        __hash__ = None  # type: ignore[assignment]

    task = make_task()
    task.__class__ = Unhashable
    with pytest.raises(UserError, match="task 'chase' breaks the protocol: it is not hashable"):
        check_task(task, "task 'chase'")


def test_sound_tasks_pass() -> None:
    check_task(make_task(), "chase")
    check_task(make_task(states=(), abstract=None), "chase without a teacher")
    act = lambda view, group, option: (option, option > 5)  # noqa: E731
    check_task(grouped(act), "chase whose options act decides")
    check_task(tasks.make_task("colored_door_key"), "colored_door_key")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": object()}, "object has no reset(): not gymnax's interface"),
        ({"abstract": None}, "give states and abstract together, or neither"),
        ({"states": ()}, "give states and abstract together, or neither"),
        ({"action_names": ("a", "b")}, "2 names, 3 actions"),
        ({"action_names": ("Left", "b", "c")}, "its action names: 'Left' cannot be a verb"),
        ({"no_op": 3}, "no_op 3 is no action: 0..2"),
        ({"no_op": -1}, "no_op -1 is no action: 0..2"),
    ],
)
def test_what_a_gymnax_task_cannot_be_made_of(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        make_task(**changes)
    assert str(caught.value) == f"task chase: {message}" or message in str(caught.value)


def test_a_state_beyond_the_table_is_not_listed() -> None:
    obs = jnp.zeros((2, 3))
    for row in (-2, 4, 100):
        task = make_task(env=Chase(), abstract=lambda obs, row=row: jnp.int32(row))
        rows, _ = task.perceive(obs, ())
        assert rows.tolist() == [-1, -1]
        assert task.asked(obs[0], ()) is None
