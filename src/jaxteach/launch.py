"""`python -m jaxteach.launch`: train the shards of a run on a cluster's scheduler, or here, and join them."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from jaxteach.cli import parse
from jaxteach.cli.flags import check_unchanged, idle_flags
from jaxteach.cli.results import report, say
from jaxteach.config import from_json, resolve
from jaxteach.config.sweep import n_chunks
from jaxteach.merge import merge
from jaxteach.run import read_options
from jaxteach.runs.folders import read_config
from jaxteach.runs.jobs import (
    OVER,
    Queue,
    ShardJob,
    env_steps,
    last_words,
    logs,
    read_jobs,
    read_pair,
    saved,
    write_jobs,
)
from jaxteach.runs.shards import Shard, shards_in, split_of
from jaxteach.utils.errors import UserError, cli, one_line
from jaxteach.utils.signals import tidied
from jaxteach.utils.surroundings import how_to_install

POLL = 1.0
"""Seconds between two looks at the jobs."""
TELL = 30.0
"""Seconds between two lines of progress."""
PATIENCE = 3
"""How often in a row a shard's job may be lost without anything saved before it counts as failed."""
WARNING = 90
"""Seconds before its time limit at which a job gets the signal to save, if the limit is long enough."""


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
    """Time limit of a job, in minutes. A shard that takes longer is saved and queued again (slurm)."""
    warn_seconds: int | None = None
    """Seconds before the limit at which a job gets the signal to save (slurm); SLURM may send it half a
    minute earlier. By default 90, or a quarter of a shorter limit."""
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
    options, theirs = parse(Options, "launch", args=args[:at]), args[at + 1 :]
    for name, value in (("shards", options.shards), ("minutes", options.minutes)):
        if value < 1:
            raise UserError(f"--{name} {value}: must be at least 1")
    for text in options.sbatch:
        read_pair(text)
    if not 0 < warning(options) < 60 * options.minutes:
        raise UserError(
            f"--warn-seconds {options.warn_seconds}: must be from 1 to below the limit of a job, "
            f"{60 * options.minutes} s"
        )
    check_split(options)
    commands = commands_of(options, theirs)
    check_jobs(options.out, commands)
    missing = {shard: command for shard, command in commands.items() if not _ended(shard, options.out)}
    n = options.shards
    say(f"{options.out}: {len(missing)} of {n} shards to train")
    if missing:
        failed = Launch(options, missing).wait()
        for shard, why in failed.items():
            say(f"shard {shard} has failed: {why}")
        if failed:
            say(f"{n - len(failed)} of {n} shards have ended; launch again for the rest")
            return 1
    return join(options.out)


def warning(options: Options) -> int:
    """Seconds before its time limit at which a job gets the signal to save."""
    return min(WARNING, 15 * options.minutes) if options.warn_seconds is None else options.warn_seconds


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
    command = next(iter(commands.values()))
    for line in idle_flags(read_options(command)[0].config, command):
        say(line)
    from jaxteach.tasks import needs_jax
    from jaxteach.teacher.wrong import teacher_of
    from jaxteach.utils.jax_setup import start_jax

    begun = first_begun(out, commands)
    for shard, command in commands.items():
        options, _ = read_options(command)
        if needs_jax(options.config.task):
            start_jax(platforms="cpu")
        config = resolve(options.config)
        teacher_of(config)
        if begun is not None:
            advice = "give the flags that it was started with, or choose another --out"
            check_unchanged(begun, config, options.own, advice)
        shard.chunks(n_chunks(config))


def first_begun(out: Path, shards: Iterable[Shard]) -> dict[str, Any] | None:
    """config.json of the first shard that has been begun; None if none has."""
    found = (read_config(shard.folder(out)) for shard in shards)
    return next((then for then in found if then is not None), None)


def submit(options: Options, commands: list[tuple[Shard, list[str]]]) -> list[Any]:
    """Hand jobs to the scheduler.

    Args:
        options: the command line.
        commands: shards, and the arguments of `python -m jaxteach.run` for each.

    Returns:
        The jobs, as submitit has them.

    Raises:
        UserError: submitit is not installed, or there is no such scheduler.
    """
    submitit = load_submitit()
    try:
        executor = submitit.AutoExecutor(folder=logs(options.out), cluster=options.cluster)
        executor.update_parameters(name="jaxteach", timeout_min=options.minutes)
        if options.cluster == "slurm":
            given = {
                "slurm_partition": options.partition,
                "slurm_signal_delay_s": warning(options),
                "cpus_per_task": options.cpus,
                "gpus_per_node": options.gpus or None,
                "slurm_additional_parameters": dict(read_pair(text) for text in options.sbatch),
            }
            executor.update_parameters(**{name: value for name, value in given.items() if value is not None})
        # Some clusters queue nothing again unless it asks for that.
        with submitit.helpers.environment_variables(SBATCH_REQUEUE="1"), executor.batch():
            return [
                executor.submit(
                    ShardJob(
                        [sys.executable, "-m", "jaxteach.run", *command],
                        shard.folder(options.out),
                        submitit.helpers.DelayedSubmission,
                    )
                )
                for shard, command in commands
            ]
    except (RuntimeError, OSError) as error:
        raise UserError(f"--cluster {options.cluster}: {one_line(error)}") from error


def load_submitit() -> Any:
    """The package that speaks to schedulers.

    Raises:
        UserError: it is not installed.
    """
    try:
        import submitit
    except ImportError:
        raise UserError(f"submitit is not installed: {how_to_install('cluster')}") from None
    return submitit


class Launch:
    """The jobs of a launch, each followed until its shard has ended or has failed.

    A job that is lost (its node failed, it was killed or did not save in time) is submitted again, as long
    as its shard got further; one whose run ended with an error, or that was cancelled, is not.

    Args:
        options: the command line.
        commands: arguments of `python -m jaxteach.run` for each shard to train.
    """

    def __init__(self, options: Options, commands: dict[Shard, list[str]]) -> None:
        self._options, self._commands, self._out = options, commands, options.out
        self._jobs: dict[Shard, Any] = {}
        self._queue = Queue()
        self._lost = dict.fromkeys(commands, 0)
        self._saved = {shard: saved(shard.folder(self._out)) for shard in commands}
        self._failed: dict[Shard, str] = {}
        if options.cluster == "slurm":
            self._take_up()
        self._submit([shard for shard in commands if shard not in self._jobs])

    def _take_up(self) -> None:
        """Find jobs of an earlier launch that may yet run: a second one would find its folder locked."""
        before = read_jobs(self._out)
        own = {shard: before[str(shard)] for shard in self._commands if str(shard) in before}
        self._queue.look(list(own.values()))
        for shard, job in own.items():
            if self._queue.state(job) not in ("", *OVER):
                self._jobs[shard] = load_submitit().SlurmJob(folder=logs(self._out), job_id=job)
                say(f"shard {shard} is in the queue already (job {job})")

    def _submit(self, shards: list[Shard]) -> None:
        if shards:
            jobs = submit(self._options, [(shard, self._commands[shard]) for shard in shards])
            self._jobs.update(zip(shards, jobs, strict=True))
            if self._options.cluster == "slurm":
                write_jobs(self._out, {str(shard): self._jobs[shard].job_id for shard in shards})

    def wait(self) -> dict[Shard, str]:
        """Wait until no job is left, and report them. On Ctrl-C a scheduler's continue, local ones end.

        Returns:
            The shards that have failed, and why.
        """
        told = time.monotonic()
        running = dict.fromkeys(self._jobs)

        def leave() -> None:
            for shard in running if self._options.cluster == "local" else ():
                self._jobs[shard].cancel()
            if self._options.cluster == "slurm":
                say("the jobs continue; launch again, now or when they have ended, to join them")

        with tidied(leave):
            while running:
                if self._options.cluster == "slurm":
                    self._queue.look([self._jobs[shard].job_id for shard in running])
                for shard in list(running):
                    if self._settled(shard):
                        running.pop(shard)
                if running and time.monotonic() - told > TELL:
                    told = time.monotonic()
                    steps = sum(env_steps(shard.folder(self._out)) for shard in self._jobs)
                    states = f" ({self._queue})" if str(self._queue) else ""
                    say(f"{len(running)} shards to go{states}, {steps:,} environment steps so far")
                time.sleep(POLL)
        return self._failed

    def _settled(self, shard: Shard) -> bool:
        """Whether a shard has ended or failed; if its job was lost, it is submitted again."""
        job = self._jobs[shard]
        if _ended(shard, self._out):
            say(f"shard {shard} has ended")
            return True
        local = self._options.cluster == "local"
        if not (job.done() if local else self._queue.over(job.job_id)):
            return False
        state = "" if local else self._queue.state(job.job_id)
        if job.paths.result_pickle.exists():
            why = last_words(job.paths.stderr)
        elif state == "CANCELLED":
            why = "its job was cancelled"
        else:
            why = f"its job was lost ({state or 'gone'})"
            try:
                if self._again(shard):
                    say(f"shard {shard}: {why}; submitted again, to continue from what it had saved")
                    return False
                said = last_words(job.paths.stderr)
                why += f", {PATIENCE} times in a row before anything was saved: {said}"
            except UserError as error:  # the others may continue
                why += f" and not submitted again: {error}"
        self._failed[shard] = f"{why} (log: {job.paths.stderr})"
        say(f"shard {shard} has stopped")
        return True

    def _again(self, shard: Shard) -> bool:
        """Submit a shard again whose job was lost, unless that keeps happening before it gets further."""
        now = saved(shard.folder(self._out))
        self._lost[shard] = 0 if now > self._saved[shard] else self._lost[shard] + 1
        self._saved[shard] = now
        if self._lost[shard] < PATIENCE:
            self._submit([shard])
        return self._lost[shard] < PATIENCE


def join(out: Path) -> int:
    """Join the shards, which have all ended, and report."""
    from jaxteach.utils.jax_setup import start_jax
    from jaxteach.utils.lock import FolderLock

    start_jax(platforms="cpu")  # accelerators are for the jobs
    with FolderLock(out, notice=say):
        report(merge(out, shards_in(out)))
    return 0


def check_split(options: Options) -> None:
    """Refuse to split a run in another way than it has been split before."""
    before = split_of(options.out)
    if before is not None and before != options.shards:
        raise UserError(
            f"--shards {options.shards}: {options.out} has been split into {before} before; choose "
            "that, or another --out"
        )


def _ended(shard: Shard, out: Path) -> bool:
    return (shard.folder(out) / "summary.json").exists()


if __name__ == "__main__":
    cli(main)
