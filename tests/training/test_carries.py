"""Tests of what loops carry: constants become a seed's own, and stay what they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxteach.training.carries import own

KEYS = jax.random.split(jax.random.key(7), 3)
CARRY = {"flags": jnp.array([True, False]), "count": jnp.int32(5), "sums": jnp.array([0.0, -0.0, jnp.inf])}


def test_nothing_changes():
    found = jax.vmap(lambda key: own(CARRY, key))(KEYS)
    for name, values in CARRY.items():
        assert found[name].dtype == values.dtype
        for row in found[name]:
            np.testing.assert_array_equal(row, values)
            np.testing.assert_array_equal(jnp.signbit(row * 1.0), jnp.signbit(values * 1.0))


def test_a_key_stays_one():
    found = jax.vmap(lambda key: own(jax.random.key(1), key))(KEYS)
    assert jnp.all(found == jax.random.key(1))


def test_constants_become_a_seeds_own():
    shared = jax.vmap(lambda key: jnp.zeros(2), out_axes=None)(KEYS)
    assert shared.shape == (2,)
    with pytest.raises(ValueError, match="output was batched"):
        jax.vmap(lambda key: own(jnp.zeros(2), key), out_axes=None)(KEYS)
