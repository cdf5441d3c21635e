"""How fast everything is, against its peers and against the machine: the figures of docs/performance.md."""

import argparse
import datetime
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import ROOT, say

from jaxteach.utils.errors import cli
from jaxteach.utils.files import write_atomic
from jaxteach.utils.jax_setup import start_jax, versions
from jaxteach.utils.machine import cores

NAME = "bench_throughput"


def main() -> None:
    """Read the command line, start JAX, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller: within 5 minutes on two cores")
    parser.add_argument("--out", type=Path, help="folder for the JSON and the PNG")
    parser.add_argument("--levels", action="store_true", help="MiniGrid's levels alone (half an hour)")
    given = parser.parse_args()
    size = "quick" if given.quick else "full"
    kept = ROOT / "experiments" / ("out/quick" if given.quick else "results") / NAME

    def begin() -> None:
        # As `jaxteach.run` does. Only the runs, with a separate cache, tell how long compiling takes.
        start_jax(host_devices=cores())
        (bench_levels if given.levels else bench)(size, given.out or kept)

    cli(begin)


def bench(name: str, out: Path) -> None:
    """Measure everything, write it down, and print the ratios.

    Args:
        name: quick or full.
        out: folder of the results.
    """
    from benchmarks import peer_ppo, ratios, suite
    from benchmarks.picture import picture

    from jaxteach.analysis import save_figure

    size, began, load = suite.SIZES[name], time.perf_counter(), os.getloadavg()
    out.mkdir(parents=True, exist_ok=True)
    groups: dict[str, Any] = {}
    for title, group in (
        ("environments", suite.environments),
        ("learning", suite.learning),
        ("operations", suite.operations),
        ("widths", suite.widths),
    ):
        say(f"{title} ({time.perf_counter() - began:.0f} s so far)")
        groups[title] = group(size)
    say(f"runs ({time.perf_counter() - began:.0f} s so far)")
    runs = suite.whole_runs(size)
    peak = ratios.best(groups["operations"], "matmul")
    assert peak is not None
    found = [
        *ratios.env_ratios(groups["environments"]),
        *ratios.training_ratios(groups["learning"]),
        *ratios.peak_ratios(groups["operations"]),
        *ratios.run_ratios(runs, peak.rate),
    ]
    seconds = time.perf_counter() - began
    result = {
        **circumstances(name, load, seconds),
        "short_runs_env_steps": suite.SHORT,
        "navix_ppo_differs": peer_ppo.DIFFERS,
        **{title: as_json(group) for title, group in groups.items()},
        "runs": {kind: as_json(each) for kind, each in runs.items()},
        "vmap_faster_from_width": ratios.crossover(groups["widths"]),
        "ratios": ratios.to_json(found),
    }
    write_atomic(out / f"{NAME}.json", (json.dumps(result, indent=1) + "\n").encode())
    save_figure(picture(groups, runs, hardware()["cpu"]), out / f"{NAME}.png")
    say(f"{os.path.relpath(out)}: {NAME}.json and .png, after {seconds:.0f} s")
    say(f"matmul: {peak.rate / 1e9:.0f} GFLOP/s, float32; short runs: {suite.SHORT} environment steps a seed")
    width = result["vmap_faster_from_width"]
    say(f"vmap is faster than map {'at no width' if width is None else f'from {width} seeds a chunk on'}")
    for line in ratios.lines(found):
        say(line)


def bench_levels(name: str, out: Path) -> None:
    """Measure MiniGrid's levels against the peers' own, write it down, and print the ratios.

    Args:
        name: quick or full.
        out: folder of the results.
    """
    from benchmarks import ratios, suite
    from benchmarks.picture import level_picture

    from jaxteach.analysis import save_figure

    began, load = time.perf_counter(), os.getloadavg()
    out.mkdir(parents=True, exist_ok=True)
    rows = suite.level_rows(suite.SIZES[name])
    found, seconds = ratios.level_ratios(rows), time.perf_counter() - began
    result = {
        **circumstances(name, load, seconds),
        "levels": as_json(rows),
        "ratios": ratios.to_json(found),
    }
    write_atomic(out / "levels.json", (json.dumps(result, indent=1) + "\n").encode())
    save_figure(level_picture(rows, hardware()["cpu"]), out / "levels.png")
    say(f"{os.path.relpath(out)}: levels.json and .png, after {seconds:.0f} s")
    for line in ratios.lines(found):
        say(line)


def circumstances(size: str, load: tuple[float, ...], seconds: float) -> dict[str, Any]:
    """What a benchmark ran on, as JSON values.

    Args:
        size: quick or full.
        load: of the machine, before it.
        seconds: it took.
    """
    return {
        "size": size,
        "hardware": hardware(),
        "versions": {**versions(), **peer_versions()},
        "load_before": load,
        "seconds": seconds,
    }


def as_json(results: Mapping[str, Any] | Sequence[Any]) -> Any:
    """Timings by name, or runs, as JSON values."""
    if isinstance(results, Mapping):
        return {name: result.to_json() for name, result in results.items()}
    return [result.to_json() for result in results]


def hardware() -> dict[str, Any]:
    """What the machine is."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.processor() or platform.machine(),
        "cores": cores(),
        "system": platform.system(),
        "date": datetime.date.today().isoformat(),
    }


def peer_versions() -> dict[str, str]:
    """Versions of what is compared with."""
    import importlib.metadata

    found = {}
    for package in ("navix", "xminigrid", "minigrid"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


if __name__ == "__main__":
    main()
