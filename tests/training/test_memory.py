"""Tests of how much memory there is, on systems made of files."""

import jax
import pytest

from jaxteach.training import memory


def write(root, files):
    """Lay out a system's files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_the_machine(tmp_path):
    assert list(memory.machine_room(tmp_path)) == []  # as on macOS
    write(tmp_path, {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  5 kB\nSwapFree: 1 kB\n"})
    assert list(memory.machine_room(tmp_path)) == [5 * 1024]


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
    assert list(memory.group_rooms(tmp_path)) == [450]


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
    assert list(memory.group_rooms(tmp_path)) == [600]


@pytest.mark.parametrize(
    ("rooms", "free"), [(([8000], [6000]), 6000), (([8000], []), 8000), (([8000], [-5]), 0), (([], []), None)]
)
def test_the_least_of_them_counts(monkeypatch, rooms, free):
    for name, found in zip(("machine_room", "group_rooms"), rooms, strict=True):
        monkeypatch.setattr(memory, name, lambda found=found: found)
    assert jax.local_device_count() == 1
    assert memory.free_memory() == free
