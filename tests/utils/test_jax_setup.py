"""Tests of what is set before JAX starts, each in a Python of its own: here it has started."""

import os
import subprocess
import sys

import pytest


def start(call: str, **variables: str) -> str:
    """Start JAX and say what it runs under."""
    code = f"""
import os, sys
from jaxteach.utils.jax_setup import start_jax
start_jax({call})
import jax
print(os.environ.get("XLA_FLAGS"), len(jax.devices()), jax.config.jax_compilation_cache_dir,
      os.environ["OPENBLAS_NUM_THREADS"], "scipy.linalg" in sys.modules)
"""
    ours = "XLA_FLAGS", "OPENBLAS_NUM_THREADS"
    environment = {key: value for key, value in os.environ.items() if key not in ours} | variables
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, _, late = done.stdout.strip().rpartition(" ")
    assert late == "False"  # OpenBLAS, which comes with it, has yet to be told how many threads to start
    return said


def test_the_deterministic_flag_is_set_in_time_and_known_to_xla():
    assert (
        start("deterministic=True") == f"--xla_gpu_deterministic_ops=true 1 {os.environ['JAXTEACH_CACHE']} 1"
    )
    # XLA ends the process at a flag that it does not know.
    with pytest.raises(AssertionError, match="Unknown flag"):
        start("", XLA_FLAGS="--xla_gpu_deterministic_opps=true")


def test_flags_of_the_user_stay():
    mine = "--xla_cpu_enable_fast_math=false"
    assert start("deterministic=True", XLA_FLAGS=mine).startswith(f"{mine} --xla_gpu_deterministic_ops=true ")
    found = start("", XLA_FLAGS=mine, OPENBLAS_NUM_THREADS="3")
    assert found.startswith(f"{mine} 1 ") and found.endswith(" 3")


def test_host_devices_and_no_cache():
    assert start("host_devices=2", JAXTEACH_CACHE="off") == "None 2 None 1"


def test_no_cache_means_none_of_jax_either(tmp_path):
    own = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    assert start('cache="off", platforms="cpu"', **own) == "None 1 None 1"
