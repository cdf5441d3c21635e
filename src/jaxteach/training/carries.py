"""What loops carry, under a `vmap` over seeds."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def own(carry: Any, key: Array) -> Any:
    """A loop's first carry as a seed's own, constants as well; the values are the same.

    JAX batches the body of a loop again for as long as parts of its carry turn out to differ among seeds
    that seemed not to: up to a tenth of the time that tracing takes.

    Args:
        carry: a pytree of arrays.
        key: the seed's.

    >>> from jaxteach.training.streams import seed_key
    >>> own({"a": jnp.zeros(2)}, seed_key(0))["a"].tolist()
    [0.0, 0.0]
    """
    # True, which only XLA finds out.
    always = (jax.random.key_data(key).ravel()[0] & 0) == 0
    return jax.tree.map(lambda x: jnp.where(always, x, x), carry)
