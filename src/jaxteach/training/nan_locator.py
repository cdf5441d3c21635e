"""Telling of seeds that diverge, and finding the line of code in which their first NaN arises."""

import functools
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxteach.training.loop import run_update
from jaxteach.training.program import Program
from jaxteach.training.train import Progress, Standing
from jaxteach.utils.errors import UserError

PACKAGE = Path(__file__).parents[1]


class DivergenceWatch:
    """Tells of each seed that diverges, once, at the end of the segment in which it does.

    Args:
        program: the run's.
        notice: told in one line.
        debug: whether to look for the NaN; the state is then copied after each segment.
    """

    def __init__(self, program: Program, notice: Callable[[str], None], debug: bool = False) -> None:
        self._program, self._notice, self._debug = program, notice, debug
        self._updates = 0
        self._before: Any = None

    def begin(self, start: Standing | None) -> None:
        """A chunk begins, or continues."""
        self._updates = start.log.n_updates if start else 0
        if self._debug:
            self._before = jax.tree.map(np.array, start.state) if start else None

    def after_segment(self, progress: Progress) -> None:
        """Tell of the seeds that diverged in the last segment.

        Raises:
            UserError: with debug, saying where the first NaN arises.
        """
        diverged_at = progress.log.diverged_at()
        for i in np.flatnonzero(diverged_at >= self._updates):
            what = f"{self._program.name(int(progress.trials[i]))} diverged in update {diverged_at[i]}"
            if self._debug:
                raise UserError(f"{what}: {self._place(progress, int(i), int(diverged_at[i]))}")
            self._notice(
                f"{what}: its loss or parameters are no longer finite; it stays as it was before, "
                "the others continue (--debug-nans locates it)"
            )
        self._updates = progress.log.n_updates
        if self._debug:
            self._before = jax.tree.map(np.array, progress.state)

    def _place(self, progress: Progress, row: int, update: int) -> str:
        """Repeat the segment up to the update in question, and that one step by step for one seed."""
        program, trials = self._program, progress.trials
        ids, hyper = program.seeds_on_devices(trials), program.hyper_on_devices(trials)
        state = program.init(ids) if self._before is None else jax.tree.map(jnp.asarray, self._before)
        one_update = jax.jit(functools.partial(run_update, program.plan))
        for number in range(self._updates, update):
            state, _ = one_update(state, ids, hyper, program.teacher, jnp.asarray(number))
        state, ids, hyper = jax.tree.map(lambda x: x[row : row + 1], (state, ids, hyper))
        return first_nan(
            lambda: run_update(program.plan, state, ids, hyper, program.teacher, jnp.asarray(update))
        )


def first_nan(run: Callable[[], Any]) -> str:
    """Run a computation operation by operation and say where its first NaN arises.

    Args:
        run: the computation.

    Returns:
        A phrase with the operation and its line in this package; or that no NaN arises.
    """
    try:
        with jax.disable_jit(), jax.debug_nans(True):
            jax.block_until_ready(run())
    except FloatingPointError as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if PACKAGE in Path(f.filename).parents]
        frame = frames[-1]
        place = f"{Path(frame.filename).relative_to(PACKAGE.parent)}:{frame.lineno}"
        return f"{error} at {place}: {frame.line}"
    return "a number grew beyond what float32 holds; no NaN arises before"
