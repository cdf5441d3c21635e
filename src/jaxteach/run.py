"""`python -m jaxteach.run`: train students on a task with a cached teacher, and evaluate them."""

import datetime
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxteach.cli import parse
from jaxteach.config import Config, check, preset, resolve
from jaxteach.errors import cli

if TYPE_CHECKING:
    from jaxteach.teacher import PlanTable
    from jaxteach.training import Training

INTERRUPTED = 130
"""Exit status after Ctrl-C: the run folder holds what was trained so far."""


def read_config(args: list[str]) -> Config:
    """The configuration a command line asks for: the preset's, changed by the flags, not yet resolved."""
    config = parse(Config, "run", default=preset(preset_named(args)), args=args)
    check(config)
    return config


def preset_named(args: list[str]) -> str:
    """The preset a command line names, before the rest of it is parsed."""
    for i, arg in enumerate(args):
        if arg == "--preset" and i + 1 < len(args):
            return args[i + 1]
        if arg.startswith("--preset="):
            return arg.removeprefix("--preset=")
    return "fast"


def default_folder(config: Config) -> Path:
    """runs/<task>-<teacher>-<decay>-<date and time>."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    teacher = Path(config.teacher).stem
    return Path("runs") / f"{config.task.replace(':', '-')}-{teacher}-{config.decay.name}-{now}"


def main() -> int:
    """Train, evaluate, and leave a run folder."""
    config = read_config(sys.argv[1:])
    from jaxteach.backend import start_jax

    start_jax()
    config = resolve(config)
    from jaxteach.teacher.loading import load_teacher
    from jaxteach.training import RunFolder, compile_program, train

    began = time.perf_counter()
    table = load_teacher(config.teacher, config.task)
    folder = RunFolder.create(config.out or default_folder(config))
    print(f"run folder: {folder.path}", flush=True)
    program = compile_program(config, table)
    folder.write_config(config, program.plan.task, table)
    from jaxteach.progress import Bar

    with Bar(config, folder) as bar, stop_on_interrupt() as interrupted:
        training = train(
            config,
            table,
            program=program,
            on_segment=bar.segment,
            on_chunk=lambda r: folder.write_params(r.chunk, r.seed_ids, r.params),
            stop=lambda: interrupted[0],
        )
    folder.write_metrics(training.seed_ids, training.metrics)
    if not training.complete:
        print(f"interrupted: {folder.path} holds what was trained so far", file=sys.stderr)
        return INTERRUPTED
    summary = evaluate_and_summarise(config, program, table, training, began)
    folder.write_summary(summary)
    report(summary)
    return 0


def evaluate_and_summarise(
    config: Config, program: Any, table: "PlanTable | None", training: "Training", began: float
) -> dict[str, Any]:
    """Play the final evaluation and gather summary.json."""
    import jax
    import numpy as np

    from jaxteach.analysis import env_steps_to_success, median_env_steps
    from jaxteach.training import as_arrays, describe, play_students, play_teacher, summarise
    from jaxteach.training.program import pad

    evaluating = time.perf_counter()
    assert config.eval_episodes is not None
    plan, width = program.plan, program.width
    parts = []
    for start in range(0, len(training.seed_ids), width):
        ids = training.seed_ids[start : start + width]
        rows = np.searchsorted(training.seed_ids, pad(ids, width))
        params = jax.tree.map(lambda x, rows=rows: x[rows], training.params)
        played = play_students(plan.task, plan.student, params, pad(ids, width), config.eval_episodes, False)
        parts.append({name: values[: len(ids)] for name, values in as_arrays(played).items()})
    per_seed = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    teacher_rate = None
    if program.teacher is not None:
        alone = play_teacher(plan.task, program.teacher, np.uint32(0), 1000, False)
        teacher_rate = float(as_arrays(alone)["success_rate"][0])
    metrics = training.metrics
    reached = env_steps_to_success(
        metrics["env_steps"], metrics["started"], metrics["finished"], metrics["succeeded"]
    )
    env_steps = metrics["env_steps"][:, -1]
    now = time.perf_counter()
    return {
        "task": config.task,
        "student": config.student.name,
        "decay": config.decay.name,
        "preset": config.preset,
        "teacher": describe(table),
        "seeds": [int(seed) for seed in training.seed_ids],
        "env_steps": [int(steps) for steps in env_steps],
        "teacher_success_rate": teacher_rate,
        "env_steps_to_success": median_env_steps(reached),
        "eval_episodes": config.eval_episodes,
        **summarise(per_seed),
        "wall_seconds": {
            "compile": training.compile_seconds,
            "train": training.train_seconds,
            "evaluate": now - evaluating,
            "total": now - began,
        },
        "env_steps_per_second": float(np.sum(env_steps)) / training.train_seconds,
    }


def report(summary: dict[str, Any]) -> None:
    """Print what a run came to."""
    success, wall, to_95 = summary["success_rate"], summary["wall_seconds"], summary["env_steps_to_success"]
    low, high = success["ci95"]
    print(
        f"student: IQM success {success['iqm']:.3f} [{low:.3f}, {high:.3f}] over {success['n']} seeds, "
        f"{summary['eval_episodes']} fresh episodes each"
    )
    if summary["teacher_success_rate"] is not None:
        print(
            f"teacher: success {summary['teacher_success_rate']:.3f} over 1000 episodes "
            f"({summary['teacher']['name']})"
        )
    steps = "not reached" if to_95["0.95"] is None else f"{to_95['0.95']:,.0f} environment steps"
    print(f"success 0.95 while learning: {steps} (median over seeds)")
    print(
        f"trained {summary['env_steps'][0]:,} environment steps a seed in {wall['train']:.1f} s "
        f"({summary['env_steps_per_second']:,.0f} steps/s; compile {wall['compile']:.1f} s, "
        f"evaluate {wall['evaluate']:.1f} s)"
    )


class stop_on_interrupt:
    """Within it, the first Ctrl-C asks training to stop after the segment; the second ends at once."""

    def __enter__(self) -> list[bool]:
        self.asked = [False]
        self._before = signal.signal(signal.SIGINT, self._ask)
        return self.asked

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked[0]:
            raise KeyboardInterrupt
        self.asked[0] = True
        print("stopping after this segment (Ctrl-C again: at once)", file=sys.stderr, flush=True)

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._before)


if __name__ == "__main__":
    cli(main)
