"""The students' networks: `ego`, `cnn` (the reference's) and `gru`, one interface for all."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxteach.student.registry import STUDENTS
from jaxteach.tasks.protocol import Features, Task
from jaxteach.utils.errors import UserError, one_line

Params = Any


def dense(units: int, gain: float, name: str) -> nn.Dense:
    """A dense layer with orthogonal initialisation, as is usual for PPO."""
    return nn.Dense(units, kernel_init=nn.initializers.orthogonal(gain), name=name)


def heads(actor: Array, critic: Array, n_actions: int) -> tuple[Array, Array]:
    """Logits [N, n_actions] from the actor's last layer and values [N] from the critic's."""
    logits = dense(n_actions, 0.01, "policy")(actor)
    return logits, dense(1, 1.0, "value")(critic)[..., 0]


class Ego(nn.Module):
    """Two hidden layers over the egocentric map, shared by actor and critic."""

    hidden: int
    n_actions: int

    @nn.compact
    def __call__(self, x: Array, hidden: Array, first: Array) -> tuple[Array, Array, Array]:
        """Features f32[N, F] to logits [N, 7], values [N] and the unchanged, empty hidden state."""
        for i in range(2):
            x = nn.relu(dense(self.hidden, np.sqrt(2.0), f"dense_{i}")(x))
        return *heads(x, x, self.n_actions), hidden


class Cnn(nn.Module):
    """The reference's network: three 3x3 convolutions on the raw map, separate heads.

    A convolution under vmap over parameters becomes a grouped one, far off XLA's fast path on CPU;
    so each is written as nine shifted copies side by side and one matrix product.
    """

    hidden: int
    n_actions: int
    height: int
    width: int
    channels: int = 4

    @nn.compact
    def __call__(self, x: Array, hidden: Array, first: Array) -> tuple[Array, Array, Array]:
        """Features f32[N, H * W * C] to logits [N, 7], values [N] and the unchanged hidden state."""
        x = x.reshape(x.shape[0], self.height, self.width, self.channels)
        for i, channels in enumerate((16, 32, 64)):
            x = nn.relu(dense(channels, np.sqrt(2.0), f"conv_{i}")(patches(x)))
        x = x.reshape(x.shape[0], -1)
        actor = nn.relu(dense(self.hidden, np.sqrt(2.0), "actor")(x))
        critic = nn.relu(dense(self.hidden, np.sqrt(2.0), "critic")(x))
        return *heads(actor, critic, self.n_actions), hidden


def patches(x: Array) -> Array:
    """Every cell's 3x3 neighbourhood, zero beyond the edge: [N, H, W, C] to [N, H, W, 9 C]."""
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifts, axis=-1)


class Gru(nn.Module):
    """A gated recurrent unit over the egocentric map; its state is cleared where an episode begins."""

    hidden: int
    n_actions: int

    @nn.compact
    def __call__(self, x: Array, hidden: Array, first: Array) -> tuple[Array, Array, Array]:
        """Features f32[N, F], state [N, hidden] and starts bool[N] to logits, values and the next state."""
        x = nn.relu(dense(self.hidden, np.sqrt(2.0), "dense_0")(x))
        hidden = jnp.where(first[:, None], 0.0, hidden)
        gates = dense(2 * self.hidden, 1.0, "gates")(jnp.concatenate([x, hidden], axis=-1))
        reset, update = jnp.split(nn.sigmoid(gates), 2, axis=-1)
        proposed = dense(self.hidden, 1.0, "candidate")(jnp.concatenate([x, reset * hidden], axis=-1))
        hidden = update * hidden + (1.0 - update) * jnp.tanh(proposed)
        return *heads(hidden, hidden, self.n_actions), hidden


@dataclasses.dataclass(frozen=True)
class Network:
    """A kind of student, by which users name it.

    Attributes:
        reads: the features it reads: "compact" or "map", see `tasks.protocol.Task.features`; or what makes
            separate features, given the task.
        build: `(hidden, n_actions, shape) -> module` for features of that shape. The module takes features
            f32[N, F], a hidden state f32[N, S] and episode starts bool[N], and gives logits [N, n_actions],
            values [N] and the next hidden state.
        state_size: S from the number of hidden units; 0 for a network without memory.
    """

    reads: str | Callable[[Task], Features]
    build: Callable[[int, int, tuple[int, ...]], nn.Module]
    state_size: Callable[[int], int] = lambda hidden: 0

    def reader(self, task: Task) -> Features:
        """How it reads a task's observations.

        Raises:
            UserError: the task has no such features.
        """
        return task.features(self.reads) if isinstance(self.reads, str) else self.reads(task)

    def student(self, name: str, hidden: int, task: Task, n_actions: int) -> "Student":
        """The network with the features of a task, see `make_student`."""
        reader = self.reader(task)
        net = self.build(hidden, n_actions, reader.shape)
        return Student(name, net, reader, self.state_size(hidden), n_actions)


EGO = Network("compact", lambda hidden, n_actions, shape: Ego(hidden, n_actions))
CNN = Network("map", lambda hidden, n_actions, shape: Cnn(hidden, n_actions, *shape))
GRU = Network("compact", lambda hidden, n_actions, shape: Gru(hidden, n_actions), lambda hidden: hidden)


@dataclasses.dataclass(frozen=True)
class Student:
    """A network with the features it reads and the memory it keeps.

    Attributes:
        name: ego, cnn, gru or a plugin's.
        net: the flax module.
        reader: how it reads observations.
        state_size: units of its hidden state, 0 unless recurrent.
        n_actions: what it chooses among: the task's actions, or the options of a hierarchical student.
    """

    name: str
    net: nn.Module
    reader: Features
    state_size: int
    n_actions: int

    @property
    def n_features(self) -> int:
        """F, numbers it reads of one observation."""
        return self.reader.size

    @property
    def recurrent(self) -> bool:
        """Whether minibatches must be whole sequences."""
        return self.state_size > 0

    def features(self, obs: Any) -> Array:
        """Observations [N, ...] to features [N, F], in the smallest type that holds them."""
        features: Array = self.reader.read(obs, jnp)
        return features

    def blank(self, n: int) -> Array:
        """The hidden state before anything was seen, f32[n, state_size]."""
        return jnp.zeros((n, self.state_size))

    def init(self, key: Array) -> Params:
        """Fresh parameters."""
        x = jnp.zeros((1, self.n_features))
        return self.net.init(key, x, self.blank(1), jnp.ones((1,), bool))["params"]

    def apply(self, params: Params, x: Array, hidden: Array, first: Array) -> tuple[Array, Array, Array]:
        """One step for a batch.

        Args:
            params: the parameters.
            x: u8[N, F], features.
            hidden: f32[N, state_size].
            first: bool[N], where an episode begins at this step.

        Returns:
            Logits f32[N, n_actions], values f32[N] and the next hidden state.
        """
        outputs: Any = self.net.apply({"params": params}, x.astype(jnp.float32), hidden, first)
        return outputs

    def unroll(self, params: Params, x: Array, hidden: Array, first: Array) -> tuple[Array, Array]:
        """Whole sequences, from the hidden state they begin with.

        Args:
            params: the parameters.
            x: u8[N, T, F].
            hidden: f32[N, state_size].
            first: bool[N, T].

        Returns:
            Logits f32[N, T, n_actions] and values f32[N, T].
        """

        def step(carry: Array, inputs: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
            logits, value, carry = self.apply(params, inputs[0], carry, inputs[1])
            return carry, (logits, value)

        # [N, T, ...] -> [T, N, ...]
        _, (logits, values) = jax.lax.scan(step, hidden, (x.swapaxes(0, 1), first.swapaxes(0, 1)))
        return logits.swapaxes(0, 1), values.swapaxes(0, 1)


def make_student(name: str, hidden: int, task: Task, n_actions: int | None = None) -> Student:
    """Build a student.

    Args:
        name: of a registered network.
        hidden: units of each hidden layer.
        task: what it reads.
        n_actions: how many actions (or options) it chooses among; by default the task's actions.

    Returns:
        The student, without parameters.

    Raises:
        UserError: no such network, or the task has no features that it could read.
    """
    network = STUDENTS.get(name)
    n_actions = len(task.action_names) if n_actions is None else n_actions
    if STUDENTS.ships(name):
        return network.student(name, hidden, task, n_actions)
    try:
        student: Student = network.student(name, hidden, task, n_actions)
        check_shapes(student)
    except UserError:
        raise
    except Exception as error:  # a user's own code can fail in any way
        what = one_line(f"{type(error).__name__}: {error}")[:300]
        origin = f"{STUDENTS.origin(name)}: its " if STUDENTS.origin(name) else ""
        raise UserError(f"{origin}student '{name}' cannot be used: {what}") from error
    return student


def shapes_of(student: Student) -> Any:
    """A network's parameters, shapes alone: nothing is drawn."""
    words = jax.ShapeDtypeStruct((2,), jnp.uint32)
    return jax.eval_shape(lambda w: student.init(jax.random.wrap_key_data(w, impl="threefry2x32")), words)


def check_shapes(student: Student) -> None:
    """Refuse a network whose outputs are not those of `Network.build`.

    Raises:
        ValueError: naming the output at fault.
    """
    params = shapes_of(student)
    x, hidden, first = (
        jax.ShapeDtypeStruct(shape, dtype)
        for shape, dtype in (
            ((2, student.n_features), jnp.float32),
            ((2, student.state_size), jnp.float32),
            ((2,), bool),
        )
    )
    given = jax.eval_shape(student.apply, params, x, hidden, first)
    wanted = {"logits": (2, student.n_actions), "values": (2,), "hidden state": hidden.shape}
    for (what, shape), array in zip(wanted.items(), given, strict=True):
        if (array.shape, array.dtype) != (shape, jnp.float32):
            raise ValueError(f"its {what} are {array.dtype}{list(array.shape)}, not float32{list(shape)}")
