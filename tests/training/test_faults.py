"""A training process killed at random moments: the run goes on, and ends with the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROUNDS = int(os.environ.get("JAXTEACH_FAULT_ROUNDS", "20"))
FLAGS = (
    "--seeds 3 --seeds-per-chunk 2 --env-steps 10240 --eval-episodes 5 --student.hidden 8 --ppo.epochs 1 "
    "--ppo.minibatch 16 --rollout.envs 4 --rollout.steps 8 --variant.room-min 5 --variant.room-max 6 "
    "--variant.max-steps 20"
).split()
PATIENCE = 600.0
"""Seconds a process may take to begin training, at most: it may have to compile."""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "jaxteach.run",
        "--out",
        str(folder),
        "--checkpoint-every",
        "1",
        *arguments,
    ]
    # No terminal, nothing shared with this process: as a scheduler starts it.
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def trains(process: subprocess.Popen[str], folder: Path) -> bool:
    """Wait until the process has trained a segment; false if it has ended before."""
    before, deadline = size(folder / "metrics.jsonl"), time.monotonic() + PATIENCE
    while process.poll() is None:
        # A run that goes on first takes back the lines after its checkpoint.
        now = size(folder / "metrics.jsonl")
        if now > before:
            return True
        before = min(now, before)
        assert time.monotonic() < deadline, "it does not begin to train"
        time.sleep(0.002)
    return False


def writing(folder: Path) -> bool:
    """Whether a checkpoint is half written."""
    return any((folder / "checkpoints").glob("*/*.orbax-checkpoint-tmp*"))


def arrays(folder: Path) -> dict[str, bytes]:
    """Everything that must not differ: parameters, metrics, and the log but for its times."""
    found = {}
    for file in (*sorted((folder / "params").glob("*.npz")), folder / "metrics.npz"):
        with np.load(file, allow_pickle=False) as archive:
            found |= {f"{file.name} {name}": archive[name].tobytes() for name in archive.files}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found["log"] = json.dumps([{**line, "seconds": 0} for line in lines]).encode()
    summary = json.loads((folder / "summary.json").read_text())
    del summary["wall_seconds"], summary["env_steps_per_second"]
    found["summary"] = json.dumps(summary).encode()
    return found


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """The run nobody disturbs: what it leaves, and how many seconds it trains."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    process = start(folder, *FLAGS)
    _, said = process.communicate()
    assert process.returncode == 0, said
    seconds = json.loads((folder / "summary.json").read_text())["wall_seconds"]["train"]
    return arrays(folder), seconds


@pytest.mark.parametrize("rounds", [3, pytest.param(ROUNDS, marks=pytest.mark.slow)])
def test_killed_at_random_moments(
    tmp_path: Path, uninterrupted: tuple[dict[str, bytes], float], rounds: int
) -> None:
    expected, seconds = uninterrupted
    folder, moments = tmp_path / "run", random.Random(rounds)
    killed = torn = 0
    while True:
        # Whatever is left when the kills are done is trained through; the last one is asked to stop first.
        process = start(folder, "--resume", *FLAGS)
        if killed > rounds or not trains(process, folder):
            break
        time.sleep(moments.uniform(0.0, seconds / rounds))
        process.send_signal(signal.SIGKILL if killed < rounds else signal.SIGTERM)
        _, said = process.communicate()
        if process.returncode == 0:
            break  # it was faster
        assert process.returncode == (-signal.SIGKILL if killed < rounds else 143), said
        assert not said or said.startswith(("taking over", "stopping after this segment")), said
        killed += 1
        torn += writing(folder)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "damaged" not in said and "again" not in said, said  # every checkpoint that counts was whole
    print(f"{killed} rounds, {torn} of them within the write of a checkpoint")
    assert killed >= min(rounds, 3) and (torn or rounds < 20)
    found = arrays(folder)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "metrics.jsonl",
        "metrics.npz",
        "params",
        "summary.json",
    ]
