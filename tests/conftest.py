"""What every test runs under: JAX's persistent compilation cache, strict ranks, repeatable examples."""

import os
import signal
from pathlib import Path

import hypothesis
import jax

# Entry points started by tests read the same variable, so that they share compiled programs with the tests.
CACHE = os.environ.setdefault("JAXTEACH_CACHE", str(Path(__file__).parents[1] / ".jax_cache"))

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see `start_jax`
jax.config.update("jax_compilation_cache_dir", CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
jax.config.update("jax_numpy_rank_promotion", "raise")

# A shell that starts the tests in the background has them ignore Ctrl-C, and so every process they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "house")
