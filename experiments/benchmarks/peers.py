"""Other libraries' environments, as shipped, behind the interface of `benchmarks.env`."""

from typing import Any

import jax
from jax import Array


class Navix:
    """navix's DoorKey with its own autoreset; it observes uint8[H, W, 3]."""

    def __init__(self, name: str = "Navix-DoorKey-Random-8x8-v0") -> None:
        import navix

        self.env = navix.make(name)
        self.n_actions = len(self.env.action_set)

    def reset(self, key: Array, n: int) -> Any:
        """n environments."""
        return jax.vmap(self.env.reset)(jax.random.split(key, n))

    def step(self, key: Array, state: Any, action: Array) -> tuple[Any, Array]:
        """navix draws from the keys in its states."""
        del key
        following = jax.vmap(self.env.step)(state, action)
        return following, following.observation


class Xminigrid:
    """xminigrid's DoorKey with its reset in the same step; it observes uint8[7, 7, 2]."""

    def __init__(self, name: str = "MiniGrid-DoorKey-8x8") -> None:
        import xminigrid
        from xminigrid.wrappers import GymAutoResetWrapper

        env, self.params = xminigrid.make(name)
        self.env = GymAutoResetWrapper(env)
        self.n_actions = self.env.num_actions(self.params)

    def reset(self, key: Array, n: int) -> Any:
        """n environments."""
        return jax.vmap(lambda k: self.env.reset(self.params, k))(jax.random.split(key, n))

    def step(self, key: Array, state: Any, action: Array) -> tuple[Any, Array]:
        """xminigrid draws from the keys in its states."""
        del key
        following = jax.vmap(lambda s, a: self.env.step(self.params, s, a))(state, action)
        return following, following.observation
