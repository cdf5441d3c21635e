"""What training carries: one seed's state, and what is static for all."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax import Array

from jaxteach.config import BY_OPTIONS, Config, check_rollout
from jaxteach.student.networks import Student, make_student
from jaxteach.tasks import make_task
from jaxteach.tasks.protocol import State, Teachable
from jaxteach.training.hierarchical import NO_OPTION
from jaxteach.training.starts import fresh_starts
from jaxteach.training.streams import layouts_key, parameters_key
from jaxteach.utils.errors import UserError


class SeedState(struct.PyTreeNode):
    """Everything one seed carries from update to update; with seeds, a leading axis [seed, ...].

    Attributes:
        params: the student's parameters.
        adam: Adam's moments, shaped as the parameters, and its step count i32[].
        env: environments, [env, ...], as the last step left them: `update_seen` completes them.
        hidden: the student's hidden state, f32[env, state_size].
        option: i32[env], what runs in each environment (hierarchical), see `hierarchical.execute`;
            `NO_OPTION` for nothing.
        born: i32[env], the update in which each environment's episode began.
        earned: f32[env], the sum of rewards of each environment's episode so far.
        clock: i32[env], environment steps of each environment's episode so far.
        env_steps: i32[], environment steps taken so far.
        alive: bool[], false once the seed has diverged; its parameters then stay as they were.
        success: f32[], running estimate of success, see `student.decay.recent_success`.
        visited: u32[env, max_steps], what each environment's episode has shown so far, see `bonus.visit`;
            None unless visits are counted.
    """

    params: Any
    adam: optax.ScaleByAdamState
    env: State
    hidden: Array
    option: Array
    born: Array
    earned: Array
    clock: Array
    env_steps: Array
    alive: Array
    success: Array
    visited: Array | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is static in a training program: everything that decides shapes and structure.

    Attributes:
        task: the task.
        student: the network.
        config: the resolved configuration; only its static fields are read under jit.
        taught: whether there is a teacher at all.
    """

    task: Teachable
    student: Student
    config: Config
    taught: bool

    @property
    def by_options(self) -> bool:
        """Whether students choose among options, instead of acting themselves or besides."""
        return self.config.method in BY_OPTIONS

    @property
    def semi_markov(self) -> bool:
        """Whether what they choose lasts for several environment steps."""
        return self.config.method == "hierarchical"

    @property
    def counts_visits(self) -> bool:
        """Whether observations that are rare in their episode earn a bonus."""
        return self.config.ppo.bonus == "visits"

    @property
    def holds_plans(self) -> bool:
        """Whether there is a teacher that holds one plan for each abstract state and episode."""
        return self.taught and self.config.distill.teacher == "held"

    @property
    def by_episodes(self) -> bool:
        """Whether updates collect whole episodes."""
        return self.config.rollout.collect == "episodes"

    @property
    def n_steps(self) -> int:
        """T, rows of the rollout buffer in time."""
        rollout = self.config.rollout
        if not self.by_episodes:
            return rollout.steps
        # Environments restart until enough steps are collected; all are busy until then.
        return self.task.max_steps + -(-rollout.min_env_steps // rollout.envs)

    @property
    def env_steps(self) -> int:
        """Environment steps a seed trains for."""
        assert self.config.env_steps is not None, "the configuration must be resolved"
        return self.config.env_steps

    @property
    def n_updates(self) -> int:
        """Updates a run takes; with whole episodes, the most it could (it ends by environment steps)."""
        rollout = self.config.rollout
        per_update = rollout.min_env_steps if self.by_episodes else rollout.envs * rollout.steps
        return max(1, -(-self.env_steps // per_update))

    @property
    def n_lags(self) -> int:
        """How many updates an episode can last, the one it began in included."""
        return 1 if self.by_episodes else (self.task.max_steps - 1) // self.n_steps + 2


def make_plan(config: Config, taught: bool) -> Plan:
    """Work out a run's static part.

    Args:
        config: resolved.
        taught: whether a teacher is given.

    Raises:
        UserError: if a rollout would be longer than an episode, or smaller than a minibatch.
    """
    parameters = dataclasses.asdict(config.variant)
    task = make_task(config.task, **parameters)
    check_rollout(config, task)
    by_options = config.method in BY_OPTIONS
    if by_options and taught:
        raise UserError(f"--method {config.method} learns without a teacher: leave the table out")
    if (by_options or taught) and not task.language.states:
        raise UserError(
            f"task {task.name} has no abstract states, so no teacher and no options: --teacher none"
        )
    n_choices = 0 if config.method == "hierarchical" else len(task.action_names)
    n_choices += len(task.language.options) if by_options else 0
    student = make_student(config.student.name, config.student.hidden, task, n_choices)
    return Plan(task, student, config, taught)


def init_seed(plan: Plan, seed_id: Array) -> SeedState:
    """A seed's state before its first update.

    Args:
        plan: static.
        seed_id: u32[].
    """
    params = plan.student.init(parameters_key(seed_id))
    n_envs, task = plan.config.rollout.envs, plan.task
    zeros = jax.tree.map(jnp.zeros_like, params)
    return SeedState(
        params=params,
        adam=optax.ScaleByAdamState(count=jnp.zeros((), jnp.int32), mu=zeros, nu=zeros),
        env=fresh_starts(task, layouts_key(seed_id), n_envs),
        hidden=plan.student.blank(n_envs),
        option=jnp.full((n_envs,), NO_OPTION, jnp.int32),
        born=jnp.zeros((n_envs,), jnp.int32),
        earned=jnp.zeros((n_envs,)),
        clock=jnp.zeros((n_envs,), jnp.int32),
        env_steps=jnp.zeros((), jnp.int32),
        alive=jnp.ones((), bool),
        success=jnp.zeros(()),
        visited=jnp.zeros((n_envs, task.max_steps), jnp.uint32) if plan.counts_visits else None,
    )
