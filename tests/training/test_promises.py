"""Tests of what docs/reproducibility.md promises where no other test does: draws, and how files are read."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxteach.config import resolve
from jaxteach.training.loop import init_chunk
from jaxteach.training.rollout import collect
from jaxteach.training.state import make_plan
from tests.runs.sessions import Session
from tests.training.conftest import STEPS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reproducibility.md"


@pytest.mark.unoptimised
def test_every_width_draws_the_same():
    plan = make_plan(resolve(STEPS), taught=True)

    @functools.partial(jax.jit, static_argnums=1)
    def draw(ids, width):
        state = init_chunk(plan, ids[:width])
        keys = jax.vmap(jax.random.key)(ids[:width])
        step = functools.partial(collect, plan)
        _, rollout = jax.vmap(step, in_axes=(0, 0, None, 0))(state, keys, 0, np.ones(width, bool))
        return state, rollout.rows

    ids = np.arange(3, 8, dtype=np.uint32)
    wide, narrow = draw(ids, 5), draw(ids, 2)
    for ours, theirs in zip(jax.tree.leaves(narrow), jax.tree.leaves(wide), strict=True):
        if ours.dtype.kind == "f":  # parameters, values, probabilities: equal but for rounding
            np.testing.assert_allclose(ours, theirs[:2], rtol=1e-4, atol=1e-5)
        else:  # layouts, actions, observations
            np.testing.assert_array_equal(ours, theirs[:2])


TWO_DEVICES = """
import sys
from pathlib import Path
from jaxteach.utils.jax_setup import start_jax
start_jax(host_devices=2)
import jax
from jaxteach.config import resolve
from jaxteach.teacher.loading import load_teacher
from jaxteach.training import compile_program, train
from tests.training.conftest import LONG
from tests.runs.sessions import Session, assert_same
table = load_teacher("chatglm", "simple_door_key")
program = compile_program(resolve(LONG), table)
assert len(program.by_seed.device_set) == 2
expected = train(LONG, table, program=program)
for segments in (2, 3, None):
    session = Session(Path(sys.argv[1]), program)
    outcome = session.run(segments)
assert_same(session.path, outcome, expected)
assert session.said == []
"""


@pytest.mark.slow
def test_a_run_over_two_devices_goes_on_to_the_same_bits(tmp_path):
    """At every end of a segment; tests/runs/test_faults.py kills such a run on as many devices as cores."""
    command = [sys.executable, "-c", TWO_DEVICES, str(tmp_path / "run")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_are_read_as_documented(tmp_path, long_program):
    """The snippets of the document, run by a Python that does not know this package."""
    run = tmp_path / "run"
    Session(run, long_program).run(segments=6)
    (run / "checkpoints/00001").rename(run / "checkpoints/00000")  # the chunk the snippet names
    snippets = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 2
    check = """
import sys
assert not any(name.partition(".")[0] == "jaxteach" for name in sys.modules)
assert sorted(params) == sorted(f"{a}/{b}" for a in state["params"] for b in state["params"][a])
assert kernel.shape[0] == 2 and type(kernel) is np.ndarray and np.isfinite(kernel).all()
assert state["env_steps"].tolist() == [2048, 2048] and state["env"]["memory"].dtype == np.int32
assert log["policy_loss"].shape == (16, 1)
assert sorted(facts) == ["fingerprint", "origins", "seconds", "sha256"]
"""
    code = f"run = {str(run)!r}\n" + "".join(snippets) + check
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
