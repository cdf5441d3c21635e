"""What a configuration may ask of its task, checked before JAX is imported."""

from typing import TYPE_CHECKING

from jaxteach.utils.errors import UserError

MOST = 2**24
"""The largest count: up to here float32, in which counts are summed, holds every whole number."""

if TYPE_CHECKING:
    from jaxteach.config import Config
    from jaxteach.tasks.registry import Facts


def check_rollout(config: "Config", task: "Facts") -> None:
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
