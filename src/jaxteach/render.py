"""`python -m jaxteach.render RUN`: an episode of a trained student as a moving picture."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxteach.cli import parse
from jaxteach.utils.errors import UserError, cli

if TYPE_CHECKING:
    from jaxteach.config import Config
    from jaxteach.tasks.protocol import Teachable
    from jaxteach.teacher import PlanTable


@dataclass(frozen=True)
class Options:
    """Draw an episode: the room, what the agent has seen, and what student and teacher would do."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """Run folder; or pretrained/TASK, a student that ships with the package."""
    seed: int | None = None
    """Which of the run's students, by its seed id; by default its first."""
    out: Path | None = None
    """The GIF to write; by default episode.gif in the run folder, or here. Replaced if it exists."""
    episode: int = 0
    """Which layout: the same number is the same room for every student."""
    task: str | None = None
    """Task, or task:variant; by default the run's."""
    variant: str | None = None
    """One of the task's ready-made variants."""
    teacher: str | None = None
    """Teacher table to show: a name, a path to a .json file, or none; by default the run's."""
    greedy: bool = False
    """Take the likeliest action instead of sampling."""
    fps: float = 5.0
    """Environment steps a second."""
    size: int = 840
    """Width of the picture, in pixels."""


def main() -> int:
    """Play, draw, write; prints the picture's path and how the episode ended."""
    options = parse(Options, "render")
    from jaxteach.student.pretrained import find_run, is_pretrained

    options = dataclasses.replace(options, run=find_run(options.run))
    out = options.out or (Path() if is_pretrained(options.run) else options.run) / "episode.gif"
    check(options, out)
    from jaxteach.cli.playable import read_config
    from jaxteach.student.deployed import first_seed, load_policy
    from jaxteach.tasks import make_task, needs_jax
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.utils.jax_setup import start_jax

    # All that needs no JAX is refused before it is imported.
    policy = load_policy(options.run, options.seed)
    config = read_config(options.run)
    seed = first_seed(options.run) if options.seed is None else options.seed
    if early := needs_jax(options.task, config.task):
        start_jax()
    name = task_of(options, config)
    load_teacher(options.teacher or config.teacher, name)
    if not early:
        start_jax()
    from jaxteach.cli.playable import check_plays
    from jaxteach.rendering import draw_frame, play_episode, write_gif

    own = options.task is None and options.variant is None
    task = make_task(name, **dataclasses.asdict(config.variant)) if own else make_task(name)
    if not own:
        check_plays(options.run, config, task, name)
    table = table_of(options, config, name, task)
    episode = play_episode(task, policy, table, options.episode, seed, options.greedy)
    who = f"{config.student.name} student, seed {seed}, layout {options.episode}"
    frames = [draw_frame(episode, i, name, who, options.size) for i in range(len(episode.moments))]
    size = write_gif(frames, out, options.fps)
    ending = f"{episode.outcome} after {episode.length} steps, return {episode.reward:.2f}"
    print(f"{out}: {ending} ({size / 1000:.0f} kB)")
    return 0


def check(options: Options, out: Path) -> None:
    """Refuse what cannot be drawn, before anything slow is imported."""
    for flag, value, low, high in (
        ("seed", options.seed or 0, 0, 2**32 - 1),
        ("episode", options.episode, 0, 2**32 - 1),
        ("fps", options.fps, 1, 50),
        ("size", options.size, 420, 1680),
    ):
        if not low <= value <= high:
            raise UserError(f"--{flag} {value}: must lie in [{low}, {high}]")
    if out.suffix.lower() != ".gif":
        raise UserError(f"--out {out}: the picture is a GIF, name it so (episode.gif)")
    if options.out is not None and not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}")


def task_of(options: Options, config: "Config") -> str:
    """The name of the task to play: the run's own, or another one with maps of the same shape."""
    from jaxteach.cli.playable import check_reads
    from jaxteach.tasks import task_facts

    own = task_facts(config.task, **dataclasses.asdict(config.variant))
    name = options.task or config.task
    if options.variant is not None:
        if options.task is not None and ":" in options.task:
            raise UserError(f"--task {options.task} names a variant already: leave out --variant")
        name = f"{name.partition(':')[0]}:{options.variant}"
    if options.task is None and options.variant is None:
        return name
    check_reads(options.run, own, name, task_facts(name))
    return name


def table_of(options: Options, config: "Config", name: str, task: "Teachable") -> "PlanTable | None":
    """The teacher to show, if any; by default the run's own, with the errors and plans the run gave it."""
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.teacher.wrong import as_heard

    table = load_teacher(options.teacher or config.teacher, name)
    if table is None or options.teacher is not None:
        return table
    return as_heard(table, task.language.options, config.corrupt, config.distill.teacher)


if __name__ == "__main__":
    cli(main)
