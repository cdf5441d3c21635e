"""How much memory there is: an accelerator's own, or what the machine lets this process have."""

import jax

from jaxteach.utils.machine import memory_left


def free_memory() -> int | None:
    """Free memory of a local device, in bytes, if that can be told; devices of a CPU share the machine's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    left = memory_left()
    return None if left is None else left // jax.local_device_count()


def device_memory() -> int | None:
    """All memory of a local device that JAX may use, whatever is in use: the same on devices of one kind."""
    stats = jax.local_devices()[0].memory_stats()
    return int(stats["bytes_limit"]) if stats and "bytes_limit" in stats else free_memory()
