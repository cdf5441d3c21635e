"""Programs are lowered for accelerators that are not here: no callback, float64 or open shape."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxteach.config import PPO, Config, Student, resolve
from jaxteach.teacher.loading import load_teacher
from jaxteach.training.compilation import outline_program
from jaxteach.training.evaluation import play_students, play_teacher
from jaxteach.training.exported import LAYOUT
from jaxteach.training.loop import init_chunk, run_segment

PLATFORMS = ("cuda", "tpu")
SEEDS = 2
SLOW = pytest.mark.slow
RUNS = (
    ("simple_door_key", "chatglm", "ego"),
    pytest.param("lava_door_key", "chatglm", "cnn", marks=SLOW),
    pytest.param("colored_door_key", "chatglm", "gru", marks=SLOW),
    pytest.param("two_door", "chatglm", "ego", marks=SLOW),
    pytest.param("MiniGrid-KeyCorridorS3R3-v0", "rule-ideal", "ego", marks=SLOW),
    ("MiniGrid-DoorKey-8x8-v0", "rule-ideal", "cnn"),
    ("MiniGrid-Empty-5x5-v0", "none", "gru"),
    pytest.param("MiniGrid-MultiRoom-N4-S5-v0", "rule-ideal", "gru", marks=SLOW),
)
KNOWN = {
    "LayoutConstraint",
    "cusolver_geqrf_ffi",
    "cusolver_orgqr_ffi",
    "ProductOfElementaryHouseholderReflectors",
    "Qr",
}
"""What XLA itself understands on every platform, and what the orthogonal initialisation calls on either."""


def troubles(function, *arguments):
    """What an accelerator could not do, or only slowly; the arguments' values do not matter."""
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
    jitted, found = jax.jit(function), set()
    for platform in PLATFORMS:
        try:
            exported = export.export(jitted, platforms=[platform], disabled_checks=[LAYOUT])(*shapes)
            text = exported.mlir_module()
        except (NotImplementedError, ValueError) as error:  # callbacks cannot be exported
            return {str(error)}
        found |= set(re.findall(r"custom_call @(\w+)", text)) - KNOWN
        found |= set(re.findall(r"tensor<(?:\d+x)*f64>|tensor<[^>]*\?[^>]*>", text))
    return found


@pytest.mark.parametrize(("task", "teacher", "student"), RUNS)
def test_every_program_is_lowered(task, teacher, student):
    check_lowered(Config(task=task, teacher=teacher, student=Student(student)))


@SLOW
@pytest.mark.parametrize("method", ["hierarchical", "interruptible"])
def test_so_is_every_method_with_visits_counted(method):
    check_lowered(Config(task="colored_door_key", method=method, ppo=PPO(bonus="visits")))


def check_lowered(config):
    config = resolve(dataclasses.replace(config, seeds=SEEDS, seeds_per_chunk=SEEDS))
    outline = outline_program(config, load_teacher(config.teacher, config.task))
    plan, ids = outline.plan, jnp.zeros(SEEDS, jnp.uint32)
    begin = functools.partial(init_chunk, plan)
    state = jax.eval_shape(begin, ids)
    hyper = jax.tree.map(lambda x: np.repeat(x, SEEDS, axis=0), outline.hyper)
    segment = functools.partial(run_segment, plan, outline.segment_updates, SEEDS)

    def evaluation(params, ids):
        return play_students(plan.task, plan.student, params, ids, 8, False, plan.config.method)

    def alone(teacher):
        return play_teacher(plan.task, teacher, jnp.uint32(0), 8, False)

    assert troubles(begin, ids) == set()
    assert troubles(segment, state, ids, hyper, outline.teacher, jnp.int32(0)) == set()
    assert troubles(evaluation, state.params, ids) == set()
    assert outline.teacher is None or troubles(alone, outline.teacher) == set()


def test_what_an_accelerator_cannot_do_is_found():
    x = jnp.ones(3)
    assert troubles(lambda x: x + 1, x) == set()
    assert troubles(lambda x: jax.pure_callback(np.asarray, x, x), x)
    assert troubles(lambda x: jax.debug.print("{}", x) or x, x)
    with jax.enable_x64(True):
        assert troubles(lambda x: x.astype(jnp.float64), x) == {"tensor<3xf64>"}
