"""A real SLURM of one node on this machine, in a folder of its own."""

import contextlib
import os
import platform
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch")
CPUS = 4
CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=10
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=60
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
"""cred_expire: SLURM holds back a job that was queued again until its old credential has expired."""


def why_not() -> str | None:
    """Why SLURM cannot be started here; None if it can."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)} (Debian: apt-get install slurm-wlm munge)"
    return None if os.geteuid() == 0 else "slurmd needs root"


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start SLURM, and end it; skips the test where it cannot, but not in CI.

    Args:
        folder: for its files; an empty one.

    Yields:
        Environment variables under which its commands find it.
    """
    reason = why_not()
    if reason is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no SLURM: {reason}")
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o700)
    key = folder / "munge/key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    with socket.socket() as one, socket.socket() as two:
        ports = []
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
            ports.append(each.getsockname()[1])
    host = platform.node().partition(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(CONF.format(host=host, ports=ports, folder=folder, cpus=CPUS))
    variables = os.environ | {"SLURM_CONF": str(conf)}
    munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.sock"]
    munge += [f"--{name}-file={folder}/munge/{name}" for name in ("pid", "log", "seed")]
    with contextlib.ExitStack() as stack:
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            log = stack.enter_context(open(folder / f"{command[0]}.log", "wb"))
            daemon = subprocess.Popen(command, stdout=log, stderr=log, env=variables)
            stack.callback(end, daemon)
            time.sleep(1)
        stack.callback(subprocess.run, ["scancel", "--user=root"], env=variables, check=False)
        until(lambda: "idle" in said(variables, "sinfo", "--noheader", "--format=%T"), 60, f"see {folder}")
        yield variables


def end(daemon: "subprocess.Popen[bytes]") -> None:
    """Stop a daemon."""
    daemon.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        daemon.wait(20)
    daemon.kill()
    daemon.wait()


def said(variables: dict[str, str], *command: str) -> str:
    """What a command of SLURM says."""
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False).stdout


def until(true: Callable[[], object], seconds: float, what: str = "it did not happen") -> None:
    """Wait until something holds."""
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last, what
        time.sleep(0.01)
