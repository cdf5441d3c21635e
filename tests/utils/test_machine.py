"""Tests of how much memory and how many processors there are, on systems made of files."""

import os

import jax
import pytest

from jaxteach.runs import memory
from jaxteach.utils import machine


def write(root, files):
    """Lay out a system's files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_the_machine(tmp_path):
    assert list(machine.machine_room(tmp_path)) == []  # as on macOS
    write(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  5 kB\nSwapFree: 1 kB\n"})
    assert list(machine.machine_room(tmp_path)) == [5 * 1024]


def test_groups_of_version_2_and_those_around_them(tmp_path):
    group = "sys/fs/cgroup/slurm/job_7"
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/slurm/job_7\n",
            f"{group}/memory.max": "1000\n",
            f"{group}/memory.current": "700\n",
            f"{group}/memory.stat": "anon 500\ninactive_file 150\nactive_file 50\n",
            "sys/fs/cgroup/slurm/memory.max": "max\n",
            "sys/fs/cgroup/slurm/memory.current": "800\n",
        },
    )
    assert list(machine.group_rooms(tmp_path)) == [450]


def test_groups_of_version_1_seen_from_inside_a_container(tmp_path):
    base = "sys/fs/cgroup/memory"
    write(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n0::/\n",
            f"{base}/memory.limit_in_bytes": "2000\n",
            f"{base}/memory.usage_in_bytes": "1500\n",
            f"{base}/memory.stat": "inactive_file 1\ntotal_inactive_file 100\n",
        },
    )
    assert list(machine.group_rooms(tmp_path)) == [600]


@pytest.mark.parametrize(
    ("rooms", "free"), [(([8000], [6000]), 6000), (([8000], []), 8000), (([8000], [-5]), 0), (([], []), None)]
)
def test_the_least_of_them_counts(monkeypatch, rooms, free):
    for name, found in zip(("machine_room", "group_rooms"), rooms, strict=True):
        monkeypatch.setattr(machine, name, lambda root, found=found: found)
    assert jax.local_device_count() == 1
    assert memory.free_memory() == free


# Files of a system on which 8 processors may be used, and how many its quota leaves.
QUOTAS = {
    "no group": ({}, 8),
    "version 2, from inside a container": ({"proc/self/cgroup": "0::/\n", "cpu.max": "200000 100000\n"}, 2),
    "version 2, without a quota": ({"proc/self/cgroup": "0::/\n", "cpu.max": "max 100000\n"}, 8),
    "version 2, below a job": (
        {
            "proc/self/cgroup": "0::/job/step\n",
            "job/cpu.max": "300000 100000\n",
            "job/step/cpu.max": "max 1\n",
        },
        3,
    ),
    "half a processor": ({"proc/self/cgroup": "0::/\n", "cpu.max": "50000 100000\n"}, 1),
    "one and a half": ({"proc/self/cgroup": "0::/\n", "cpu.max": "150000 100000\n"}, 2),
    "more than there are": ({"proc/self/cgroup": "0::/\n", "cpu.max": "3200000 100000\n"}, 8),
    "version 1": (
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/ab\n4:memory:/docker/ab\n",
            "cpu/cpu.cfs_quota_us": "400000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
        4,
    ),
    "version 1, mounted under both names": (
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/ab\n",
            "cpu,cpuacct/docker/ab/cpu.cfs_quota_us": "100000\n",
            "cpu,cpuacct/docker/ab/cpu.cfs_period_us": "50000\n",
        },
        2,
    ),
    "version 1, without a quota": (
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/\n",
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
        8,
    ),
    "files that say nothing": ({"proc/self/cgroup": "0::/\n", "cpu.max": "\n"}, 8),
}


@pytest.mark.parametrize(("files", "cores"), QUOTAS.values(), ids=QUOTAS)
def test_a_quota_counts(tmp_path, monkeypatch, files, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    write(
        tmp_path, {name if "proc" in name else f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    )
    assert machine.cores(tmp_path) == cores


def test_processors_that_it_may_not_run_on_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3}, raising=False)
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000 100000\n"})
    assert machine.cores(tmp_path) == 1
