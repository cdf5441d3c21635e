"""Settings of JAX and XLA that change bits: those of JAX are fixed, those of XLA belong to a run's identity.

JAX reads its settings from the environment and from `jax.config`, so that a seed would otherwise have other
random numbers, or another precision, in another shell.
"""

import contextlib
import functools
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
FIXED: dict[str, Any] = {
    # Random numbers.
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_random_seed_offset": 0,
    "jax_high_dynamic_range_gumbel": False,
    # Types and precision.
    "jax_enable_x64": False,
    "jax_default_dtype_bits": "64",
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_default_matmul_precision": None,
    "jax_allow_f16_reductions": True,
    # What is compiled, and how.
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_optimization_level": "UNKNOWN",
    "jax_memory_fitting_level": "O2",
    "jax_compiler_enable_remat_pass": True,
    "jax_enable_pgle": False,
    "jax_use_direct_linearize": True,
    "jax_softmax_custom_jvp": False,
    "jax_accurate_erf_inv": False,
    "jax_use_hlo_logistic_lowering": None,
    # NaN is how a diverged seed shows and how an unfinished mean is logged; --debug-nans looks for its cause.
    "jax_debug_nans": False,
    "jax_debug_infs": False,
}
"""JAX's settings that change bits, or end a run at a NaN, at the values that results are made with."""
VARIABLES = ("NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG", "LIBTPU_INIT_ARGS", "ONEDNN_MAX_CPU_ISA")
"""Variables beside XLA_FLAGS that the compilers and libraries below JAX read for themselves."""
WITHOUT_EFFECT = ("xla_dump_", "xla_hlo_profile", "xla_force_host_platform_device_count")
"""How XLA's flags begin that change no bits. The number of devices is told apart, see `runfolder.device`."""


def fix() -> None:
    """Fix JAX's settings for the whole process; for commands, before JAX is used."""
    import jax

    for name, value in FIXED.items():
        if name in jax.config.values:
            jax.config.update(name, value)


@contextlib.contextmanager
def fixed() -> Iterator[None]:
    """Fix JAX's settings for a while: a library must leave its user's as they were."""
    import jax

    with contextlib.ExitStack() as stack:
        for name, value in FIXED.items():
            if name not in jax.config.values:
                continue
            local = getattr(jax, name.removeprefix("jax_"), None)
            if local is not None:
                # A context of the user's own, as `with jax.enable_x64(True)`, goes before what is global.
                stack.enter_context(local(value))
            elif (before := jax.config.values[name]) != value:
                stack.callback(jax.config.update, name, before)
                jax.config.update(name, value)
        yield


def as_fixed[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Have a function run under the fixed settings, whatever its caller's are."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with fixed():
            return function(*args, **kwargs)

    return run


def settings(deterministic: bool, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The settings below JAX that may change bits; empty unless someone has set one.

    Args:
        deterministic: whether `DETERMINISTIC` is the run's own.
        environment: variables.

    Returns:
        A value for each variable and each flag of XLA_FLAGS, in order of name.

    >>> settings(False, {"XLA_FLAGS": "--xla_dump_to=/tmp/x --xla_cpu_enable_fast_math"})
    {'--xla_cpu_enable_fast_math': 'true'}
    """
    text = environment.get("XLA_FLAGS", "").strip()
    if text and not text.startswith("-"):
        # XLA takes what does not begin with a dash for the name of a file with flags.
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = Path(text).read_text(encoding="utf-8")
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    found = {name: environment[name] for name in VARIABLES if environment.get(name)}
    for word in words:
        name, _, value = word.partition("=")
        if not name.lstrip("-").startswith(WITHOUT_EFFECT):
            found[name] = value or "true"
    if deterministic:
        found.pop(DETERMINISTIC.partition("=")[0], None)
    return dict(sorted(found.items()))


def differences(now: Mapping[str, str], then: Mapping[str, str]) -> list[str]:
    """What differs between two results of `settings`, a phrase each.

    >>> differences({"--a": "1"}, {"--b": "2"})
    ['--a=1 (not set then)', '--b not set (2 then)']
    """
    return [
        (f"{name}={now[name]}" if name in now else f"{name} not set")
        + (f" ({then[name]} then)" if name in then else " (not set then)")
        for name in sorted({*now, *then})
        if now.get(name) != then.get(name)
    ]
