"""`python -m jaxteach.evaluate`: fresh episodes of trained students, or of the teacher alone."""

import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from jaxteach.cli import parse
from jaxteach.config.fields import MOST
from jaxteach.config.settings import BY_OPTIONS
from jaxteach.utils.errors import UserError, cli
from jaxteach.utils.signals import Stopping

if TYPE_CHECKING:
    from jaxteach.config import Config, Corrupt, PlanMode
    from jaxteach.teacher.table import PlanTable


SEEDS_APART = 4096
"""How many sets of episodes --seed tells apart; each has room for a million students."""


@dataclass(frozen=True)
class Options:
    """Play fresh episodes; prints a table and writes evaluation.json into the run folder, if it can."""

    run: tyro.conf.Positional[Path | None] = None
    """Run folder, or pretrained/TASK; may be left out for the teacher, with --task."""
    who: Literal["student", "teacher"] = "student"
    """Whom to evaluate."""
    task: str | None = None
    """Task, or task:variant; by default the run's."""
    teacher: str | None = None
    """Teacher table: a name or a path; by default the run's, or chatglm."""
    episodes: int = 1000
    """Episodes a student (of the teacher: in all)."""
    seed: int = 1
    """Of the episodes; runs evaluate themselves with 0."""
    greedy: bool = False
    """Take the likeliest action instead of sampling: a student that does so can repeat itself without end."""
    engine: Literal["jaxteach", "farama"] = "jaxteach"
    """Where students of a MiniGrid level play: here, or in Farama's own engine, which is far slower."""
    json: bool = False
    """Print JSON and nothing else."""


def main() -> int:
    """Evaluate and print."""
    options = parse(Options, "evaluate")
    if options.episodes < 1:
        raise UserError(f"--episodes {options.episodes}: must be at least 1")
    if options.episodes > MOST:
        raise UserError(f"--episodes {options.episodes}: must be at most {MOST}")
    if not 0 <= options.seed < SEEDS_APART:
        raise UserError(f"--seed {options.seed}: must be from 0 to {SEEDS_APART - 1}")
    if options.run is None and (options.who == "student" or options.task is None):
        raise UserError("give a run folder, or --who teacher with --task NAME")
    from jaxteach.cli.playable import read_config
    from jaxteach.student.pretrained import find_run, is_pretrained

    if options.run is not None:
        options = dataclasses.replace(options, run=find_run(options.run))
    config = None if options.run is None else read_config(options.run)
    if options.engine == "farama":
        check_farama(options, config)
    from jaxteach.tasks import needs_jax
    from jaxteach.utils.jax_setup import start_jax

    if early := needs_jax(options.task, config.task if config else None):
        start_jax()
    # All that needs no JAX is refused before it is imported.
    _ = wanted_teacher(options, config) if options.who == "teacher" else wanted_files(options, config)
    if sys.stderr.isatty():  # a person waits; in a log the result alone is of use
        print(f"compiling, then playing {options.episodes} episodes ...", file=sys.stderr, flush=True)
    if not early:
        start_jax()
    if options.engine == "farama":
        result = evaluate_in_farama(options)
    else:
        result = evaluate_teacher(options, config) if options.who == "teacher" else evaluate_student(options)
    with Stopping("the result is written") as stopping:
        print(json.dumps(result) if options.json else table_of(result), flush=True)
        if options.run is not None and not is_pretrained(options.run):
            save(result, options.run / "evaluation.json")
    return stopping.status if stopping.asked else 0


def save(result: dict[str, Any], path: Path) -> None:
    """Write a result down; where that cannot be, as in somebody else's run folder, only say so."""
    from jaxteach.utils.files import write_atomic

    try:
        write_atomic(path, (json.dumps(result, indent=2) + "\n").encode())
    except UserError as error:
        print(f"not saved: {error}", file=sys.stderr)


@dataclass(frozen=True)
class Wanted:
    """The teacher to evaluate.

    Attributes:
        task: its task's name.
        changes: to the task's numbers.
        table: its table.
        corrupt: the errors put into it.
        mode: which of its plans count.
    """

    task: str
    changes: dict[str, Any]
    table: "PlanTable"
    corrupt: "Corrupt"
    mode: "PlanMode"


def wanted_teacher(options: Options, config: "Config | None") -> Wanted:
    """Which teacher is to be evaluated; without JAX.

    Raises:
        UserError: there is no such task or teacher.
    """
    from jaxteach.config import Config
    from jaxteach.tasks import task_facts
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.teacher.wrong import wrong_states

    name = options.task or (config.task if config else "")
    # The run's own task is the one it was trained on, changes and all.
    changes = dataclasses.asdict(config.variant) if config and options.task is None else {}
    task_facts(name, **changes)
    teacher = options.teacher or (config.teacher if config and config.teacher != "none" else "chatglm")
    table = load_teacher(teacher, name)
    if table is None:
        raise UserError("--teacher none: there is no teacher to evaluate")
    # The errors a run put into its teacher belong to that teacher, not to another one; so do its plans.
    own = config if config and options.teacher is None else Config()
    corrupt, mode = own.corrupt, own.distill.teacher
    wrong_states(table, corrupt)  # refuses more than there are
    return Wanted(name, changes, table, corrupt, mode)


def wanted_files(options: Options, config: "Config | None") -> list[Path]:
    """The parameters of the students to evaluate; without JAX.

    Raises:
        UserError: there are none, or they cannot play the task.
    """
    from jaxteach.cli.playable import check_reads
    from jaxteach.student.deployed import read_params
    from jaxteach.tasks import task_facts

    assert options.run is not None and config is not None
    own = task_facts(config.task, **dataclasses.asdict(config.variant))
    task = task_facts(options.task) if options.task else own
    files = sorted((options.run / "params").glob("*.npz"))
    if not files:
        raise UserError(
            f"{options.run} holds no parameters: it was interrupted too early, or run without them"
        )
    read_params(files[0])
    if config.method in BY_OPTIONS and task.language.options != own.language.options:
        raise UserError(f"the students of {options.run} choose among other options than {options.task} has")
    if options.task:
        check_reads(options.run, own, options.task, task)
    return files


def evaluate_teacher(options: Options, config: "Config | None") -> dict[str, Any]:
    """The teacher alone, its actions sampled from q(a|s)."""
    import numpy as np

    from jaxteach.tasks import make_task
    from jaxteach.teacher.corruption import make_teacher
    from jaxteach.teacher.wrong import describe_errors
    from jaxteach.training import as_arrays, play_teacher, summarise

    wanted = wanted_teacher(options, config)
    task, table, corrupt = make_task(wanted.task, **wanted.changes), wanted.table, wanted.corrupt
    teacher = make_teacher(table, task, corrupt, mode=wanted.mode)
    played = play_teacher(task, teacher, np.uint32(options.seed), options.episodes, options.greedy)
    return {
        "who": "teacher",
        "teacher": {"name": table.name, "sha256": table.sha256},
        "corrupt": describe_errors(table, corrupt),
        **asked(options, wanted.task),
        **summarise(as_arrays(played)),
    }


def evaluate_student(options: Options) -> dict[str, Any]:
    """Every student of a run, each on its own fresh episodes."""
    import numpy as np

    from jaxteach.cli.playable import check_plays, read_config
    from jaxteach.runs import unflatten
    from jaxteach.student.deployed import read_params
    from jaxteach.tasks import make_task
    from jaxteach.training import as_arrays, play_students, summarise
    from jaxteach.training.state import make_plan

    assert options.run is not None
    config = read_config(options.run)
    files = wanted_files(options, config)
    plan = make_plan(config, taught=False)
    task = plan.task
    if options.task:
        task = make_task(options.task)
        check_plays(options.run, config, task, options.task)
    seeds: list[int] = []
    parts = []
    for file in files:
        arrays = read_params(file)
        ids = arrays["seed_ids"].astype(np.uint32)
        # Episodes follow from the id: shifted by --seed, they are not those of the run's own evaluation.
        own = ids + np.uint32(options.seed * (2**32 // SEEDS_APART))
        params = unflatten(arrays)
        played = play_students(
            task, plan.student, params, own, options.episodes, options.greedy, config.method
        )
        parts.append(as_arrays(played))
        seeds += ids.tolist()
    per_seed = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return {
        "who": "student",
        "seeds": seeds,
        **asked(options, options.task or config.task),
        **summarise(per_seed),
    }


def check_farama(options: Options, config: "Config | None") -> None:
    """Refuse what Farama's engine cannot play.

    Raises:
        UserError: saying why.
    """
    import importlib.util

    from jaxteach.utils.surroundings import how_to_install

    name = options.task or (config.task if config else "")
    if options.who == "teacher":
        raise UserError("--engine farama plays students: leave out --who teacher")
    if not name.startswith("MiniGrid-"):
        raise UserError(f"--engine farama: {name} is none of Farama's levels (MiniGrid-...): leave it out")
    if importlib.util.find_spec("minigrid") is None:
        raise UserError(f"--engine farama needs Farama's MiniGrid: {how_to_install('minigrid')}")


def evaluate_in_farama(options: Options) -> dict[str, Any]:
    """Every student of a run in Farama's own environment, as anyone would play it there."""
    import numpy as np

    from jaxteach.cli.playable import read_config
    from jaxteach.gymnasium import play
    from jaxteach.student.deployed import load_policy, read_params
    from jaxteach.tasks import make_task
    from jaxteach.training import summarise

    assert options.run is not None
    config = read_config(options.run)
    name = (options.task or config.task).partition(":")[0]
    own = make_task(config.task, **dataclasses.asdict(config.variant))
    max_steps = make_task(options.task).max_steps if options.task else own.max_steps
    seeds = [int(i) for file in wanted_files(options, config) for i in read_params(file)["seed_ids"]]
    played = []
    for number, seed in enumerate(seeds, 1):
        policy = load_policy(options.run, seed)
        start = [options.seed, seed]
        played.append(play(policy, name, options.episodes, start, options.greedy, max_steps))
        if sys.stderr.isatty():
            success = played[-1]["success_rate"]
            print(
                f"seed {seed}, {number} of {len(seeds)}: success {success:.3f}", file=sys.stderr, flush=True
            )
    per_seed = {key: np.array([result[key] for result in played]) for key in played[0]}
    return {
        "who": "student",
        "seeds": seeds,
        **asked(options, options.task or config.task),
        **summarise(per_seed),
    }


def asked(options: Options, task: str) -> dict[str, Any]:
    """What was asked for, as the result repeats it."""
    return {
        "task": task,
        "engine": options.engine,
        "episodes": options.episodes,
        "greedy": options.greedy,
        "seed": options.seed,
    }


def table_of(result: dict[str, Any]) -> str:
    """The result as lines for a person."""
    who = result["who"] if result["who"] == "student" else f"teacher {result['teacher']['name']}"
    lines = [
        f"{who} on {result['task']}, {result['episodes']} episodes{' (greedy)' if result['greedy'] else ''}"
        f"{' in the engine of Farama' if result['engine'] == 'farama' else ''}"
    ]
    for key in ("success_rate", "return", "length"):
        value = result[key]
        line = f"  {key:<13}{value['mean']:9.3f}"
        if result["who"] == "student":
            low, high = value["ci95"]
            line += f"   IQM {value['iqm']:.3f} [{low:.3f}, {high:.3f}] over {value['n']} seeds"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    cli(main)
