"""`python -m jaxteach.launch`: train the shards of a run on a cluster's scheduler, or here, and join them."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jaxteach.cli import parse
from jaxteach.errors import UserError, cli, one_line
from jaxteach.merge import merge
from jaxteach.options import read_options
from jaxteach.run import report, say
from jaxteach.shards import Shard, shards_in

POLL = 1.0
"""Seconds between two looks at the jobs."""
TELL = 30.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True)
class Options:
    """Train the shards of a run as jobs, those that have ended left out, and join them once all have.

    What comes after -- goes to every `python -m jaxteach.run`, such as: -- --task two_door --seeds 4096
    """

    out: Path
    """Folder of the run; shared by all jobs."""
    shards: int = 2
    """Parts to train, each a job."""
    cluster: Literal["slurm", "local"] = "slurm"
    """slurm: a job array; local: processes of this machine, all at once."""
    minutes: int = 24 * 60
    """Time limit of a job, in minutes."""
    partition: str | None = None
    """Partition (slurm)."""
    cpus: int | None = None
    """Processors of a job (slurm); by default the cluster's."""
    gpus: int = 0
    """GPUs of a job (slurm)."""


def main() -> int:
    """Submit what is missing, wait, and join."""
    args = sys.argv[1:]
    at = args.index("--") if "--" in args else len(args)
    mine, theirs = args[:at], args[at + 1 :]
    options = parse(Options, "launch", args=mine)
    for name in ("shards", "minutes"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name} {getattr(options, name)}: must be at least 1")
    commands = {
        shard: ["--out", str(options.out), "--resume", "--shard", str(shard)]
        for shard in (Shard(index, options.shards) for index in range(options.shards))
    }
    # What a job would refuse is refused here, before it waits in a queue.
    for command in commands.values():
        read_options([*theirs, *command])
    check_split(options)
    missing = [shard for shard in commands if not _ended(shard, options.out)]
    say(f"{options.out}: {len(missing)} of {options.shards} shards to train")
    if missing:
        submitted = submit(options, [[*theirs, *commands[shard]] for shard in missing])
        jobs = dict(zip(missing, submitted, strict=True))
        wait(jobs, options)
        failed = {shard: job for shard, job in jobs.items() if not _ended(shard, options.out)}
        if failed:
            for shard, job in failed.items():
                say(f"shard {shard} has failed: {last_words(job)} (log: {job.paths.stderr})")
            ended = options.shards - len(failed)
            say(f"{ended} of {options.shards} shards have ended; launch again for the rest")
            return 1
    return join(options.out)


def submit(options: Options, commands: list[list[str]]) -> list[Any]:
    """Hand jobs to the scheduler.

    Args:
        options: the command line.
        commands: arguments of `python -m jaxteach.run` for each job.

    Returns:
        The jobs, as submitit has them.

    Raises:
        UserError: submitit is not installed, or there is no such scheduler.
    """
    try:
        import submitit
    except ImportError:
        raise UserError("submitit is not installed: pip install 'jaxteach[cluster]'") from None
    logs = options.out / "shards" / "logs"
    try:
        executor = submitit.AutoExecutor(folder=logs, cluster=options.cluster)
        executor.update_parameters(name="jaxteach", timeout_min=options.minutes)
        if options.cluster == "slurm":
            given = {
                "slurm_partition": options.partition,
                "cpus_per_task": options.cpus,
                "gpus_per_node": options.gpus or None,
            }
            executor.update_parameters(**{name: value for name, value in given.items() if value is not None})
        with executor.batch():
            return [
                executor.submit(
                    submitit.helpers.CommandFunction([sys.executable, "-m", "jaxteach.run", *command])
                )
                for command in commands
            ]
    except (RuntimeError, OSError) as error:
        raise UserError(f"--cluster {options.cluster}: {one_line(error)}") from error


def wait(jobs: dict[Shard, Any], options: Options) -> None:
    """Wait for jobs, and tell how they stand. On Ctrl-C those of a scheduler go on, local ones end."""
    told = time.monotonic()
    running = dict(jobs)
    try:
        while running:
            for shard in [shard for shard, job in running.items() if job.done()]:
                running.pop(shard)
                say(f"shard {shard} {'has ended' if _ended(shard, options.out) else 'has stopped'}")
            if running and time.monotonic() - told > TELL:
                told = time.monotonic()
                steps = sum(env_steps(shard, options.out) for shard in jobs)
                say(f"{len(running)} shards to go, {steps:,} environment steps so far")
            time.sleep(POLL)
    except KeyboardInterrupt:
        for job in running.values() if options.cluster == "local" else ():
            job.cancel()
        if options.cluster == "slurm":
            say("the jobs go on; launch again when they have ended, to join them")
        raise


def env_steps(shard: Shard, out: Path) -> int:
    """Environment steps a shard has taken so far."""
    try:
        lines = (shard.folder(out) / "metrics.jsonl").read_text().splitlines()
        return int(json.loads(lines[-1])["env_steps"])
    except (OSError, ValueError, IndexError):
        return 0


def join(out: Path) -> int:
    """Join the shards, which have all ended, and report."""
    from jaxteach.backend import start_jax
    from jaxteach.lock import FolderLock

    start_jax()
    with FolderLock(out, notice=say):
        report(merge(out, shards_in(out)))
    return 0


def check_split(options: Options) -> None:
    """Refuse to split a run in another way than it has been split before."""
    if (options.out / "shards").exists():
        try:
            before = shards_in(options.out)[0].count
        except UserError:
            return
        if before != options.shards:
            raise UserError(
                f"--shards {options.shards}: {options.out} has been split into {before} before; choose "
                "that, or another --out"
            )


def last_words(job: Any) -> str:
    """The last line a job wrote to its stderr."""
    try:
        lines = [line for line in (job.stderr() or "").splitlines() if line.strip()]
    except OSError:
        lines = []
    return one_line(lines[-1]) if lines else "it said nothing"


def _ended(shard: Shard, out: Path) -> bool:
    return (shard.folder(out) / "summary.json").exists()


if __name__ == "__main__":
    cli(main)
