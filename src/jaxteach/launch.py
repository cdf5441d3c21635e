"""`python -m jaxteach.launch`: train the shards of a run on a cluster's scheduler, or here, and join them."""

import dataclasses
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from jaxteach.cli import parse
from jaxteach.config import from_json, resolve
from jaxteach.errors import UserError, cli, one_line
from jaxteach.merge import merge
from jaxteach.options import check_unchanged, idle_flags, read_config, read_options
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
    sbatch: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE for sbatch, such as account=lab, qos=long or mem=16G; may be given again (slurm)."""


def main() -> int:
    """Submit what is missing, wait, and join."""
    args = sys.argv[1:]
    at = args.index("--") if "--" in args else len(args)
    mine, theirs = args[:at], args[at + 1 :]
    options = parse(Options, "launch", args=mine)
    for name in ("shards", "minutes"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name} {getattr(options, name)}: must be at least 1")
    for text in options.sbatch:
        read_pair(text)
    check_split(options)
    commands = commands_of(options, theirs)
    check_jobs(options.out, commands)
    missing = [shard for shard in commands if not _ended(shard, options.out)]
    say(f"{options.out}: {len(missing)} of {options.shards} shards to train")
    if missing:
        submitted = submit(options, [commands[shard] for shard in missing])
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


def commands_of(options: Options, theirs: list[str]) -> dict[Shard, list[str]]:
    """Arguments of `python -m jaxteach.run` for each shard: what was given, and what tells shards apart.

    Args:
        options: the command line.
        theirs: what came after --.
    """
    shards = [Shard(index, options.shards) for index in range(options.shards)]
    begun = first_begun(options.out, shards)
    # An accelerator chooses its width itself: those that begin later take that of the others.
    width = [] if begun is None else ["--seeds-per-chunk", str(from_json(begun).seeds_per_chunk)]
    own = ["--out", str(options.out), "--resume", "--shard"]
    return {shard: [*width, *theirs, *own, str(shard)] for shard in shards}


def check_jobs(out: Path, commands: dict[Shard, list[str]]) -> None:
    """Refuse here what a job would refuse, or merging would, before it waits in a queue.

    Args:
        out: the run's folder.
        commands: arguments of each shard's run.

    Raises:
        UserError: naming the flag at fault.
    """
    asked = {shard: read_options(command)[0] for shard, command in commands.items()}
    shard, options = next(iter(asked.items()))
    for line in idle_flags(options.config, commands[shard]):
        say(line)
    from jaxteach.backend import start_jax

    start_jax(platforms="cpu")  # accelerators are for the jobs
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.training import n_chunks
    from jaxteach.training.state import make_plan

    begun = first_begun(out, commands)
    for shard, options in asked.items():
        config = resolve(options.config)
        make_plan(config, load_teacher(config.teacher, config.task) is not None)
        if begun is not None:
            advice = "give the flags that it was started with, or choose another --out"
            check_unchanged(begun, dataclasses.replace(options, config=config), advice)
        shard.chunks(n_chunks(config))


def first_begun(out: Path, shards: Iterable[Shard]) -> dict[str, Any] | None:
    """config.json of the first shard that has been begun; None if none has."""
    found = (read_config(shard.folder(out)) for shard in shards)
    return next((then for then in found if then is not None), None)


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
                "slurm_additional_parameters": dict(read_pair(text) for text in options.sbatch),
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


def read_pair(text: str) -> tuple[str, str]:
    """Read one --sbatch.

    Raises:
        UserError: if it is no NAME=VALUE.

    >>> read_pair("mem=16G")
    ('mem', '16G')
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UserError(f"--sbatch {text}: must be NAME=VALUE, such as account=lab")
    return name.lstrip("-").replace("-", "_"), value


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
    from jaxteach.lock import FolderLock

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
