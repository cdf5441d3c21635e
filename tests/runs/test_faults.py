"""A training process killed at random moments: the run continues, and ends with the same bits."""

import contextlib
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
    "--seeds 3 --seeds-per-chunk 2 --env-steps 40960 --eval-episodes 5 --student.hidden 8 --ppo.epochs 1 "
    "--ppo.minibatch 16 --rollout.envs 4 --rollout.steps 8 --task MiniGrid-Empty-5x5-v0 --teacher none "
    "--variant.max-steps 20"
).split()
KINDS = ("training", "starting", "writing")
"""When a process is killed, in turn; the last again, should a write have ended just before."""
PATIENCE = 600.0
"""Seconds a process may take to begin training, at most: it may have to compile."""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a run as a scheduler does: no terminal, nothing shared with this process."""
    return subprocess.Popen(
        [sys.executable, "-m", "jaxteach.run", "--out", str(folder), *FLAGS, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def trains(process: subprocess.Popen[str], folder: Path) -> bool:
    """Wait until the process has trained a segment; false if it has ended before."""
    before, deadline = size(folder / "metrics.jsonl"), time.monotonic() + PATIENCE
    while process.poll() is None:
        # A run that continues first takes back the lines after its checkpoint.
        now = size(folder / "metrics.jsonl")
        if now > before:
            return True
        before = min(now, before)
        assert time.monotonic() < deadline, "it does not begin to train"
        time.sleep(0.002)
    return False


def writing(folder: Path, since: float) -> bool:
    """Whether a checkpoint is half written, other than those that were before some time."""
    for path in (folder / "checkpoints").glob("*/*.orbax-checkpoint-tmp*"):
        with contextlib.suppress(FileNotFoundError):  # whole by now
            if path.stat().st_mtime >= since:
                return True
    return False


TIMES = ("seconds", "env_steps_per_second")


def arrays(folder: Path) -> dict[str, bytes]:
    """Everything that must not differ: parameters, metrics, and the log but for its times."""
    found = {}
    for file in (*sorted((folder / "params").glob("*.npz")), folder / "metrics.npz"):
        with np.load(file, allow_pickle=False) as archive:
            found |= {f"{file.name} {name}": archive[name].tobytes() for name in archive.files}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    found["log"] = json.dumps([line | dict.fromkeys(TIMES, 0) for line in lines]).encode()
    summary = json.loads((folder / "summary.json").read_text())
    del summary["wall_seconds"], summary["env_steps_per_second"]
    found["summary"] = json.dumps(summary).encode()
    return found


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run leaves that nobody disturbs, and that writes no checkpoint."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    process = start(folder)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return arrays(folder)


@pytest.mark.unoptimised
@pytest.mark.parametrize("rounds", [1, pytest.param(ROUNDS, marks=pytest.mark.slow)])
def test_killed_at_random_moments(tmp_path: Path, uninterrupted: dict[str, bytes], rounds: int) -> None:
    """Kills in turn while it trains, before (start, lock, restoring, rewinding), and within a write."""
    folder, moments = tmp_path / "run", random.Random(rounds)
    killed = torn = early = 0
    to_begin = 0.0  # seconds until a process trains; known after the first kill
    while killed < rounds or not torn:
        # A checkpoint after every segment: one is being written at most moments.
        began, kind = time.time(), KINDS[killed % 3 if killed < rounds else -1]
        process = start(folder, "--resume", "--checkpoint-every", "1")
        if kind == "starting":
            before = size(folder / "metrics.jsonl")
            time.sleep(moments.uniform(0.0, to_begin))
            early += size(folder / "metrics.jsonl") <= before
        elif trains(process, folder):
            to_begin = time.time() - began
            if kind == "training":
                time.sleep(moments.uniform(0.0, min(1.0, 20.0 / rounds)))
            while kind == "writing" and not writing(folder, began) and process.poll() is None:
                time.sleep(0.001)
        process.kill()
        _, said = process.communicate()
        if process.returncode == 0:
            break  # it was faster
        assert process.returncode == -signal.SIGKILL, said
        assert not said or (said.startswith("taking over") and said.count("\n") == 1), said
        killed += 1
        torn += writing(folder, began)
    process = start(folder, "--resume", "--checkpoint-every", "0")
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert said.startswith("taking over") and said.count("\n") == 1, said  # nothing was damaged
    print(
        f"killed {killed} times, {early} of them before it trained, {torn} within the write of a checkpoint"
    )
    assert killed >= min(rounds, 20) and torn and (early or rounds < 20)
    found = arrays(folder)
    assert found.keys() == uninterrupted.keys()
    assert [name for name in found if found[name] != uninterrupted[name]] == []
    names = {"config.json", "metrics.jsonl", "metrics.npz", "params", "summary.json"}
    assert {path.name for path in folder.iterdir()} == names
