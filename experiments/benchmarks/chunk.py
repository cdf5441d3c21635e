"""A chunk of seeds as `training.program` compiles it, but on as many of the devices as a variant asks for."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxteach.config import Config, Decay, Student, resolve
from jaxteach.config.sweep import grid
from jaxteach.teacher.loading import load_teacher
from jaxteach.training.compilation import traced_parts
from jaxteach.training.loop import init_chunk
from jaxteach.training.program import SEEDS
from jaxteach.training.state import SeedState, make_plan
from jaxteach.training.streams import seed_key

EVERYWHERE = PartitionSpec()
STACKED = PartitionSpec(None, *SEEDS)
"""Of arrays [update, seed, ...]."""
ALWAYS = Decay("constant", start=1.0, off_at=1_000_000)
"""A teacher that never falls silent, the dearest there can be."""


def config_of(teacher: str, student: str = "ego", width: int = 8, **changes: Any) -> Config:
    """The default configuration with a teacher that always speaks, changed."""
    fields = {"decay": ALWAYS, **changes}
    return resolve(Config(teacher=teacher, student=Student(student), seeds_per_chunk=width, **fields))


class Chunk:
    """Seeds that run together.

    Args:
        config: resolved.
        devices: over how many devices they are split.
    """

    def __init__(self, config: Config, devices: int) -> None:
        table = load_teacher(config.teacher, config.task)
        assert config.seeds_per_chunk is not None
        self.plan = make_plan(config, table is not None)
        self.width, self.devices = config.seeds_per_chunk, devices
        self.mesh = Mesh(np.asarray(jax.local_devices()[:devices]), SEEDS)
        self.by_seed = NamedSharding(self.mesh, SEEDS)
        self.teacher, hyper = traced_parts(self.plan, grid(config), table, self.by_seed)
        self.hyper = self.put(jax.tree.map(lambda x: np.repeat(x, self.width, axis=0), hyper))
        self.ids = self.put(np.arange(self.width, dtype=np.uint32))
        self.first = jax.device_put(np.int32(0), NamedSharding(self.mesh, EVERYWHERE))

    @property
    def env_steps(self) -> int:
        """Environment steps of an update, all seeds together."""
        rollout = self.plan.config.rollout
        return self.width * rollout.envs * rollout.steps

    def put(self, tree: Any) -> Any:
        """Split arrays [seed, ...] over the devices."""
        return jax.device_put(tree, self.by_seed)

    def state(self) -> SeedState:
        """The seeds' first state."""
        return self.put(jax.jit(functools.partial(init_chunk, self.plan))(self.ids))

    def split(self, function: Callable[..., Any], in_specs: Any, out_specs: Any = SEEDS) -> Any:
        """Jit a function of a chunk so that each device does its own seeds."""
        split = jax.shard_map(
            function, mesh=self.mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
        )
        return jax.jit(split)


def update_keys(ids: Array, update: Array, n: int) -> Array:
    """Keys of an update, [n, seed]."""

    def of_seed(seed: Array) -> Array:
        return jax.random.split(jax.random.fold_in(seed_key(seed), update), n)

    return jax.vmap(of_seed, out_axes=1)(ids)
