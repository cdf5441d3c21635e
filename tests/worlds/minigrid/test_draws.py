"""Draws are uniform and do not depend on each other."""

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from jaxteach.worlds.minigrid.draws import Draws, words_of

N = 60_000
WORDS = np.random.default_rng(5).integers(0, 2**32, (N, 2), np.uint32)


def uniform(values: np.ndarray, n: int) -> None:
    counts = np.bincount(values, minlength=n)
    assert len(counts) == n
    assert chisquare(counts).pvalue > 1e-6


@pytest.mark.parametrize("n", [2, 3, 6, 7, 23])
def test_below_is_uniform_for_random_words_and_for_counted_ones(n: int) -> None:
    draw = jax.jit(jax.vmap(lambda w: Draws(w).below(n)))
    uniform(np.asarray(draw(WORDS)), n)
    counted = np.stack([np.zeros(N), np.arange(N)], axis=1).astype(np.uint32)
    uniform(np.asarray(draw(counted)), n)


def test_two_draws_and_draws_of_two_passes_are_independent() -> None:
    def pairs(words: jax.Array) -> jax.Array:
        draws = Draws(words)
        a, b = draws.below(6), draws.below(6)
        c, d = (draws.fork(jnp.int32(i)).below(6) for i in (0, 1))
        return jnp.stack([a * 6 + b, b * 6 + c, c * 6 + d])

    for column in np.asarray(jax.jit(jax.vmap(pairs))(WORDS)).T:
        uniform(column, 36)


def test_a_cell_is_uniform_over_those_allowed() -> None:
    free = np.random.default_rng(0).random((5, 9)) < 0.4
    row, column = jax.jit(jax.vmap(lambda w: Draws(w).cell(jnp.asarray(free))))(WORDS)
    counts = np.zeros(free.shape, int)
    np.add.at(counts, (np.asarray(row), np.asarray(column)), 1)
    assert (counts[~free] == 0).all()
    assert chisquare(counts[free]).pvalue > 1e-6


def test_different_integers_come_in_every_order_alike() -> None:
    draw = jax.jit(jax.vmap(lambda w: jnp.stack(Draws(w).distinct(5, 3))))
    counts = Counter(map(tuple, np.asarray(draw(WORDS)).tolist()))
    assert set(counts) == set(itertools.permutations(range(5), 3))
    assert chisquare(list(counts.values())).pvalue > 1e-6


def test_different_cells_are_uniform_pairs_of_those_allowed() -> None:
    free = np.array([[True, False, True], [False, True, True]])
    draw = jax.jit(jax.vmap(lambda w: jnp.stack([jnp.stack(c) for c in Draws(w).cells(free, 2)])))
    pairs = Counter(tuple(map(tuple, pair)) for pair in np.asarray(draw(WORDS)).tolist())
    assert set(pairs) == set(itertools.permutations(map(tuple, np.argwhere(free).tolist()), 2))
    assert chisquare(list(pairs.values())).pvalue > 1e-6


def test_every_order_is_as_likely() -> None:
    orders = np.asarray(jax.jit(jax.vmap(lambda w: Draws(w).permutation(4)))(WORDS))
    counts = Counter(map(tuple, orders.tolist()))
    assert set(counts) == set(itertools.permutations(range(4)))
    assert chisquare(list(counts.values())).pvalue > 1e-6


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_any_key_gives_its_last_two_words(make) -> None:
    assert words_of(make(7)).tolist() == [0, 7]
    assert words_of(jax.random.key(7, impl="rbg")).shape == (2,)
