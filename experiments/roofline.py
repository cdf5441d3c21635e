"""What an accelerator should make of training, from the compiled program: no accelerator is needed.

    python experiments/roofline.py      # a few minutes, one JSON and a table

Operations and bytes of a step of the rollout, of a block of the teacher and of a minibatch come from
XLA's cost analysis of the program as compiled here; how often each runs is known. A device takes for
each the longest of three times: its operations at the device's peak, its bytes at the memory's
bandwidth, its kernels at what starting one takes. The rate is a bound from above: caches, occupancy and
further rounds of the path search are left out.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from benchmarks.chunk import config_of
from common import ROOT, say

from jaxteach.runs.resources import SHARE, needed, widest
from jaxteach.teacher.loading import load_teacher
from jaxteach.teacher.policy import BLOCK, WIDE_BLOCK
from jaxteach.training.compilation import outline_program
from jaxteach.training.loop import ask_teacher, init_chunk, run_segment
from jaxteach.training.ppo import learn, targets
from jaxteach.training.rollout import collect
from jaxteach.utils.errors import cli
from jaxteach.utils.files import write_atomic
from jaxteach.utils.jax_setup import start_jax, versions

SEEDS = (8, 64, 512, 4096)
OUT = ROOT / "experiments" / "results" / "roofline" / "roofline.json"
MEASURED = (8, 64)
"""Seeds of a chunk whose memory is analysed; the width is predicted from the first."""


@dataclasses.dataclass(frozen=True)
class Device:
    """A device's makers' figures.

    Attributes:
        name: of the device.
        flops: float32 matrix products, operations a second.
        bandwidth: of its memory, bytes a second.
        memory: bytes.
        launch: seconds to start a kernel; on a TPU, an operation's fixed cost.
    """

    name: str
    flops: float
    bandwidth: float
    memory: float
    launch: float


# NVIDIA's data sheet of the H100 SXM: 67 TFLOP/s in float32 without tensor cores, 3.35 TB/s, 80 GB.
# Google's of the v5e: 197 TFLOP/s in bfloat16, of which a float32 product takes six passes, 819 GB/s, 16
# GB. The times to start a kernel are assumptions: some microseconds from a CUDA stream, less within a
# TPU's program.
DEVICES = (
    Device("H100 SXM", 67e12, 3.35e12, 80e9, 3e-6),
    Device("TPU v5e", 197e12 / 6, 819e9, 16e9, 1e-6),
)


def body(function: Any, length: int, *shapes: Any) -> tuple[Any, tuple[Any, ...]]:
    """The body of a function's only loop of a length, at any depth, and the shapes that it is given.

    Args:
        function: pure.
        length: how often the loop runs.
        *shapes: the function's arguments.
    """
    (found,) = loops(jax.make_jaxpr(function)(*shapes).jaxpr, length)
    closed = found.params["jaxpr"]
    return jax.extend.core.jaxpr_as_fun(closed), tuple(closed.in_avals)


def loops(jaxpr: Any, length: int) -> Iterator[Any]:
    """The loops of a program that run so often, not looked for within each other."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan" and equation.params["length"] == length:
            yield equation
            continue
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "jaxpr")):
            if hasattr(inner, "jaxpr"):
                yield from loops(inner.jaxpr, length)


def cost(function: Any, *shapes: Any) -> dict[str, float]:
    """Operations, bytes and kernels of a function as compiled here; loops within it are counted once."""
    compiled = jax.jit(function).lower(*shapes).compile()
    found = compiled.cost_analysis()
    kernels = re.findall(
        r"= [^=]*? (?:fusion|dot|custom-call|scatter|sort|reduce)\(", top_level(compiled.as_text())
    )
    return {"flops": found["flops"], "bytes": found["bytes accessed"], "kernels": float(len(kernels))}


def top_level(text: str) -> str:
    """The computations of a compiled module that are run, without those fused into a kernel."""
    parts = re.split(r"\n(?=\S)", text)
    return "\n".join(
        part for part in parts if not part.startswith("%fused") and not part.startswith("%region")
    )


def costs_of(seeds: int, task: str) -> dict[str, Any]:
    """Costs of one update of a chunk, and how often each piece runs.

    Args:
        seeds: side by side.
        task: the task's name.
    """
    config = config_of("chatglm", width=seeds, task=task, seeds=seeds)
    outline = outline_program(config, load_teacher("chatglm", task))
    plan, rollout, ppo = outline.plan, config.rollout, config.ppo
    ids = jax.ShapeDtypeStruct((seeds,), jnp.uint32)
    state = jax.eval_shape(functools.partial(init_chunk, plan), ids)
    keys = jax.eval_shape(jax.vmap(jax.random.key), ids)
    hyper = jax.tree.map(lambda x: jax.ShapeDtypeStruct((seeds, *x.shape[1:]), x.dtype), outline.hyper)
    weight, number = jax.ShapeDtypeStruct((seeds,), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)

    def rolled(state: Any, keys: Any, number: Any) -> Any:
        active = jnp.ones((seeds,), bool)
        step = functools.partial(collect, plan)
        return jax.vmap(step, in_axes=(0, 0, None, 0))(state, keys, number, active)

    _, rows = jax.eval_shape(rolled, state, keys, number)
    ask = functools.partial(ask_teacher, plan)
    teacher = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), outline.teacher)
    q = jax.eval_shape(ask, teacher, rows, weight, keys)
    batch = jax.eval_shape(jax.vmap(functools.partial(targets, plan)), rows, q, hyper)
    n_rows = rollout.envs * rollout.steps
    blocks, wide = -(-seeds * n_rows // BLOCK), -(-seeds * n_rows // WIDE_BLOCK)
    minibatches = n_rows // ppo.minibatch
    learnt = jax.vmap(functools.partial(learn, plan))
    stepped, step_shapes = body(rolled, rollout.steps, state, keys, number)
    # Compiled here in blocks for a CPU: an accelerator's do as much of it with as many kernels.
    asked, ask_shapes = body(ask, blocks, teacher, rows, weight, keys)
    block = cost(asked, *ask_shapes)
    more = {name: block[name] * blocks / wide for name in ("flops", "bytes")}
    learn_one, learn_shapes = body(learnt, minibatches, state, rows, batch, weight, keys, hyper)
    return {
        "seeds": seeds,
        "env_steps": seeds * n_rows,
        "pieces": {
            "rollout step": {**cost(stepped, *step_shapes), "times": rollout.steps},
            "teacher block": {**block, **more, "times": wide},
            "minibatch": {**cost(learn_one, *learn_shapes), "times": ppo.epochs * minibatches},
        },
    }


def memory(seeds: int, task: str) -> int:
    """Bytes that a segment of seeds side by side needs on a device, from XLA's memory analysis."""
    config = config_of("chatglm", width=seeds, task=task, seeds=seeds)
    outline = outline_program(config, load_teacher("chatglm", task))
    ids = jax.ShapeDtypeStruct((seeds,), jnp.uint32)
    state = jax.eval_shape(functools.partial(init_chunk, outline.plan), ids)
    hyper = jax.tree.map(lambda x: jax.ShapeDtypeStruct((seeds, *x.shape[1:]), x.dtype), outline.hyper)
    run = functools.partial(run_segment, outline.plan, outline.segment_updates, seeds)
    first = jax.ShapeDtypeStruct((), jnp.int32)
    teacher = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), outline.teacher)
    return needed(jax.jit(run, donate_argnums=0).lower(state, ids, hyper, teacher, first).compile())


def predicted(costs: dict[str, Any], device: Device) -> dict[str, Any]:
    """Seconds of each piece on a device, what bounds it, and the rate of training.

    Args:
        costs: from `costs_of`.
        device: its figures.

    >>> piece = {"flops": 1e12, "bytes": 1e9, "kernels": 10.0, "times": 2}
    >>> device = Device("x", flops=1e12, bandwidth=1e9, memory=1e9, launch=1e-6)
    >>> predicted({"env_steps": 100, "pieces": {"a": piece}}, device)["env_steps_per_second"]
    50.0
    """
    pieces, total = {}, 0.0
    for name, piece in costs["pieces"].items():
        bounds = {
            "operations": piece["flops"] / device.flops,
            "memory": piece["bytes"] / device.bandwidth,
            "launches": piece["kernels"] * device.launch,
        }
        bound = max(bounds, key=lambda name: bounds[name])
        pieces[name] = {"seconds": bounds[bound] * piece["times"], "bound": bound}
        total += bounds[bound] * piece["times"]
    return {"env_steps_per_second": costs["env_steps"] / total, "pieces": pieces}


def main() -> None:
    """Analyse, predict and write."""
    start_jax()
    found: dict[str, Any] = {"versions": versions(), "task": "simple_door_key", "costs": []}
    found["devices"] = {device.name: dataclasses.asdict(device) for device in DEVICES}
    for seeds in SEEDS:
        costs = costs_of(seeds, found["task"])
        costs["predicted"] = {device.name: predicted(costs, device) for device in DEVICES}
        found["costs"].append(costs)
        for name, one in costs["predicted"].items():
            bounds = ", ".join(f"{piece} {at['bound']}" for piece, at in one["pieces"].items())
            say(f"{seeds} seeds, {name}: {one['env_steps_per_second']:,.0f} env steps/s ({bounds})")
    found["bytes"] = {str(seeds): memory(seeds, found["task"]) for seeds in MEASURED}
    a_seed = found["bytes"][str(MEASURED[0])] / MEASURED[0]
    found["width"] = {device.name: widest(a_seed, SHARE * device.memory, max(SEEDS)) for device in DEVICES}
    say(f"memory: {found['bytes']} bytes by seeds; the widest chunks that have room: {found['width']}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(OUT, (json.dumps(found, indent=2) + "\n").encode())


if __name__ == "__main__":
    cli(main)
