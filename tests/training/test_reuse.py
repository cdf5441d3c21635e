"""Tests of one program serving many configurations: what it may be given, and that it makes no difference."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxteach.config import PPO, Corrupt, Decay, Distill, Rollout, Student, resolve
from jaxteach.teacher.loading import load_teacher
from jaxteach.training import reuse_program, train
from tests.training.conftest import STEPS

OTHER = dataclasses.replace(
    STEPS,
    first_seed=40,
    decay=Decay("cosine", start=3.0, plateau_at=0.7),
    ppo=dataclasses.replace(STEPS.ppo, lr=5e-3, returns="monte_carlo", policy_weight=0.5),
)


def test_it_trains_as_a_program_compiled_for_it(program, table):
    reused = reuse_program(program, resolve(OTHER), table)
    assert reused is not None and reused.segment is program.segment and reused.compile_seconds == 0
    ours, anew = train(OTHER, table, program=reused), train(OTHER, table)
    for name, values in anew.metrics.items():
        np.testing.assert_array_equal(ours.metrics[name], values, err_msg=name)
    jax.tree.map(np.testing.assert_array_equal, ours.params, anew.params)
    assert ours.seed_ids[0] == 40
    np.testing.assert_allclose(ours.metrics["lambda"][:, 0], 3.0)


def test_it_leaves_the_program_as_it_was(program, table, training):
    reuse_program(program, resolve(OTHER), table)
    again = train(STEPS, table, [0], program=program)
    np.testing.assert_array_equal(again.metrics["lambda"], training.metrics["lambda"][:1])


def test_another_teacher_can_be_given(program):
    table = load_teacher("rule-ideal", "simple_door_key")
    config = resolve(dataclasses.replace(STEPS, teacher="rule-ideal"))
    reused = reuse_program(program, config, table)
    assert reused is not None and reused.plan.config.teacher == "rule-ideal"
    same = jax.tree.map(lambda a, b: np.array_equal(a, b), reused.teacher, program.teacher)
    assert not all(jax.tree.leaves(same))


def test_adaptive_decay_comes_with_the_teachers_success(program, table):
    config = resolve(dataclasses.replace(STEPS, decay=Decay("adaptive")))
    reused = reuse_program(program, config, table)
    assert reused is not None
    assert 0 < float(reused.hyper.teacher_success[0]) <= 1
    assert reused.known is not None  # so that the end of the run does not measure it again
    assert float(program.hyper.teacher_success[0]) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"env_steps": 1024},
        {"seeds_per_chunk": 4},
        {"student": Student("ego", hidden=16)},
        {"ppo": PPO(epochs=1, minibatch=16)},
        {"ppo": PPO(epochs=2, minibatch=32)},
        {"rollout": Rollout("steps", envs=8, steps=16)},
        {"distill": Distill("js")},
        {"distill": Distill(teacher="hard")},
        {"distill": Distill(teacher="argmax")},
        {"distill": Distill(teacher="held")},
        {"variant": dataclasses.replace(STEPS.variant, n_lava=1)},
        {"task": "lava_door_key"},
        {"corrupt": Corrupt(0.5, "noise")},
    ],
)
def test_what_it_was_compiled_for_cannot_change(program, table, changes):
    assert reuse_program(program, resolve(dataclasses.replace(STEPS, **changes)), table) is None


def test_a_teacher_can_neither_come_nor_go(program):
    assert reuse_program(program, resolve(dataclasses.replace(STEPS, teacher="none")), None) is None
