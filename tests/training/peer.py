"""One of several processes that train a run together: `python peer.py PORT NUMBER OF OUT`; OF 1: alone."""

import sys

import jax
import numpy as np


def main(port: str, number: int, of: int, out: str) -> None:
    """Train, and write what this process has of it in the end; two devices in all."""
    if of > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{port}", of, number)
    else:
        jax.config.update("jax_num_cpu_devices", 2)
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.training import train
    from tests.training.conftest import LONG

    assert len(jax.devices()) == 2 and len(jax.local_devices()) == 2 // of
    result = train(LONG, load_teacher("chatglm", LONG.task))
    params = {f"params/{i}": x for i, x in enumerate(jax.tree.leaves(result.params))}
    np.savez(out, **result.metrics, **params)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
