"""A function on batches, used for one environment and under any number of vmaps."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def merged(batched: Callable[..., Any]) -> Callable[..., Any]:
    """A function for one environment from one whose arguments and results all have a batch axis first.

    Under `jax.vmap` the axes are merged into the function's own batch: mapping its operations one by one
    would lose the layout they are written for, at twice the cost.

    Args:
        batched: of pytrees of arrays [N, ...], to such pytrees.

    Returns:
        The same function of pytrees of arrays [...].
    """

    @jax.custom_batching.custom_vmap
    def on_batch(*args: Any) -> Any:
        return batched(*args)

    @on_batch.def_vmap
    def rule(size: int, in_batched: list[Any], *args: Any) -> tuple[Any, Any]:
        def full(x: jax.Array, is_batched: bool) -> jax.Array:
            return x if is_batched else jnp.broadcast_to(x, (size, *x.shape))

        args = jax.tree.map(full, tuple(args), tuple(in_batched))
        inner = jax.tree.leaves(args)[0].shape[1]
        flat = jax.tree.map(lambda x: x.reshape(size * inner, *x.shape[2:]), args)
        out = jax.tree.map(lambda x: x.reshape(size, inner, *x.shape[1:]), on_batch(*flat))
        return out, jax.tree.map(lambda _: True, out)

    def single(*args: Any) -> Any:
        out = on_batch(*jax.tree.map(lambda x: jnp.asarray(x)[None], args))
        return jax.tree.map(lambda x: x[0], out)

    return single
