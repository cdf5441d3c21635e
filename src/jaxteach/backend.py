"""What must be set before JAX starts: the compilation cache, and nothing that needs navix."""

import contextlib
import importlib.metadata
import os
import platform
from pathlib import Path

from jaxteach.errors import UserError

CACHE_VARIABLE = "JAXTEACH_CACHE"
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
PACKAGES = ("jaxteach", "jax", "jaxlib", "flax", "optax", "chex", "navix", "numpy", "orbax-checkpoint")


def compilation_cache(asked: str | None = None) -> Path | None:
    """Where compiled programs are kept; None for nowhere.

    Args:
        asked: a folder, or off; by default $JAXTEACH_CACHE, else a folder in the user's cache.
    """
    value = asked or os.environ.get(CACHE_VARIABLE)
    if value == "off":
        return None
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(value) if value else base / "jaxteach"


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def devices_for(width: int) -> int:
    """How many devices a CPU should pretend to be: one a core, as far as they can share a chunk evenly.

    On two cores two devices trained 1.4 times as fast as one (docs/performance.md).

    Args:
        width: seeds in a chunk.
    """
    return max(n for n in range(1, min(width, cores()) + 1) if width % n == 0)


def start_jax(
    deterministic: bool = False,
    host_devices: int | None = None,
    cache: str | None = None,
    platforms: str | None = None,
) -> None:
    """Configure JAX before its first use: compiled programs are kept between runs.

    Entry points call this before they import a task, for importing navix starts the backend.

    Args:
        deterministic: have a GPU use only operations that give the same bits in every run.
        host_devices: how many devices the CPU pretends to be, unless JAX has been used already; one by
            default.
        cache: a folder for compiled programs, or off; see `compilation_cache`.
        platforms: such as cpu, to leave accelerators to others; by default the best there is.
    """
    if deterministic:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    import jax

    if host_devices is not None:
        # A backend that runs already, as in a notebook, keeps its devices.
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", host_devices)
    if platforms is not None:
        jax.config.update("jax_platforms", platforms)
    folder = compilation_cache(cache)
    # With off also where JAX's own variable names a folder.
    jax.config.update("jax_compilation_cache_dir", None if folder is None else str(folder))
    if folder is not None:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def check_width(width: int) -> None:
    """Refuse a chunk whose seeds cannot be split evenly over the devices; starts them.

    Args:
        width: seeds in a chunk.

    Raises:
        UserError: saying what would do.
    """
    import jax

    devices = jax.local_devices()
    if width % len(devices):
        fewer = {"cpu": "--host-devices", "gpu": "devices (CUDA_VISIBLE_DEVICES)"}
        raise UserError(
            f"--seeds-per-chunk {width} cannot be split over {len(devices)} devices: choose a multiple of "
            f"{len(devices)}, or fewer {fewer.get(devices[0].platform, 'devices')}"
        )


def devices_in_words() -> str:
    """What JAX computes on, such as "2 cpu devices"; starts them."""
    import jax

    devices = jax.devices()
    return f"{len(devices)} {devices[0].device_kind} device{'s' if len(devices) > 1 else ''}"


def versions() -> dict[str, str]:
    """Versions of what a result depends on, for config.json."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
