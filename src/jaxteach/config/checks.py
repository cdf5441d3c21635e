"""What cannot be run is refused: bounds that fields state, and what they allow one another. No JAX here."""

import math
from typing import TYPE_CHECKING, Any

from jaxteach.config.fields import MOST, MOST_FLOAT, Leaf, leaves
from jaxteach.config.settings import Config
from jaxteach.student.registry import DISTILLATIONS, STUDENTS
from jaxteach.tasks.registry import check_task_name
from jaxteach.utils.errors import UserError, nearest

if TYPE_CHECKING:
    from jaxteach.tasks.registry import Facts


def check(config: Config) -> None:
    """Refuse what cannot be run, as far as can be known without JAX.

    Args:
        config: as parsed.

    Raises:
        UserError: naming the field at fault.
    """
    check_task_name(config.task.partition(":")[0])
    _choose("student", config.student.name, STUDENTS.names())
    _choose("distillation", config.distill.name, DISTILLATIONS.names())
    for leaf in leaves(Config).values():
        _check_value(leaf, leaf.of(config))
    corrupt, rollout = config.corrupt, config.rollout
    if corrupt.mode == "systematic" and corrupt.share > 0.0 and corrupt.states:
        raise UserError(
            f"--corrupt.share {corrupt.share:g} and --corrupt.states {corrupt.states} both say how many "
            "abstract states are wrong: give one of them"
        )
    if rollout.collect == "steps" and rollout.envs * rollout.steps > MOST:
        raise UserError(
            f"--rollout.envs {rollout.envs} --rollout.steps {rollout.steps}: {rollout.envs * rollout.steps} "
            f"environment steps an update, must be at most {MOST}"
        )
    if not 0 <= config.first_seed <= 2**32 - config.seeds:
        raise UserError(f"--first-seed {config.first_seed}: seeds are numbered from 0 up to 2**32 - 1")


def _check_value(leaf: Leaf, value: Any) -> None:
    """Refuse a value outside the bounds that its field states."""
    about = leaf.about
    if about.choices:
        _choose(leaf.name, value, about.choices)
    if about.low is None or value is None:
        return
    if isinstance(about.low, int):
        if value < about.low:
            raise UserError(f"{leaf.flag} {value}: must be at least {about.low}")
        if value > about.high:
            raise UserError(f"{leaf.flag} {value}: must be at most {about.high}")
    elif not about.low <= value <= min(about.high, MOST_FLOAT):
        bounded = math.isfinite(about.high)
        allowed = f"from {about.low:g} to {about.high:g}" if bounded else f"of at least {about.low:g}"
        raise UserError(f"{leaf.flag} {value}: must be a number {allowed}")


def _choose(what: str, name: str, options: tuple[str, ...]) -> None:
    if name not in options:
        raise UserError(f"unknown {what} '{name}': {nearest(name, options)}")


def check_rollout(config: Config, task: "Facts") -> None:
    """Refuse a rollout that would be longer than an episode, or smaller than a minibatch.

    Args:
        config: as parsed.
        task: what is known of its task.

    Raises:
        UserError: naming the field at fault.
    """
    rollout, by_episodes = config.rollout, config.rollout.collect == "episodes"
    if not by_episodes and rollout.steps > task.max_steps:
        raise UserError(f"--rollout.steps {rollout.steps}: at most an episode's {task.max_steps} steps")
    if by_episodes and rollout.min_env_steps >= rollout.envs * task.max_steps:
        raise UserError(
            f"--rollout.min-env-steps {rollout.min_env_steps}: must be below {rollout.envs * task.max_steps}"
        )
    if by_episodes:
        most = (task.max_steps + -(-rollout.min_env_steps // rollout.envs)) * rollout.envs
        if most > MOST:
            raise UserError(
                f"--rollout.envs {rollout.envs}: an update of episodes of up to {task.max_steps} steps could "
                f"collect {most} environment steps, must be at most {MOST}"
            )
    rows = rollout.min_env_steps if by_episodes else rollout.envs * rollout.steps
    # A recurrent student's minibatches are whole sequences.
    if config.ppo.minibatch > rows and config.student.name != "gru":
        raise UserError(f"--ppo.minibatch {config.ppo.minibatch}: an update may collect only {rows} rows")
