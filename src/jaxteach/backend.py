"""What must be set before JAX starts: the compilation cache, and nothing that needs navix."""

import importlib.metadata
import os
import platform
from pathlib import Path

CACHE_VARIABLE = "JAXTEACH_CACHE"
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
PACKAGES = ("jaxteach", "jax", "jaxlib", "flax", "optax", "chex", "navix", "numpy", "orbax-checkpoint")


def compilation_cache() -> Path | None:
    """Where compiled programs are kept: $JAXTEACH_CACHE, else the user's cache folder; None for "off"."""
    value = os.environ.get(CACHE_VARIABLE)
    if value == "off":
        return None
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(value) if value else base / "jaxteach"


def start_jax(deterministic: bool = False, host_devices: int | None = None) -> None:
    """Configure JAX before its first use: compiled programs are kept between runs.

    Entry points call this before they import a task, for importing navix starts the backend.

    Args:
        deterministic: have a GPU use only operations that give the same bits in every run.
        host_devices: how many devices the CPU pretends to be; one by default.
    """
    if deterministic:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    import jax

    if host_devices is not None:
        jax.config.update("jax_num_cpu_devices", host_devices)
    cache = compilation_cache()
    if cache is not None:
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def versions() -> dict[str, str]:
    """Versions of what a result depends on, for config.json."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
