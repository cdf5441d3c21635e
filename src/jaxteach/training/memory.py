"""How much memory there is: an accelerator's own, or the machine's, less within a container or a job."""

from collections.abc import Iterator
from pathlib import Path

import jax

V2 = ("memory.max", "memory.current", "inactive_file ")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
"""Files of a control group that hold its limit and its use, and in memory.stat what is cache that yields."""


def free_memory() -> int | None:
    """Free memory of a local device, in bytes, if that can be told; devices of a CPU share the machine's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    rooms = [*machine_room(), *group_rooms()]
    return max(0, min(rooms)) // jax.local_device_count() if rooms else None


def device_memory() -> int | None:
    """All memory of a local device that JAX may use, whatever is in use: the same on devices of one kind."""
    stats = jax.local_devices()[0].memory_stats()
    return int(stats["bytes_limit"]) if stats and "bytes_limit" in stats else free_memory()


def machine_room(root: Path = Path("/")) -> Iterator[int]:
    """What the machine has left, in bytes; nothing where it does not tell (macOS, Windows)."""
    for line in lines_of(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def group_rooms(root: Path = Path("/")) -> Iterator[int]:
    """What the process's control group, and each that it is in, has left of its limit, in bytes."""
    for line in lines_of(root / "proc/self/cgroup"):
        _, kinds, path = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        base = root / "sys/fs/cgroup" / ("memory" if kinds else "")
        # Within a container the path may be that outside of it: what is not there is passed over.
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):
            yield from room_of(folder, *(V1 if kinds else V2))
            if folder == base:
                break


def room_of(folder: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    """What one control group has left, in bytes; nothing if it has no limit."""
    numbers = [line for name in (limit, usage) for line in lines_of(folder / name)]
    if len(numbers) == 2 and all(number.strip().isdecimal() for number in numbers):
        yields = [int(line.split()[1]) for line in lines_of(folder / "memory.stat") if line.startswith(cache)]
        yield int(numbers[0]) - int(numbers[1]) + sum(yields)


def lines_of(file: Path) -> list[str]:
    """Lines of a file; none if it cannot be read."""
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
