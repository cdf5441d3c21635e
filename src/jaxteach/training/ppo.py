"""Learning from a rollout: targets, then epochs of minibatches of PPO with distillation."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxteach.config import PPO
from jaxteach.config.pytree import Hyper
from jaxteach.student.losses import Batch, certainty, masked_mean, normalise
from jaxteach.student.registry import DISTILLATIONS
from jaxteach.student.returns import gae, next_values
from jaxteach.training.bonus import visit_bonus
from jaxteach.training.carries import own
from jaxteach.training.hierarchical import semi_markov_gae
from jaxteach.training.rollout import Rollout
from jaxteach.training.state import Plan, SeedState
from jaxteach.training.streams import by_step

METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "distill")


def targets(plan: Plan, rollout: Rollout, teacher: Array, hyper: Hyper) -> Batch:
    """Advantages and returns of a rollout, with what else the loss reads; [time, env, ...].

    Args:
        plan: static.
        rollout: one seed's.
        teacher: f32[T, E, n_actions], q(a|s), zeros where lambda is 0.
        hyper: one seed's. With Monte-Carlo returns its gae_lambda is 1: GAE's sum is then the
            discounted return less the value.
    """
    rows, ppo = rollout.rows, hyper.config.ppo
    bootstrap = next_values(rows.value, rollout.last_value, rollout.final_value, rows.truncated)
    reward = rows.reward
    if rows.visits is not None and rollout.last_visits is not None:
        ended = rows.terminated | rows.truncated
        reward = reward + visit_bonus(rows.visits, rollout.last_visits, ended, ppo.bonus_weight)
    steps = (reward, rows.value, bootstrap, rows.terminated, rows.truncated)
    if not plan.semi_markov:
        advantage = gae(*steps, ppo.gamma, ppo.gae_lambda)
    else:
        advantage = semi_markov_gae(*steps, rows.valid, ppo.gamma, ppo.gae_lambda)
    return Batch(
        action=rows.action,
        log_prob=rows.log_prob,
        value=rows.value,
        advantage=normalise(advantage, rows.valid),
        returns=advantage + rows.value,
        teacher=teacher,
        valid=rows.valid,
    )


def learn(
    plan: Plan, state: SeedState, rollout: Rollout, batch: Batch, weight: Array, key: Array, hyper: Hyper
) -> tuple[SeedState, dict[str, Array]]:
    """Epochs of minibatches over one rollout, for one seed.

    Minibatches are drawn from valid rows; the last partial one of each epoch is dropped. Choices of
    options are fewer than steps, perhaps than a minibatch: their last one is padded with invalid rows,
    so that each choice counts once in every epoch. A seed with fewer minibatches than another keeps its
    parameters and Adam state while the other continues.

    Args:
        plan: static.
        state: the seed's.
        rollout: its experience, [time, env, ...].
        batch: its targets, [time, env, ...].
        weight: f32[], lambda at this update.
        key: a PRNG key for the shuffles.
        hyper: one seed's.

    Returns:
        The state with new parameters, and the metrics f32[] averaged over minibatches.
    """
    ppo, distill, rows = hyper.config.ppo, plan.config.distill, rollout.rows
    n_steps, n_envs = rows.action.shape
    if plan.student.recurrent:
        # A unit is an environment's whole sequence: [time, env, ...] -> [env, time, ...].
        units = jax.tree.map(lambda x: x.swapaxes(0, 1), (rows.features, rows.first, batch))
        n_units, size = n_envs, max(1, min(ppo.minibatch // n_steps, n_envs))
        usable = jnp.any(rows.valid, axis=0)
    else:
        # A unit is a row: [time, env, ...] -> [time * env, ...].
        flat = (rows.features, rows.first, batch)
        units = jax.tree.map(lambda x: x.reshape(n_steps * n_envs, *x.shape[2:]), flat)
        n_units, size = n_steps * n_envs, ppo.minibatch
        usable = rows.valid.reshape(n_units)
    all_usable = not plan.by_episodes and not plan.semi_markov
    n_usable: Any = n_units if all_usable else jnp.sum(usable)
    n_minibatches = n_usable // size if not plan.semi_markov else -(-n_usable // size)

    def loss(params: Any, index: Array) -> tuple[Array, dict[str, Array]]:
        features, first, part = jax.tree.map(lambda x: x[index], units)
        if plan.semi_markov:
            padding = (index < 0).reshape(size, *(1,) * (part.valid.ndim - 1))
            part = part.replace(valid=part.valid & ~padding)
        if plan.student.recurrent:
            logits, value = plan.student.unroll(params, features, rollout.hidden[index], first)
        else:
            logits, value, _ = plan.student.apply(params, features, plan.student.blank(size), first)
        return student_loss(logits, value, part, ppo, weight, distill.name, distill.weighting)

    def minibatch(i: Array, carry: tuple[Any, optax.ScaleByAdamState, Array, dict[str, Array]]) -> Any:
        params, adam, order, sums = carry
        index = jax.lax.dynamic_slice_in_dim(order, i * size, size)
        grads, parts = jax.grad(loss, has_aux=True)(params, index)
        params, adam = adam_step(params, adam, grads, ppo)
        return params, adam, order, {name: sums[name] + parts[name] for name in METRICS}

    def epoch(e: Array, carry: tuple[Any, optax.ScaleByAdamState, dict[str, Array]]) -> Any:
        params, adam, sums = carry
        order = shuffled(by_step(key, e), usable, all_usable=all_usable)
        order = jnp.pad(order, (0, -n_units % size), constant_values=-1)
        params, adam, _, sums = jax.lax.fori_loop(0, n_minibatches, minibatch, (params, adam, order, sums))
        return params, adam, sums

    zeros = own({name: jnp.zeros(()) for name in METRICS}, key)
    params, adam, sums = jax.lax.fori_loop(0, ppo.epochs, epoch, (state.params, state.adam, zeros))
    n_steps_taken = jnp.maximum(n_minibatches * float(ppo.epochs), 1)  # an int32 may not hold it
    return state.replace(params=params, adam=adam), {name: sums[name] / n_steps_taken for name in METRICS}


def student_loss(
    logits: Array,
    value: Array,
    batch: Batch,
    ppo: PPO,
    weight: Array,
    divergence: str = "forward_kl",
    weighting: str = "none",
) -> tuple[Array, dict[str, Array]]:
    """L = w_p L_policy + w_v L_value - w_e H(pi) + lambda D(q, pi) (paper, section on the method).

    Args:
        logits: f32[..., A].
        value: f32[...].
        batch: the rest of the rows.
        ppo: clips and weights are read, f32[] each.
        weight: f32[], lambda, the weight of D.
        divergence: D, by name in `student.registry.DISTILLATIONS`; the paper's is forward_kl (static).
        weighting: none, or entropy: a row counts by its teacher's `certainty` (static).

    Returns:
        The loss f32[] and its parts: policy_loss, value_loss, entropy, approx_kl, distill, f32[] each.
    """
    log_probs = jax.nn.log_softmax(logits)
    chosen = jax.nn.one_hot(batch.action, logits.shape[-1], dtype=bool)
    log_prob = jnp.sum(jnp.where(chosen, log_probs, 0.0), axis=-1)
    log_ratio = log_prob - batch.log_prob
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1.0 - ppo.clip, 1.0 + ppo.clip)
    surrogate = jnp.minimum(ratio * batch.advantage, clipped * batch.advantage)
    near = batch.value + jnp.clip(value - batch.value, -ppo.value_clip, ppo.value_clip)
    value_error = jnp.maximum((value - batch.returns) ** 2, (near - batch.returns) ** 2)
    entropy = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)

    apart = DISTILLATIONS.get(divergence)(batch.teacher, log_probs)
    if weighting == "entropy":
        apart = certainty(batch.teacher) * apart

    def mean(x: Array) -> Array:
        return masked_mean(x, batch.valid)

    parts = {
        "policy_loss": -mean(surrogate),
        "value_loss": mean(value_error),
        "entropy": mean(entropy),
        "approx_kl": mean(ratio - 1.0 - log_ratio),
        "distill": mean(apart),
    }
    loss = (
        ppo.policy_weight * parts["policy_loss"]
        + ppo.value_weight * parts["value_loss"]
        - ppo.entropy_weight * parts["entropy"]
        + weight * parts["distill"]
    )
    return loss, parts


def shuffled(key: Array, usable: Array, all_usable: bool) -> Array:
    """A random order of all rows, usable ones first.

    Args:
        key: a PRNG key.
        usable: bool[N].
        all_usable: whether every row is known to be usable (static).

    Returns:
        i32[N].
    """
    if all_usable:
        return jax.random.permutation(key, usable.shape[0])
    return jnp.argsort(jax.random.uniform(key, usable.shape) + jnp.where(usable, 0.0, 1.0))


def adam_step(
    params: Any, adam: optax.ScaleByAdamState, grads: Any, ppo: PPO
) -> tuple[Any, optax.ScaleByAdamState]:
    """Clip the gradient to the global norm and take one step of Adam.

    Args:
        params: parameters.
        adam: moments and count.
        grads: as params.
        ppo: lr, max_grad_norm and adam_eps are read; the first two are traced.
    """
    # Not optax.chain(clip_by_global_norm, scale_by_adam, scale_by_learning_rate): it scales g / norm * limit
    # instead of g * (limit / norm), which changed the last bits of 47 % of the parameters in 400 steps, took
    # 131 us a step against 103 us (best of 25, in turn; 4 seeds of 14,000 parameters, 2 CPU cores), and makes
    # NaN of a zero gradient where the limit is 0.
    norm = optax.tree.norm(grads)
    scale = jnp.minimum(1.0, ppo.max_grad_norm / jnp.maximum(norm, 1e-12))
    grads = jax.tree.map(lambda g: g * scale, grads)
    steps, adam = optax.scale_by_adam(eps=ppo.adam_eps).update(grads, adam)
    return jax.tree.map(lambda p, s: p - ppo.lr * s, params, steps), adam
