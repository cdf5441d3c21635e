"""What must be set before JAX starts, and its start: compilation cache, devices; nothing that needs navix."""

import contextlib
import importlib.metadata
import os
import platform
import sys
from pathlib import Path

from jaxteach.utils.compile_cache import compilation_cache, replace_damaged
from jaxteach.utils.errors import UserError, one_line
from jaxteach.utils.machine import cores
from jaxteach.utils.numerics import DETERMINISTIC, fix

PLATFORM_VARIABLES = ("JAX_PLATFORMS", "JAX_PLATFORM_NAME")
"""Which devices JAX takes, as users and schedulers set it; the second is the older one."""
PACKAGES = ("jaxteach", "jax", "jaxlib", "flax", "optax", "chex", "navix", "numpy", "orbax-checkpoint")


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
    """Configure JAX before its first use: settings that change bits are fixed, compiled programs are kept.

    Entry points call this before they import a task, for importing navix uses devices.

    Args:
        deterministic: have a GPU use only operations that give the same bits in every run.
        host_devices: how many devices the CPU pretends to be, unless JAX has been used already; one by
            default.
        cache: a folder for compiled programs, or off; see `compilation_cache`.
        platforms: such as cpu, to leave accelerators to others; by default the best there is.

    Raises:
        UserError: the cache asked for cannot be written, or there are no such devices.
    """
    if deterministic:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DETERMINISTIC}".strip()
    # Read by OpenBLAS as it is loaded: initial parameters take a QR of small matrices, in which threads of
    # its own wait for each other, busily, beside JAX's: seconds instead of 20 ms. The bits are the same.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import jax

    fix()
    if host_devices is not None:
        # A backend that runs already, as in a notebook, keeps its devices.
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", host_devices)
    if platforms is not None:
        jax.config.update("jax_platforms", platforms)
        jax.config.update("jax_platform_name", "")  # would choose among them
    folder = compilation_cache(cache, notice=lambda line: print(line, file=sys.stderr, flush=True))
    # With off also where JAX's own variable names a folder.
    jax.config.update("jax_compilation_cache_dir", None if folder is None else str(folder))
    if folder is not None:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
        replace_damaged(folder)
    start_devices()


def programs_folder() -> Path | None:
    """Where traced programs are kept, in the folder of JAX's own cache; None if that is off."""
    import jax

    folder = jax.config.values["jax_compilation_cache_dir"]
    return None if folder is None else Path(folder) / "programs"


def start_devices() -> None:
    """Start JAX's devices.

    Raises:
        UserError: there are none of those that were asked for.
    """
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter where a plugin is not installed
        asked = [f"{name}={os.environ[name]}" for name in PLATFORM_VARIABLES if os.environ.get(name)]
        why = one_line(error).partition(" (set JAX_PLATFORMS")[0] or "they are not installed"
        if not asked:
            raise UserError(f"JAX finds no devices: {why}") from error
        raise UserError(
            f"{' '.join(asked)}: there are no such devices here ({why}): unset that, or name cpu there"
        ) from error


def import_matplotlib() -> None:
    """Import matplotlib: before navix, which imports it too, and before drawing.

    Raises:
        UserError: it cannot read its settings.
    """
    try:
        import matplotlib  # noqa: F401
    except ValueError as error:
        raise UserError(
            f"matplotlib cannot read its settings ({one_line(error)}): mend the file matplotlibrc in this "
            "folder, or in matplotlib's own"
        ) from error


def check_width(width: int) -> None:
    """Refuse a chunk whose seeds cannot be split evenly over the devices; starts them.

    Args:
        width: seeds in a chunk.

    Raises:
        UserError: saying what would do.
    """
    import jax

    devices = jax.devices()
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
