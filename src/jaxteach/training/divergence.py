"""Divergence: a seed whose update is not finite is frozen as it was before, and the others continue."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxteach.training.state import SeedState


def keep_finite(
    before: SeedState, after: SeedState, losses: dict[str, Array]
) -> tuple[SeedState, dict[str, Array]]:
    """Take over what an update has learnt, unless it has diverged; a diverged seed learns no more.

    Args:
        before: one seed's state, its rollout collected, before learning.
        after: the state after learning.
        losses: the update's losses, f32[] each.

    Returns:
        The state to continue with: `after`, or with the parameters of `before` and alive = false; and the
        losses, NaN for a seed that had diverged before this update.
    """
    finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves((after.params, losses))]
    alive = before.alive & jnp.all(jnp.stack(finite))
    # Adam's moments stay as they are, not finite perhaps: a frozen seed has no use for them, and keeping the
    # old ones would cost every seed a copy.
    params = jax.tree.map(lambda new, old: jnp.where(alive, new, old), after.params, before.params)
    shown = {name: jnp.where(before.alive, loss, jnp.nan) for name, loss in losses.items()}
    return after.replace(params=params, alive=alive), shown
