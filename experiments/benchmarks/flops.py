"""Useful floating point operations of an update, counted by hand, and the machine's matmul peak."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.timing import Variant, compiled, repeated
from jaxteach.config import Config
from jaxteach.student.networks import Student


def layers(student: Student, hidden: int) -> list[int]:
    """Multiplications of each matrix product of a student, first to last, for one row.

    Args:
        student: ego or cnn.
        hidden: units of its hidden layers.
    """
    heads = hidden * (student.n_actions + 1)
    if student.name == "ego":
        return [student.n_features * hidden, hidden * hidden, heads]
    height, width, _ = student.reader.shape
    cells, channels = height * width, (4, 16, 32, 64)
    convolutions = [cells * 9 * a * b for a, b in itertools.pairwise(channels)]
    return [*convolutions, 2 * cells * channels[-1] * hidden, heads]


def row_flops(student: Student, hidden: int) -> float:
    """Operations to learn once from one row: forward, and backward to weights and to inputs.

    The gradient to the first layer's inputs is no use, and not computed.
    """
    products = layers(student, hidden)
    return 2.0 * (3 * sum(products) - products[0])


def update_flops(config: Config, student: Student) -> float:
    """Operations of one seed's update; collecting, targets, losses and Adam are not counted."""
    rollout, ppo = config.rollout, config.ppo
    rows = rollout.envs * rollout.steps // ppo.minibatch * ppo.minibatch * ppo.epochs
    return rows * row_flops(student, config.student.hidden)


def matmul(n: int, devices: int) -> Variant:
    """A large float32 matrix product on each device.

    Args:
        n: side of the matrices.
        devices: how many devices multiply at once.

    Returns:
        A unit is a floating point operation.
    """
    mesh, spec = Mesh(np.asarray(jax.local_devices()[:devices]), ("device",)), PartitionSpec("device")
    a = jax.device_put(jax.random.normal(jax.random.key(0), (devices, n, n)), NamedSharding(mesh, spec))
    run = jax.shard_map(lambda a, b: jnp.matmul(a[0], b[0])[None], mesh=mesh, in_specs=spec, out_specs=spec)
    program, seconds = compiled(jax.jit(run), a, a)
    return repeated(program, a, a, units=2.0 * n**3 * devices, seconds=seconds, devices=devices)
