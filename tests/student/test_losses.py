"""Tests of the loss against plain NumPy, row by row, and of what its terms must ignore."""

import dataclasses

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from jaxteach.config import PPO, Config
from jaxteach.config.pytree import trace
from jaxteach.student.losses import (
    SMOOTHING,
    Batch,
    certainty,
    forward_kl,
    masked_mean,
    normalise,
)
from jaxteach.student.registry import DISTILLATIONS
from jaxteach.training.ppo import student_loss

DIVERGENCES = {name: DISTILLATIONS.get(name) for name in ("forward_kl", "reverse_kl", "js")}
N = 64
PPO_WEIGHTS = trace(
    Config(ppo=PPO(clip=0.2, value_clip=0.1, policy_weight=1.0, value_weight=0.5, entropy_weight=0.01)), 1
).ppo
WEIGHTS = (PPO_WEIGHTS, jnp.float32(3.0))


loss_of = jax.jit(student_loss, static_argnums=(5, 6))
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


def plain_parts(logits, value, batch, ppo):
    """The parts of the loss, one row after the other."""
    clip, value_clip = float(ppo.clip), float(ppo.value_clip)
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
    loss, parts = loss_of(*rows, *WEIGHTS)
    expected = plain_parts(*rows, PPO_WEIGHTS)
    for name, value in expected.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-4, err_msg=name)
    total = expected["policy_loss"] + 0.5 * expected["value_loss"] - 0.01 * expected["entropy"]
    np.testing.assert_allclose(loss, total + 3.0 * expected["distill"], rtol=1e-5)


def test_loss_has_no_say_over_the_shape_of_its_rows(rows):
    folded = jax.tree.map(lambda x: x.reshape(4, N // 4, *x.shape[1:]), rows)
    np.testing.assert_allclose(loss_of(*folded, *WEIGHTS)[0], loss_of(*rows, *WEIGHTS)[0], rtol=1e-5)


def test_rows_that_do_not_count_change_nothing(rows):
    logits, value, batch = rows
    away = ~batch.valid

    def noisy(x):
        return jnp.where(away.reshape(-1, *(1,) * (x.ndim - 1)), 17.0, x)

    noise = {name: noisy(getattr(batch, name)) for name in ("log_prob", "value", "advantage", "returns")}
    other = batch.replace(action=jnp.where(away, 3, batch.action), **noise)
    gradient = jax.grad(lambda x, b: loss_of(x, value, b, *WEIGHTS)[0])
    np.testing.assert_allclose(
        loss_of(noisy(logits), value, other, *WEIGHTS)[0],
        loss_of(logits, value, batch, *WEIGHTS)[0],
        rtol=1e-6,
    )
    np.testing.assert_array_equal(gradient(logits, other)[away], 0)
    np.testing.assert_allclose(gradient(logits, other), gradient(logits, batch), atol=1e-7)


def test_with_lambda_zero_the_teacher_has_no_say(rows):
    logits, value, batch = rows
    alone = (PPO_WEIGHTS, jnp.float32(0))
    unlike = batch.replace(teacher=batch.teacher[:, ::-1])

    def gradient(b):
        return jax.grad(lambda x: loss_of(x, value, b, *alone)[0])(logits)

    np.testing.assert_array_equal(gradient(batch), gradient(unlike))


def test_with_every_other_weight_zero_the_teacher_alone_has_a_say(rows):
    """Behaviour cloning: neither reward nor value moves anything."""
    logits, value, batch = rows
    zero = jnp.float32(0)
    ppo = dataclasses.replace(PPO_WEIGHTS, policy_weight=zero, value_weight=zero, entropy_weight=zero)
    cloning = (ppo, WEIGHTS[1])
    elsewhere = batch.replace(advantage=-2 * batch.advantage, returns=batch.returns + 1)

    def gradient(b, weights):
        return jax.grad(lambda x, v: loss_of(x, v, b, *weights)[0], argnums=(0, 1))(logits, value)

    (of_logits, of_value), other = gradient(batch, cloning), gradient(elsewhere, cloning)
    np.testing.assert_array_equal(of_logits, other[0])
    np.testing.assert_array_equal(of_value, 0)
    assert np.abs(of_logits).max() > 0.001
    assert np.abs(gradient(elsewhere, WEIGHTS)[0] - gradient(batch, WEIGHTS)[0]).max() > 0.001


def test_no_rows_at_all_make_no_loss(rows):
    logits, value, batch = rows
    loss, parts = loss_of(logits, value, batch.replace(valid=jnp.zeros(N, bool)), *WEIGHTS)
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


@pytest.mark.parametrize("constant", [0.0, 0.1, -0.3, 1 / 3, 1e-12, 7e5])
@pytest.mark.parametrize("n", [3, 100, 512, 4097])
def test_constant_advantages_stay_without_effect(constant, n):
    """Their mean misses them by rounding, which divided by itself gave 0.98; an ulp is no spread."""
    valid = jnp.arange(n) != 1
    advantage = jnp.where(valid, jnp.float32(constant), 1e3)  # what is not valid has no say
    noisy = jnp.where(jnp.arange(n) % 2 == 0, jnp.nextafter(advantage, jnp.inf), advantage)
    for same in (advantage, noisy):
        np.testing.assert_array_equal(normalise(same, valid)[np.asarray(valid)], 0)


def test_a_small_spread_and_nan_are_kept():
    valid = jnp.ones(4, bool)
    found = normalise(jnp.array([1.0, 1.0001, 1.0, 1.0001]), valid)
    np.testing.assert_allclose(found, [-1, 1, -1, 1], rtol=1e-2)
    assert np.isnan(normalise(jnp.array([1.0, jnp.nan, 1.0, 1.0]), valid)).all()  # a diverged seed shows


distributions = hnp.arrays(np.float64, 7, elements=st.floats(-4, 4)).map(softmax)


@given(teacher=distributions, student=distributions, certain=st.booleans())
def test_divergence_is_zero_only_from_oneself(teacher, student, certain):
    q = np.eye(7)[teacher.argmax()] if certain else teacher
    divergence = float(divergence_of(np.float32(q), np.log(np.float32(student))))
    assert divergence >= 0.5 * np.abs(q - student).sum() ** 2 - 1e-4  # Pinsker
    assert abs(float(divergence_of(np.float32(teacher), np.log(np.float32(teacher))))) < 1e-5


@pytest.mark.parametrize("name", DIVERGENCES)
def test_silence_teaches_nothing(name):
    """Where nobody teaches, q is all zeros: no divergence, no gradient."""
    log_probs = jax.nn.log_softmax(jnp.asarray([0, 1, 2, 3, -200.0, 5, 6]))
    value, gradient = jax.value_and_grad(lambda x: DIVERGENCES[name](jnp.zeros(7), x))(log_probs)
    assert float(value) == 0
    np.testing.assert_array_equal(gradient, 0)


def test_command_line_offers_exactly_these():
    assert set(DISTILLATIONS.names()) == set(DIVERGENCES)


def test_divergences_by_hand():
    # q = (1, 0, ...), pi = (1/2, 1/2, 0, ...) but for a trace that keeps the logarithms finite.
    q, pi = np.eye(7)[0], np.array([0.5, 0.5, 0, 0, 0, 0, 0]) + 1e-9
    found = {name: float(jax.jit(f)(jnp.asarray(q), jnp.log(pi))) for name, f in DIVERGENCES.items()}
    assert found["forward_kl"] == pytest.approx(np.log(2), abs=1e-5)
    # m = (3/4, 1/4): KL(q || m) = log 4/3, KL(pi || m) = log(2/3) / 2 + log(2) / 2.
    js = 0.5 * np.log(4 / 3) + 0.25 * (np.log(2 / 3) + np.log(2))
    assert found["js"] == pytest.approx(js, abs=1e-5)
    mixed = [1 - SMOOTHING + SMOOTHING / 7, SMOOTHING / 7]
    assert found["reverse_kl"] == pytest.approx(0.5 * sum(np.log(0.5 / m) for m in mixed), abs=1e-5)


@given(teacher=distributions, student=distributions)
def test_divergences_are_zero_from_oneself_alone(teacher, student):
    for name, slack in (("js", 1e-5), ("reverse_kl", 1e-5)):
        f = jax.jit(DIVERGENCES[name])
        apart = float(f(np.float32(teacher), np.log(np.float32(student))))
        far = 0.5 * np.abs(teacher - student).sum()
        assert -slack <= apart <= (np.log(2) + slack if name == "js" else np.log(7 / SMOOTHING))
        if far > 0.2:
            assert apart > 0.001
        assert abs(float(f(np.float32(teacher), np.log(np.float32(teacher))))) < SMOOTHING


def test_js_is_symmetric_and_stays_finite_far_apart():
    q, pi = jax.nn.softmax(jnp.arange(7.0)), jax.nn.softmax(-2 * jnp.arange(7.0))
    assert float(DIVERGENCES["js"](q, jnp.log(pi))) == pytest.approx(float(DIVERGENCES["js"](pi, jnp.log(q))))
    far = jax.nn.log_softmax(jnp.asarray([0.0, 300, 0, 0, 0, 0, 0]))
    value, gradient = jax.value_and_grad(lambda x: DIVERGENCES["js"](jnp.eye(7)[0], x))(far)
    assert float(value) == pytest.approx(np.log(2), abs=1e-5)
    assert np.isfinite(gradient).all()


def test_certainty_by_hand():
    q = jnp.asarray([[1, 0, 0, 0, 0, 0, 0], [1 / 7] * 7, [0.5, 0.5, 0, 0, 0, 0, 0]])
    np.testing.assert_allclose(certainty(q), [1, 0, 1 - np.log(2) / np.log(7)], atol=1e-6)


def test_rows_weighted_by_certainty(rows):
    logits, value, batch = rows
    _, plain = loss_of(logits, value, batch, *WEIGHTS, "forward_kl", "none")
    _, weighted = loss_of(logits, value, batch, *WEIGHTS, "forward_kl", "entropy")
    apart = forward_kl(batch.teacher, jax.nn.log_softmax(logits))
    expected = np.mean((np.asarray(certainty(batch.teacher)) * apart)[np.asarray(batch.valid)])
    np.testing.assert_allclose(weighted["distill"], expected, rtol=1e-5)
    assert float(weighted["distill"]) < 0.95 * float(plain["distill"])
    assert float(weighted["policy_loss"]) == float(plain["policy_loss"])
