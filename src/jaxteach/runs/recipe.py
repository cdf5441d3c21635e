"""The one recipe of a run: train what its folder lacks, evaluate, and leave all that a reader needs."""

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jaxteach.config import Config, from_json, resolve, to_json
from jaxteach.config.effects import check_sweep
from jaxteach.config.sweep import n_chunks
from jaxteach.runs.checkpoints import Checkpoints
from jaxteach.runs.folders import check_new, check_table, held, in_words, read_config
from jaxteach.runs.resources import (
    check_disk,
    check_memory,
    choose_width,
    count_trials,
    on_cpu,
    told_of_memory,
)
from jaxteach.runs.resumable import run_session
from jaxteach.runs.run_folder import RunFolder, fingerprint, origins
from jaxteach.runs.shards import Shard
from jaxteach.runs.summary import write_metrics, write_shard, write_summary
from jaxteach.teacher.table import PlanTable
from jaxteach.training.compilation import compile_program, reuse_program
from jaxteach.training.exported import Store
from jaxteach.training.program import Program
from jaxteach.training.train import Progress
from jaxteach.utils.errors import UserError
from jaxteach.utils.jax_setup import devices_in_words
from jaxteach.utils.json_file import read_object

WRITING = "writing the last files"
"""What `Hooks.begin` gets once training has ended or was stopped."""


@dataclass(frozen=True)
class Hooks:
    """What a run calls on its way; by default nothing happens.

    Attributes:
        on_segment: called after each segment.
        on_evaluation: called before a chunk is evaluated, with its number, how many chunks the run
            has and how many trials the chunk.
        on_begun: called with the run folder once its config.json is there.
        notice: gets a line that a user should know, such as a seed that diverged.
        say: gets a line on how far the run is.
        begin: gets the name of what begins and takes its time: compiling, `WRITING`, measuring the teacher.
        stop: asked before each chunk and after each segment; once true the state is saved and the run ends.
        guard: makes the context in which files are written; until then nothing can be lost.
    """

    on_segment: Callable[[Progress], None] = lambda progress: None
    on_evaluation: Callable[[int, int, int], None] = lambda chunk, n_chunks, n_trials: None
    on_begun: Callable[[Path], None] = lambda folder: None
    notice: Callable[[str], None] = lambda line: None
    say: Callable[[str], None] = lambda line: None
    begin: Callable[[str], None] = lambda what: None
    stop: Callable[[], bool] = lambda: False
    guard: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext


@dataclass(frozen=True)
class Settings:
    """How a run is carried out, beside what it trains.

    Attributes:
        resume: whether to continue with the run that the folder holds; otherwise such a folder is refused.
        anew: make a folder of this name, or one like it, that was not there before.
        deterministic: whether JAX was started with deterministic operations.
        keep_params: "all", or "none" to drop parameters once their chunk is evaluated.
        checkpoint_every: segments between checkpoints; 0 for none but the last; None to go by the time.
        debug_nans: end at the first seed that diverges, and say in which line of code its first NaN arises.
        shard: the part of the run to train; None for all.
        programs: the folder where traced programs are kept for other processes; None for nowhere.
    """

    resume: bool = True
    anew: bool = False
    deterministic: bool = False
    keep_params: Literal["all", "none"] = "all"
    checkpoint_every: int | None = None
    debug_nans: bool = False
    shard: Shard | None = None
    programs: Path | None = None


@dataclass(frozen=True)
class Summary:
    """A run's result.

    Attributes:
        folder: its folder.
        complete: whether it has ended; false if it was stopped.
        values: the contents of its summary.json; empty if it was stopped.
    """

    folder: Path
    complete: bool
    values: dict[str, Any]


def execute(
    config: Config,
    table: PlanTable | None,
    folder: Path,
    hooks: Hooks | None = None,
    settings: Settings | None = None,
    *,
    programs: list[Program] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Summary:
    """Train into a folder, or continue with the run that it holds, and evaluate.

    Args:
        config: what to train; presets fill what it leaves open.
        table: the teacher's; None trains by reinforcement alone.
        folder: the run folder; made if it is not there, and locked meanwhile.
        hooks: what is called on the way.
        settings: how it is carried out.
        programs: compiled so far; one of them is used again if it fits, else one is added.
        facts: what summary.json shall hold besides.

    Returns:
        The run's result.

    Raises:
        UserError: the configuration cannot be run, the folder cannot be used or holds another run, or
            there is not enough memory or disk; what was saved stays.
    """
    began = time.perf_counter()
    hooks, settings = hooks or Hooks(), settings or Settings()
    with held(folder, notice=hooks.notice, anew=settings.anew) as path:
        then = read_config(path)
        if then is None:
            check_sweep(config)
        elif not settings.resume:
            check_new(path)
        elif config.seeds_per_chunk is None:  # its width was chosen as it began
            config = dataclasses.replace(config, seeds_per_chunk=from_json(then).seeds_per_chunk)
        chosen = config.seeds_per_chunk is not None
        known = [] if programs is None else programs
        run = Run(resolve(config), table, RunFolder(path), then, settings, known)
        run.check_taught()
        if then is not None:
            run.check_same(then)
            if run.folder.ended:
                return run.ended()
        hooks.say(f"run folder: {path} ({in_words(shutil.disk_usage(path).free)} free)")
        hooks.begin(f"compiling for {devices_in_words()}")
        if not chosen and not on_cpu():
            with told_of_memory():
                width = choose_width(run.config, table)
            run = dataclasses.replace(run, config=dataclasses.replace(run.config, seeds_per_chunk=width))
        program, compile_seconds = run.compiled(hooks)
        # Until here nothing has been written.
        with hooks.guard():
            return run.trained(program, hooks, began, compile_seconds, facts or {})


@dataclass(frozen=True)
class Run:
    """A run whose folder is locked.

    Attributes:
        config: resolved.
        table: the teacher's, or None.
        folder: its own.
        then: config.json of the run to continue with; None for a new one.
        settings: how it is carried out.
        programs: compiled so far, by this run or others.
    """

    config: Config
    table: PlanTable | None
    folder: RunFolder
    then: dict[str, Any] | None
    settings: Settings
    programs: list[Program]

    @property
    def only(self) -> range | None:
        """The chunks of its shard; None for all."""
        shard = self.settings.shard
        return None if shard is None else shard.chunks(n_chunks(self.config))

    def check_taught(self) -> None:
        """Refuse a configuration that names a teacher without a table, or the other way round.

        Raises:
            UserError: saying what to pass.
        """
        if self.table is None and self.config.teacher != "none":
            raise UserError(
                f"the configuration names teacher {self.config.teacher}, and there is no table: pass "
                'load_teacher(config.teacher, config.task), or teacher="none"'
            )
        if self.table is not None and self.config.teacher == "none":
            raise UserError(f'table {self.table.name} would not be named in config.json, for teacher="none"')

    def check_same(self, then: dict[str, Any]) -> None:
        """Refuse to continue with a run of another configuration or table.

        Raises:
            UserError: naming what differs.
        """
        path = self.folder.path
        check_table(path, then, self.table, self.config.teacher)
        before, now = to_json(from_json(then)), to_json(self.config)
        differ = [name for name in now if name != "out" and now[name] != before.get(name)]
        if differ:
            raise UserError(
                f"{path} holds a run of another configuration (other values of {', '.join(differ)}): "
                "choose another --out"
            )
        if "features" not in then:  # version one called them "view", and its states had other arrays
            if not self.folder.ended:
                raise UserError(
                    f"{path} was begun by an earlier version of jaxteach, whose checkpoints this one cannot "
                    "continue from: finish it with that version, or choose another --out"
                )
        elif then["fingerprint"] != fingerprint(self.config, self.table, self.settings.deterministic):
            raise UserError(
                f"{path / 'config.json'} has been changed since the run was started: bring back what it "
                "said, or choose another --out"
            )

    def ended(self) -> Summary:
        """The result of a run that has ended; files that only a resumed run needs are removed."""
        if self.settings.shard is None:
            self.folder.clean()
        return Summary(self.folder.path, True, read_object(self.folder.path / "summary.json"))

    def compiled(self, hooks: Hooks) -> tuple[Program, float]:
        """Compile all that the run needs, and see that there is room for it.

        Returns:
            The program, and how many seconds that took.
        """
        began = time.perf_counter()
        with told_of_memory():
            fitting = (reuse_program(program, self.config, self.table) for program in self.programs)
            program = next((program for program in fitting if program is not None), None)
            if program is None:
                program = compile_program(
                    self.config, self.table, evaluated=True, store=self.store(hooks.notice)
                )
                self.programs.append(program)
            program.evaluation()
        seconds = time.perf_counter() - began
        check_memory(program, begun=self.then is not None)
        n_trials, n_finished = count_trials(program, self.folder.path, self.only)
        keep = self.settings.keep_params == "all"
        room = check_disk(program, self.folder.path, n_trials, keep, n_finished)
        hooks.say(f"compiled in {seconds:.1f} s; {room}")
        return program, seconds

    def store(self, notice: Callable[[str], None]) -> Store | None:
        """Where traced programs are kept."""
        folder = self.settings.programs
        return None if folder is None else Store(folder, notice)

    def trained(
        self,
        program: Program,
        hooks: Hooks,
        began: float,
        compile_seconds: float,
        facts: Mapping[str, Any],
    ) -> Summary:
        """Train and evaluate until all is done or a stop is asked for, and write the results.

        Args:
            program: compiled.
            hooks: what is called on the way.
            began: when the run began, by `time.perf_counter`.
            compile_seconds: what compiling took.
            facts: what summary.json shall hold besides.
        """
        folder, table, settings = self.folder, self.table, self.settings
        self._open(program, hooks)
        identity = self.config, table, settings.deterministic

        def on_segment(progress: Progress) -> None:
            folder.append_line({"success": None, **progress.point})
            hooks.on_segment(progress)

        with Checkpoints(
            folder.path, fingerprint(*identity), settings.checkpoint_every, hooks.notice, origins(*identity)
        ) as checkpoints:
            training = run_session(
                program,
                folder,
                checkpoints,
                on_segment=on_segment,
                on_evaluation=hooks.on_evaluation,
                stop=hooks.stop,
                notice=hooks.notice,
                keep_params=settings.keep_params == "all",
                debug_nans=settings.debug_nans,
                only=self.only,
            )
        hooks.begin(WRITING)
        write_metrics(program.plan, program.points, folder, training, table)
        if not training.complete:
            return Summary(folder.path, False, {})
        wall = {"compile": compile_seconds, "total": time.perf_counter() - began + training.earlier_seconds}
        if settings.shard is not None:
            write_shard(settings.shard, folder, training, wall)
            return self.ended()
        if table is not None and program.known is None:
            hooks.begin("measuring the teacher")
        with told_of_memory(program):
            alone = program.teacher_alone
        write_summary(program.plan, program.points, folder, training, table, alone, wall, **facts)
        return self.ended()

    def _open(self, program: Program, hooks: Hooks) -> None:
        """Write the folder's config.json, or tidy up after the process before."""
        if self.then is None:
            RunFolder.create(self.folder.path).write_config(
                self.config,
                program.plan.student.reader,
                self.table,
                self.settings.deterministic,
                self.settings.keep_params,
            )
        else:
            self.folder.tidy()
            for line in self.folder.differences(self.then):
                hooks.notice(line)
        hooks.on_begun(self.folder.path)
