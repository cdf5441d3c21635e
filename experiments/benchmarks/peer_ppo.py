"""navix's own PPO on our task: the same features, number of environments, steps, epochs and minibatches."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding

from benchmarks.timing import Variant, compiled, repeated
from jaxteach.config import Config
from jaxteach.tasks import register_navix
from jaxteach.training.program import SEEDS
from jaxteach.training.state import make_plan

DIFFERS = (
    "navix.agents.PPO has an actor and a critic apart, with tanh, where our students share their layers: "
    "at equal weights each is half as wide (and both together have 8 % fewer weights than ours), at equal "
    "width they have twice as many; it steps navix's Environment, whose reset comes a step late; values are "
    "computed anew in every epoch and not kept from the rollout; it has no teacher"
)


def navix_ppo(config: Config, n_updates: int, devices: int, units: int, sees: str = "features") -> Variant:
    """navix's PPO on SimpleDoorKey, as many seeds at once as a chunk has.

    Args:
        config: resolved; its student, rollout and ppo set the sizes.
        n_updates: in a call.
        devices: over how many devices the seeds are split.
        units: of each hidden layer, of the actor and of the critic.
        sees: features, those of our student; map, the documented observation flattened, for which the
            task keeps nothing to render; or registered, the same from the task as `navix.make` gives it.

    Returns:
        A call trains from the beginning; a unit is an environment step.
    """
    import navix
    from navix.agents import PPO, ActorCritic, PPOHparams
    from navix.agents.models import MLPEncoder
    from navix.spaces import Discrete

    plan, rollout, ppo = make_plan(config, False), config.rollout, config.ppo
    task, student = plan.task, plan.student

    def observed(state: Any) -> Array:
        obs = jax.lax.optimization_barrier(task.observe(state))
        return student.features(obs[None])[0] if sees == "features" else obs.reshape(-1)

    register_navix()
    shape = jax.eval_shape(lambda: observed(task.reset(jnp.zeros((task.n_draws,), jnp.uint32)))).shape
    env = navix.make("Navix-SimpleDoorKey-v0").replace(
        observation_fn=lambda state: observed(state.game),
        observation_space=Discrete.create(256, shape, jnp.uint8),
        rendering=sees == "registered",
    )
    rows = rollout.envs * rollout.steps
    settings = PPOHparams(
        budget=n_updates * rows,
        num_envs=rollout.envs,
        num_steps=rollout.steps,
        num_minibatches=rows // ppo.minibatch,
        num_epochs=ppo.epochs,
        lr=ppo.lr,
    )
    tower = MLPEncoder(hidden_size=units)
    network = ActorCritic(action_dim=student.n_actions, actor_encoder=tower, critic_encoder=tower)
    agent = PPO(hparams=settings, network=network, env=env)

    def run(keys: Array) -> Any:
        state, logs = jax.vmap(agent.train)(keys)
        # Logs are part of its work, but need not leave the device.
        return state.params, jax.tree.map(lambda x: jnp.sum(x, axis=tuple(range(1, x.ndim))), logs)

    assert config.seeds_per_chunk is not None
    mesh = Mesh(np.asarray(jax.local_devices()[:devices]), SEEDS)
    keys = jax.random.split(jax.random.key(0), config.seeds_per_chunk)
    keys = jax.device_put(keys, NamedSharding(mesh, SEEDS))
    sharded = jax.shard_map(run, mesh=mesh, in_specs=SEEDS, out_specs=SEEDS, check_vma=False)
    program, seconds = compiled(jax.jit(sharded), keys)
    work = float(config.seeds_per_chunk * n_updates * rows)
    return repeated(program, keys, units=work, seconds=seconds, devices=devices)
