"""Two processes, each with a device of its own, train one run over a mesh of both."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.commands import ROOT
from tests.training import peer


def start(port, number, of, out):
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, peer.__file__, str(port), str(number), str(of), str(out)]
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    outs = [tmp_path / f"{name}.npz" for name in ("first", "second", "alone")]
    together = [start(port, number, 2, outs[number]) for number in range(2)]
    processes = [*together, start(port, 0, 1, outs[2])]
    try:
        for process in processes:
            _, err = process.communicate(timeout=300)
            assert process.returncode == 0, err
    finally:
        for process in processes:
            process.kill()
    first, second, alone = (dict(np.load(out)) for out in outs)
    assert len(first["env_steps"]) == 3 and any(name.startswith("params/") for name in first)
    for name, values in alone.items():
        np.testing.assert_array_equal(first[name], values, err_msg=name)
        np.testing.assert_array_equal(second[name], values, err_msg=name)
