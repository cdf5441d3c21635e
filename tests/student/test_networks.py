"""Tests of the networks: convolution, recurrence, initialisation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.student.networks import make_student, patches
from jaxteach.tasks import make_task
from tests.student.conftest import VIEW, random_maps

STUDENTS = ("ego", "cnn", "gru")
HIDDEN = 16


@functools.cache
def student_of(name):
    """A student and its fresh parameters."""
    student = make_student(name, HIDDEN, make_task("simple_door_key", height=7, width=7, room_max=7))
    return student, jax.jit(student.init)(jax.random.key(3))


@functools.partial(jax.jit, static_argnums=0)
def apply(student, *arguments):
    return student.apply(*arguments)


@functools.partial(jax.jit, static_argnums=0)
def unroll(student, *arguments):
    return student.unroll(*arguments)


@jax.jit
def convolution(x, kernel, bias):
    """A 3x3 convolution with zero padding, by XLA; kernel f32[9 C, O], neighbourhoods row by row."""
    weights = kernel.reshape(3, 3, x.shape[-1], -1)
    y = jax.lax.conv_general_dilated(x, weights, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jax.nn.relu(y + bias.reshape(1, 1, 1, -1))


def test_patches_times_kernel_is_a_convolution():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 6, 3)).astype(np.float32)
    kernel = rng.normal(size=(27, 4)).astype(np.float32)
    found = jax.nn.relu(patches(jnp.asarray(x)) @ kernel)
    np.testing.assert_allclose(found, convolution(x, kernel, np.zeros(4)), rtol=1e-4, atol=1e-5)


def test_cnn_is_the_references_network():
    """Three 3x3 convolutions of 16, 32 and 64 channels on the raw map, then separate heads."""
    student, params = student_of("cnn")
    maps = random_maps(VIEW, 5)
    logits, value, _ = apply(student, params, student.features(maps), student.blank(5), jnp.zeros(5, bool))
    x = jnp.asarray(maps, jnp.float32)
    for i, channels in enumerate((16, 32, 64)):
        x = convolution(x, **params[f"conv_{i}"])
        assert x.shape == (5, VIEW.height, VIEW.width, channels)
    x = x.reshape(5, -1)
    for head, output in (("actor", logits), ("critic", value[:, None])):
        layer, last = params[head], params["policy" if head == "actor" else "value"]
        y = jax.nn.relu(x @ layer["kernel"] + layer["bias"][None]) @ last["kernel"] + last["bias"][None]
        np.testing.assert_allclose(output, y, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def sequence():
    """Features of 3 environments over 6 steps; episodes begin here and there."""
    student, params = student_of("gru")
    x = student.features(random_maps(VIEW, 18)).reshape(3, 6, -1)
    first = np.zeros((3, 6), bool)
    first[0, 0] = first[1, 3] = first[2, 1] = first[2, 4] = True
    hidden = jax.random.normal(jax.random.key(0), (3, HIDDEN))
    # Fresh policies hardly tell states apart: a larger last layer lets differences show.
    params = params | {"policy": {**params["policy"], "kernel": 100 * params["policy"]["kernel"]}}
    return student, params, x, hidden, jnp.asarray(first)


def test_unrolling_equals_stepping(sequence):
    student, params, x, hidden, first = sequence
    logits, values = unroll(student, params, x, hidden, first)
    assert (logits.shape, values.shape) == ((3, 6, 7), (3, 6))
    for t in range(6):
        one, value, hidden = apply(student, params, x[:, t], hidden, first[:, t])
        np.testing.assert_allclose(logits[:, t], one, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(values[:, t], value, rtol=1e-4, atol=1e-5)


def test_memory_ends_where_an_episode_begins(sequence):
    student, params, x, hidden, first = sequence
    logits, _ = unroll(student, params, x, hidden, first)
    other, _ = unroll(student, params, x, hidden + 1.0, first)
    remembers = np.asarray(jnp.any(jnp.abs(logits - other) > 1e-6, axis=-1))
    since_start = np.cumsum(first, axis=1) > 0
    np.testing.assert_array_equal(remembers, ~since_start)


@pytest.mark.parametrize("name", STUDENTS)
def test_initialisation_is_orthogonal(name):
    _, params = student_of(name)
    gains = {"policy": 0.01, "value": 1.0, "gates": 1.0, "candidate": 1.0}
    assert {"policy", "value"} < set(params)
    for layer, parts in params.items():
        kernel = np.asarray(parts["kernel"])
        short = kernel if kernel.shape[0] <= kernel.shape[1] else kernel.T
        expected = gains.get(layer, np.sqrt(2)) ** 2 * np.eye(len(short))
        np.testing.assert_allclose(short @ short.T, expected, atol=1e-5, err_msg=layer)
        np.testing.assert_array_equal(parts["bias"], 0)


@pytest.mark.parametrize("name", STUDENTS)
def test_students_begin_undecided_and_differ_by_key(name):
    student, params = student_of(name)
    x = student.features(random_maps(VIEW, 8))
    logits, value, hidden = apply(student, params, x, student.blank(8), jnp.ones(8, bool))
    assert (logits.shape, value.shape, hidden.shape) == ((8, 7), (8,), (8, student.state_size))
    np.testing.assert_allclose(jax.nn.softmax(logits), 1 / 7, atol=0.1)
    other = jax.jit(student.init)(jax.random.key(4))
    assert np.any(np.asarray(other["policy"]["kernel"]) != np.asarray(params["policy"]["kernel"]))


@pytest.mark.parametrize("name", STUDENTS)
def test_features_are_bytes_of_the_stated_width(name):
    student, _ = student_of(name)
    x = student.features(random_maps(VIEW, 4))
    assert (x.dtype, x.shape) == (jnp.uint8, (4, student.n_features))
