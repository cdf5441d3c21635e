"""`python -m jaxteach.doctor`: is everything in place to train here? Exit status 0 if so, 1 if not."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jaxteach.cli import parse
from jaxteach.utils.errors import UserError, cli, one_line

LEAST_DISK = 200 * 2**20
"""Bytes a few runs and their compiled programs take."""
LEAST_MEMORY = 2**30
"""Bytes a small run takes, compiling included."""

Finding = tuple[bool, str]


@dataclass(frozen=True)
class Options:
    """Check versions, devices, folders and teacher tables, and train tiny students for a few seconds."""

    self_test: bool = True
    """Train, stop, continue, and compare bit by bit."""


def main() -> int:
    """Run every check, one line each."""
    options = parse(Options, "doctor")
    checks = [versions, devices, cache, disk, memory, tables, *([self_test] if options.self_test else [])]
    failed = sum(examine(check) for check in checks)
    print("all is well" if not failed else f"{failed} of {len(checks)} checks failed")
    return 1 if failed else 0


def examine(check: Callable[[], Iterator[Finding]]) -> bool:
    """Print what a check finds, as it finds it; true if anything is wrong."""
    wrong = False
    try:
        for sound, line in check():
            print(f"{'ok   ' if sound else 'WRONG'}  {line}", flush=True)
            wrong = wrong or not sound
    except Exception as error:  # a doctor reports whatever is broken, and continues to the next check
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        print(f"WRONG  {check.__name__}: {kind}{one_line(error)}", flush=True)
        wrong = True
    return wrong


def versions() -> Iterator[Finding]:
    """Versions of what results depend on."""
    from jaxteach.utils.jax_setup import versions as installed

    found = installed()
    yield "not installed" not in found.values(), ", ".join(f"{name} {v}" for name, v in found.items())


def devices() -> Iterator[Finding]:
    """What JAX computes on."""
    from jaxteach.utils.jax_setup import start_jax
    from jaxteach.utils.machine import cores

    start_jax()
    import jax

    kinds = [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()]
    yield True, f"devices: {', '.join(kinds)}; {cores()} processors"


def cache() -> Iterator[Finding]:
    """The folder of compiled programs."""
    from jaxteach.utils.compile_cache import CACHE_VARIABLE, compilation_cache

    complaints: list[str] = []
    folder = compilation_cache(notice=complaints.append)
    yield from ((False, line) for line in complaints)
    if folder is None:
        off = os.environ.get(CACHE_VARIABLE) == "off"
        why = f"{CACHE_VARIABLE}=off" if off else f"no folder can be written: set {CACHE_VARIABLE}"
        yield off, f"compiled programs: not kept ({why})"
        return
    files = [path.stat().st_size for path in folder.iterdir() if path.is_file()]
    yield True, f"compiled programs: {folder}, {len(files)} files, {sum(files) / 2**20:.0f} MB"


def disk() -> Iterator[Finding]:
    """Room for runs and compiled programs."""
    from jaxteach.utils.compile_cache import compilation_cache

    folder = compilation_cache()
    for path in [Path.cwd(), *([] if folder is None else [folder])]:
        free = shutil.disk_usage(path).free
        yield free >= LEAST_DISK, f"disk: {free / 2**30:.1f} GB free in {path}"


def memory() -> Iterator[Finding]:
    """Memory that can be had now, in a container or a job no more than its limit leaves."""
    from jaxteach.utils.machine import memory_left

    left = memory_left()
    told = "this system does not say" if left is None else f"{left / 2**30:.1f} GB available"
    yield left is None or left >= LEAST_MEMORY, f"memory: {told}"


def tables() -> Iterator[Finding]:
    """Every table that ships."""
    from jaxteach.tasks import language
    from jaxteach.tasks.registry import table_owners
    from jaxteach.teacher import load_table
    from jaxteach.teacher.loading import cache_folder, table_names

    for task in table_owners():
        names = []
        for name in table_names(task):
            try:
                load_table(name, task, language(task))
                names.append(name)
            except UserError as error:
                yield False, one_line(error)
        yield bool(names), f"teacher tables for {task}: {', '.join(names) or 'none'}"
    strays = sorted({p.name for p in cache_folder().iterdir() if p.is_dir()} - set(table_owners()))
    if strays:
        yield False, f"{cache_folder()} holds tables for unknown tasks: {', '.join(strays)}"


def self_test() -> Iterator[Finding]:
    """Train two tiny students, once straight through, once stopped and gone on with: the same bits."""
    import jax
    import numpy as np

    from jaxteach.config import PPO, Config, Rollout, Student, resolve
    from jaxteach.runs import Hooks, RunFolder, execute
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.training import compile_program, train

    began = time.perf_counter()
    config = resolve(
        Config(
            seeds=2,
            seeds_per_chunk=2,
            env_steps=16 * 64,
            student=Student(hidden=8),
            ppo=PPO(minibatch=32, epochs=1),
            rollout=Rollout(envs=8, steps=8),
        )
    )
    table = load_teacher(config.teacher, config.task)
    program = compile_program(config, table)
    whole = train(config, table, program=program)
    finite = all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(whole.params))
    yield finite, "self-test: trained two tiny students"
    with tempfile.TemporaryDirectory() as scratch:
        # Asked before the chunk and after each segment: stopped after the first one, then not again.
        for answers in ([False, True], [False] * 100):
            hooks = Hooks(stop=iter(answers).__next__)
            execute(config, table, Path(scratch), hooks, programs=[program])
        resumed = RunFolder(Path(scratch)).read_params(0)
    same = all(
        np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(resumed), strict=True)
    )
    yield same, f"self-test: stopped and gone on with, the same bits ({time.perf_counter() - began:.0f} s)"


if __name__ == "__main__":
    cli(main)
