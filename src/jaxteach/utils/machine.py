"""What the machine lets this process have: processors and memory, less in a container or a job. No JAX."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

V2 = ("memory.max", "memory.current", "inactive_file ")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
"""Files of a control group that hold its limit and its use, and in memory.stat what is cache that yields."""


def cores(root: Path = Path("/")) -> int:
    """Processors that this process may use: those it may run on, or its control group's quota if less.

    A quota of one and a half counts as two: two processes that wait now and then get more done than one.

    Args:
        root: where the system's files are.
    """
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([mine, *map(math.ceil, cpu_quotas(root))]))


def memory_left(root: Path = Path("/")) -> int | None:
    """Memory that can be had without swapping, in bytes; None if that cannot be told.

    Args:
        root: where the system's files are.
    """
    rooms = [*machine_room(root), *group_rooms(root)]
    return max(0, min(rooms)) if rooms else None


def machine_room(root: Path = Path("/")) -> Iterator[int]:
    """What the machine has left, in bytes; nothing where it does not tell (macOS, Windows)."""
    for line in lines_of(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def group_rooms(root: Path = Path("/")) -> Iterator[int]:
    """What the process's control group, and each that it is in, has left of its limit, in bytes."""
    for folder, version in groups("memory", root):
        yield from room_of(folder, *(V1 if version == 1 else V2))


def room_of(folder: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    """What one control group has left, in bytes; nothing if it has no limit."""
    numbers = [line for name in (limit, usage) for line in lines_of(folder / name)]
    if len(numbers) == 2 and all(number.strip().isdecimal() for number in numbers):
        yields = [int(line.split()[1]) for line in lines_of(folder / "memory.stat") if line.startswith(cache)]
        yield int(numbers[0]) - int(numbers[1]) + sum(yields)


def cpu_quotas(root: Path = Path("/")) -> Iterator[float]:
    """Processors that the process's control group, and each that it is in, may keep busy on average."""
    for folder, version in groups("cpu", root):
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if version == 1 else ("cpu.max",)
        words = [word for name in names for line in lines_of(folder / name) for word in line.split()]
        # Without a quota the first word is "max", in version 1 it is -1.
        if len(words) == 2 and all(word.isdecimal() and int(word) > 0 for word in words):
            yield int(words[0]) / int(words[1])


def groups(controller: str, root: Path) -> Iterator[tuple[Path, int]]:
    """Folders of the process's control group and of each that it is in, with the version of their files.

    Args:
        controller: what is limited, such as memory.
        root: where the system's files are.
    """
    for line in lines_of(root / "proc/self/cgroup"):
        _, kinds, path = line.split(":", 2)
        if kinds and controller not in kinds.split(","):
            continue
        base = root / "sys/fs/cgroup" / (controller if kinds else "")
        if kinds and not base.exists():
            base = base.with_name(kinds)
        # Within a container the path may be that outside of it: what is not there is passed over.
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):
            yield folder, 1 if kinds else 2
            if folder == base:
                break


def lines_of(file: Path) -> list[str]:
    """Lines of a file; none if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
