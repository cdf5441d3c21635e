"""Random integers, cells and orders from two words: what a level is drawn from."""

import math
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

# 2**32 divided by the golden ratio: its multiples lie far apart.
GOLDEN = 0x9E3779B9


def mix(bits: Array) -> Array:
    """Make every bit of u32[...] depend on all of its bits (C. Wellons and T. Mueller's `lowbias32`)."""
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x21F0AAAD)
    bits = (bits ^ (bits >> 15)) * jnp.uint32(0xD35A2D97)
    return bits ^ (bits >> 15)


def words_of(key: Array) -> Array:
    """The two words u32[..., 2] that a PRNG key, typed or raw, of any implementation, ends in."""
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    return key[..., -2:]


class Draws:
    """Uniform draws from two random words; draw number n mixes both with n, so no draw depends on another.

    Args:
        words: u32[2].
    """

    def __init__(self, words: Array) -> None:
        self._words = words[0], words[1]
        self._used = 0

    def bits(self, shape: tuple[int, ...] = ()) -> Array:
        """Random words u32[shape]."""
        self._used += 1
        word = mix(mix(self._words[0] + jnp.uint32(self._used * GOLDEN % 2**32)) ^ self._words[1])
        if not shape:
            return word
        # Many at once: one mixing each, of words far apart from a start that both words decide.
        index = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
        return mix(word + index * jnp.uint32(GOLDEN))

    def fork(self, number: Array) -> Self:
        """Independent draws for pass number u32[] of a loop."""
        salt = self.bits() ^ mix(number.astype(jnp.uint32) * jnp.uint32(GOLDEN))
        return type(self)(jnp.stack([salt, self._words[1] ^ mix(salt)]))

    def below(self, n: Array | int, shape: tuple[int, ...] = ()) -> Array:
        """Uniform integers in [0, n), i32[shape].

        Args:
            n: int or i32[], at least 1 and below 2**16; 24 random bits are used, so a value's relative
                bias is at most n / 2**24.
            shape: of the result.
        """
        fraction = (self.bits(shape) >> 8).astype(jnp.float32) * (2.0**-24)
        return jnp.floor(fraction * n).astype(jnp.int32)

    def between(self, low: Array | int, high: Array | int) -> Array:
        """A uniform integer in [low, high], i32[]."""
        return low + self.below(high - low + 1)

    def which(self, allowed: Array) -> Array:
        """The index of a uniform true entry.

        Drawing until an allowed entry comes up gives the same distribution; here every entry draws
        a number and the highest of an allowed one wins, which takes no loop.

        Args:
            allowed: bool[n], n <= 1024; at least one true.

        Returns:
            i32[], 0 if none is true.
        """
        # The index fills the low bits, so that a plain maximum finds it.
        index_bits = max(1, (allowed.shape[0] - 1).bit_length())
        mask = jnp.uint32((1 << index_bits) - 1)
        index = jnp.arange(allowed.shape[0], dtype=jnp.uint32)
        numbers = (self.bits(allowed.shape) & ~mask) | index
        return (jnp.max(jnp.where(allowed, numbers, jnp.uint32(0))) & mask).astype(jnp.int32)

    def cell(self, free: Array) -> tuple[Array, Array]:
        """A uniform true cell of bool[H, W] as (row, column), i32[] each."""
        at = self.which(free.reshape(-1))
        return at // free.shape[1], at % free.shape[1]

    def distinct(self, n: Array | int, count: int) -> list[Array]:
        """Different integers in [0, n), each uniform over those not drawn before.

        Args:
            n: int or i32[], at least count.
            count: how many; meant for a dozen or so.

        Returns:
            i32[] each.
        """
        drawn: list[Array] = []
        ordered: list[Array] = []
        for i in range(count):
            value = self.below(n - i)
            # A rank among those left: stepping over the drawn ones, lowest first, gives the value.
            for taken in ordered:
                value = value + (value >= taken)
            drawn.append(value)
            new = value
            for place, taken in enumerate(ordered):
                ordered[place], new = jnp.minimum(taken, new), jnp.maximum(taken, new)
            ordered.append(new)
        return drawn

    def cells(self, free: np.ndarray, count: int) -> list[tuple[Array, Array]]:
        """Different cells, each uniform over the true cells of a constant bool[H, W] not drawn before.

        Returns:
            (row, column), i32[] each, for each of the cells.
        """
        places = jnp.asarray(np.flatnonzero(free).astype(np.int32))
        chosen = [places[rank] for rank in self.distinct(len(places), count)]
        return [(at // free.shape[1], at % free.shape[1]) for at in chosen]

    def permutation(self, n: int) -> Array:
        """A uniform order of 0 .. n - 1, i32[n]."""
        keys = self.bits((n,))
        index = jnp.arange(n)
        smaller = (keys[None] < keys[:, None]) | (
            (keys[None] == keys[:, None]) & (index[None] < index[:, None])
        )
        return jnp.sum(smaller, axis=1, dtype=jnp.int32)
