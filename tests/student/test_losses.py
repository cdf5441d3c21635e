"""Tests of the loss against plain NumPy, row by row, and of what its terms must ignore."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from jaxteach.student.losses import Batch, LossWeights, forward_kl, masked_mean, normalise, student_loss

N = 64
WEIGHTS = LossWeights(*(jnp.float32(x) for x in (0.2, 0.1, 0.5, 0.01, 3.0)))


loss_of = jax.jit(student_loss)
divergence_of = jax.jit(forward_kl)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


@pytest.fixture
def rows():
    """Random rows on both sides of every clip: logits, values and the batch."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(N, 7)).astype(np.float32)
    action = rng.integers(0, 7, N)
    old = np.log(softmax(logits + rng.normal(scale=0.5, size=(N, 7))))[np.arange(N), action]
    value = rng.normal(size=N).astype(np.float32)
    teacher = softmax(3 * rng.normal(size=(N, 7)))
    teacher[: N // 2] = np.eye(7)[rng.integers(0, 7, N // 2)]  # a certain teacher has zeros
    batch = Batch(
        action=jnp.asarray(action, jnp.int32),
        log_prob=jnp.asarray(old, jnp.float32),
        value=jnp.asarray(value + rng.normal(scale=0.2, size=N), jnp.float32),
        advantage=jnp.asarray(rng.normal(size=N), jnp.float32),
        returns=jnp.asarray(rng.normal(size=N), jnp.float32),
        teacher=jnp.asarray(teacher, jnp.float32),
        valid=jnp.asarray(rng.random(N) < 0.8),
    )
    return jnp.asarray(logits), jnp.asarray(value), batch


def plain_parts(logits, value, batch, weights):
    """The parts of the loss, one row after the other."""
    clip, value_clip = float(weights.clip), float(weights.value_clip)
    parts = {name: [] for name in ("policy_loss", "value_loss", "entropy", "approx_kl", "distill")}
    clipped = []
    for i in np.flatnonzero(batch.valid):
        p = softmax(np.asarray(logits[i], np.float64))
        ratio = p[batch.action[i]] / np.exp(float(batch.log_prob[i]))
        advantage = float(batch.advantage[i])
        surrogate = min(ratio * advantage, min(max(ratio, 1 - clip), 1 + clip) * advantage)
        clipped.append(surrogate != ratio * advantage)
        v, old, target = float(value[i]), float(batch.value[i]), float(batch.returns[i])
        near = min(max(v, old - value_clip), old + value_clip)
        q = np.asarray(batch.teacher[i], np.float64)
        parts["policy_loss"].append(-surrogate)
        parts["value_loss"].append(max((v - target) ** 2, (near - target) ** 2))
        parts["entropy"].append(-np.sum(p * np.log(p)))
        parts["approx_kl"].append(ratio - 1 - np.log(ratio))
        parts["distill"].append(sum(q[a] * np.log(q[a] / p[a]) for a in range(7) if q[a] > 0))
    assert 0.1 < np.mean(clipped) < 0.9  # else the test would not see the clipping
    return {name: np.mean(values) for name, values in parts.items()}


def test_loss_equals_plain_numpy(rows):
    loss, parts = loss_of(*rows, WEIGHTS)
    expected = plain_parts(*rows, WEIGHTS)
    for name, value in expected.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-4, err_msg=name)
    total = expected["policy_loss"] + 0.5 * expected["value_loss"] - 0.01 * expected["entropy"]
    np.testing.assert_allclose(loss, total + 3.0 * expected["distill"], rtol=1e-5)


def test_loss_has_no_say_over_the_shape_of_its_rows(rows):
    folded = jax.tree.map(lambda x: x.reshape(4, N // 4, *x.shape[1:]), rows)
    np.testing.assert_allclose(loss_of(*folded, WEIGHTS)[0], loss_of(*rows, WEIGHTS)[0], rtol=1e-5)


def test_rows_that_do_not_count_change_nothing(rows):
    logits, value, batch = rows
    away = ~batch.valid

    def noisy(x):
        return jnp.where(away.reshape(-1, *(1,) * (x.ndim - 1)), 17.0, x)

    noise = {name: noisy(getattr(batch, name)) for name in ("log_prob", "value", "advantage", "returns")}
    other = batch.replace(action=jnp.where(away, 3, batch.action), **noise)
    gradient = jax.grad(lambda x, b: loss_of(x, value, b, WEIGHTS)[0])
    np.testing.assert_allclose(
        loss_of(noisy(logits), value, other, WEIGHTS)[0],
        loss_of(logits, value, batch, WEIGHTS)[0],
        rtol=1e-6,
    )
    np.testing.assert_array_equal(gradient(logits, other)[away], 0)
    np.testing.assert_allclose(gradient(logits, other), gradient(logits, batch), atol=1e-7)


def test_with_lambda_zero_the_teacher_has_no_say(rows):
    logits, value, batch = rows
    alone = WEIGHTS.replace(distill=jnp.float32(0))
    unlike = batch.replace(teacher=batch.teacher[:, ::-1])

    def gradient(b):
        return jax.grad(lambda x: loss_of(x, value, b, alone)[0])(logits)

    np.testing.assert_array_equal(gradient(batch), gradient(unlike))


def test_no_rows_at_all_make_no_loss(rows):
    logits, value, batch = rows
    loss, parts = loss_of(logits, value, batch.replace(valid=jnp.zeros(N, bool)), WEIGHTS)
    assert float(loss) == 0
    assert {float(part) for part in parts.values()} == {0.0}


def test_masked_mean_by_hand():
    x, valid = jnp.asarray([1.0, 2.0, 100.0]), jnp.asarray([True, True, False])
    assert float(masked_mean(x, valid)) == 1.5
    assert float(masked_mean(x, ~valid & valid)) == 0.0
    with pytest.raises(AssertionError):
        masked_mean(x, valid[:2])


def test_advantages_are_normalised_over_valid_rows():
    advantage, valid = jnp.asarray([1.0, 3.0, 500.0]), jnp.asarray([True, True, False])
    np.testing.assert_allclose(normalise(advantage, valid)[:2], [-1, 1], rtol=1e-6)
    np.testing.assert_allclose(normalise(jnp.ones(3), valid), 0)  # no spread: no division by zero


distributions = hnp.arrays(np.float64, 7, elements=st.floats(-4, 4)).map(softmax)


@given(teacher=distributions, student=distributions, certain=st.booleans())
def test_divergence_is_zero_only_from_oneself(teacher, student, certain):
    q = np.eye(7)[teacher.argmax()] if certain else teacher
    divergence = float(divergence_of(np.float32(q), np.log(np.float32(student))))
    assert divergence >= 0.5 * np.abs(q - student).sum() ** 2 - 1e-4  # Pinsker
    assert abs(float(divergence_of(np.float32(teacher), np.log(np.float32(teacher))))) < 1e-5


def test_silence_teaches_nothing():
    """Where nobody teaches, q is all zeros: no divergence, no gradient."""
    log_probs = jax.nn.log_softmax(jnp.arange(7.0))
    value, gradient = jax.value_and_grad(lambda x: forward_kl(jnp.zeros(7), x))(log_probs)
    assert float(value) == 0
    np.testing.assert_array_equal(gradient, 0)
