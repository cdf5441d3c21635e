"""Tests of finding where a NaN arises."""

import jax
import jax.numpy as jnp
import pytest

from jaxteach.student.losses import reverse_kl
from jaxteach.training.nan_locator import first_nan
from jaxteach.utils.errors import UserError
from tests.runs.sessions import Session, poison


def test_the_first_line_that_gives_a_nan_is_named():
    told = first_nan(lambda: jax.jit(reverse_kl)(jnp.array([-1.0, 2.0]), jnp.zeros(2)))
    assert told.startswith("invalid value (nan) encountered in ")
    place, _, line = told.partition(" at jaxteach/student/losses.py:")[2].partition(": ")
    assert place.isdecimal() and "jnp.log(smooth)" in line


def test_no_nan_no_place():
    told = first_nan(lambda: jax.jit(reverse_kl)(jnp.array([0.0, 1.0]), jnp.zeros(2)))
    assert "no NaN arises before" in told
    assert not jax.config.jax_debug_nans


@pytest.mark.slow
def test_a_run_names_the_line(tmp_path, long_program):
    with pytest.raises(UserError) as caught:
        Session(tmp_path, poison(long_program, 1e38)).run(debug_nans=True)
    message = str(caught.value)
    assert message.startswith("seed 1 diverged in update 0: invalid value (nan) encountered in")
    # Parameters as large overflow within the network; all that comes before, a rollout, its targets and
    # the losses of a first minibatch, gives no NaN.
    assert "jaxteach/student/networks.py:" in message
