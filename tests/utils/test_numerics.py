"""Tests of settings that change bits: JAX's are fixed, those below it part of a run."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from jaxteach.cli.flags import check_numerics
from jaxteach.runs import run_folder as runfolder
from jaxteach.runs.run_folder import fingerprint, origins
from jaxteach.tasks import make_task
from jaxteach.utils.errors import UserError
from jaxteach.utils.numerics import FIXED, differences, fixed, settings
from tests.training.conftest import STEPS

ROOT = Path(__file__).parents[2]
OTHERS = {
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_RANDOM_SEED_OFFSET": "3",
    "JAX_HIGH_DYNAMIC_RANGE_GUMBEL": "1",
    "JAX_ENABLE_X64": "1",
    "JAX_DEFAULT_DTYPE_BITS": "32",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_DISABLE_JIT": "1",
    "JAX_DEBUG_NANS": "1",
}
TRAIN = """
import hashlib, sys
COMMAND = sys.argv[1] == "command"
if COMMAND:
    from jaxteach.utils.jax_setup import start_jax
    start_jax()
import jax, numpy as np
from jaxteach.config import *
from jaxteach.tasks import registry
from jaxteach.training import train
from tests.worlds import chase  # a task that is quickly compiled
registry._tasks._registered["chase"] = chase.task
config = Config(task="chase", seeds=2, seeds_per_chunk=2, env_steps=128, student=Student(hidden=8),
                teacher="none", ppo=PPO(epochs=1, minibatch=16), rollout=Rollout("steps", envs=4, steps=16))
before = jax.config.jax_enable_x64
result = train(config)
assert jax.config.jax_enable_x64 == before
arrays = [*jax.tree.leaves(result.params), *result.metrics.values()]
print(hashlib.sha256(b"".join(np.asarray(x).tobytes() for x in arrays)).hexdigest())
"""


def trained(how: str, **variables: str) -> str:
    """A digest of what a tiny run leaves, trained in a Python of its own under these variables.

    All of them read one folder of compiled programs: a setting that reaches a program changes its name there.
    """
    cache = {
        "JAX_COMPILATION_CACHE_DIR": os.environ["JAXTEACH_CACHE"],
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
    }
    others = {k: v for k, v in os.environ.items() if k not in OTHERS and k != "XLA_FLAGS"}
    environment = others | cache | variables
    command = [sys.executable, "-c", TRAIN, how]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_environments_settings_of_jax_change_no_bit():
    """All at once, for a command and for a library: each alone changes bits, or ends the run, without us."""
    expected = trained("command")
    assert trained("command", **OTHERS) == expected
    assert trained("library", **OTHERS) == expected


def test_a_users_own_settings_come_back():
    with jax.enable_x64(True), jax.default_prng_impl("rbg"):
        with fixed():
            for name, value in FIXED.items():
                if name in jax.config.values:
                    assert getattr(jax.config, name, jax.config.values[name]) == value, name
        assert jax.config.jax_enable_x64 and jax.config.jax_default_prng_impl == "rbg"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {}),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=2 --xla_dump_to=/x"}, {}),
        (
            {"XLA_FLAGS": "--b=1 --xla_cpu_enable_fast_math=true --b=2"},
            {"--b": "2", "--xla_cpu_enable_fast_math": "true"},
        ),
        ({"NVIDIA_TF32_OVERRIDE": "0"}, {"NVIDIA_TF32_OVERRIDE": "0"}),
        ({"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"}, {"--xla_gpu_deterministic_ops": "true"}),
    ],
)
def test_settings_below_jax(variables, expected):
    assert settings(False, variables) == expected


def test_the_deterministic_flag_of_a_run_is_its_own():
    assert settings(True, {"XLA_FLAGS": "--xla_gpu_deterministic_ops=true"}) == {}


def test_flags_in_a_file(tmp_path):
    file = tmp_path / "flags"
    file.write_text("--xla_cpu_enable_fast_math=true\n")
    assert settings(False, {"XLA_FLAGS": str(file)}) == {"--xla_cpu_enable_fast_math": "true"}


def test_differences_name_what_differs():
    assert differences({"a": "1", "c": "1"}, {"b": "2", "c": "1"}) == [
        "a=1 (not set then)",
        "b not set (2 then)",
    ]


def test_a_run_goes_on_under_its_own_flags_only(monkeypatch, tmp_path):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    plain = fingerprint(STEPS, None, False)
    checkpoint = origins(STEPS, None, False)
    folder = runfolder.RunFolder(tmp_path)
    folder.write_config(STEPS, make_task("simple_door_key").features("compact"), None)
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert fingerprint(STEPS, None, False) != plain
    assert origins(STEPS, None, False)["set of XLA flags"] != checkpoint["set of XLA flags"] is None
    then = runfolder.json.loads((tmp_path / "config.json").read_text())
    expected = (
        r"^runs/a cannot continue under other settings.*--xla_cpu_enable_fast_math=true \(not set then\)"
    )
    with pytest.raises(UserError, match=expected):
        check_numerics(then, "runs/a cannot continue")
