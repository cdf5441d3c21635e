"""What every test runs under: JAX's persistent compilation cache, strict ranks, repeatable examples."""

import gc
import os
import signal
from collections.abc import Generator
from pathlib import Path
from unittest import mock

import hypothesis
import jax
import pytest

from jaxteach.utils.numerics import FIXED

# Entry points started by tests read the same variable, so that they share compiled programs with the tests.
CACHE = os.environ.setdefault("JAXTEACH_CACHE", str(Path(__file__).parents[1] / ".jax_cache"))

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see `start_jax`
jax.config.update("jax_compilation_cache_dir", CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
jax.config.update("jax_numpy_rank_promotion", "raise")

# A shell that starts the tests in the background has them ignore Ctrl-C, and so every process they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

gc.set_threshold(100_000, 20, 20)  # see `settle`

hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "house")

UNOPTIMISED = " ".join(
    [
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
        "--xla_test_all_input_layouts=false",
    ]
)
"""All that `jax_disable_most_optimizations` stands for, as the processes that tests start are told it.

With all of them JAX keeps programs under the same names, so that they find what the tests compiled.
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have XLA compile in two thirds of the time for tests marked `unoptimised`, fixtures included.

    For files whose promises are about rules, files and messages, not about the bits of what ships.
    """
    if item.get_closest_marker("unoptimised") is None:
        return (yield)
    setting = "jax_disable_most_optimizations"
    with mock.patch.dict(FIXED, {setting: True}), mock.patch.dict(os.environ, XLA_FLAGS=UNOPTIMISED):
        jax.config.update(setting, True)
        try:
            return (yield)
        finally:
            jax.config.update(setting, False)
