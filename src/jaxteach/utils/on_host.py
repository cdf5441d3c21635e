"""Arrays as the host has them, wherever they lie: also where other processes hold a part of them."""

from typing import Any

import jax


def on_host(tree: Any) -> Any:
    """The arrays of a tree as NumPy's, whole.

    With several processes (`jax.distributed`) each of them has to ask, at the same place, and gets all of it.

    Args:
        tree: of arrays, on devices or not.

    Returns:
        The same tree of NumPy arrays.
    """
    if all(x.is_fully_addressable for x in jax.tree.leaves(tree) if isinstance(x, jax.Array)):
        return jax.device_get(tree)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree, tiled=True)
