"""summary.json: the final evaluation of every student, and what the run came to."""

import dataclasses
import time
from typing import Any

import jax
import numpy as np

from jaxteach.config import Config
from jaxteach.teacher.table import PlanTable
from jaxteach.training.evaluation import as_arrays, play_students, play_teacher, summarise
from jaxteach.training.program import Program, pad
from jaxteach.training.runfolder import RunFolder, describe
from jaxteach.training.session import Outcome
from jaxteach.training.train import Stop


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The final evaluation: [seed] arrays, the teacher's success rate if there is one, and seconds taken."""

    per_seed: dict[str, np.ndarray]
    teacher_rate: float | None
    seconds: float


def evaluate_run(program: Program, folder: RunFolder, outcome: Outcome, stop: Stop) -> Evaluation | None:
    """Play fresh episodes of every student, chunk by chunk, and of the teacher alone.

    Args:
        program: the run's.
        folder: the parameters are read from it.
        outcome: a complete run's.
        stop: asked before each chunk.

    Returns:
        The evaluation; None if it was stopped.
    """
    began, parts, plan = time.perf_counter(), [], program.plan
    assert plan.config.eval_episodes is not None
    for chunk, finished in enumerate(outcome.chunks):
        if stop():
            return None
        ids = pad(finished.seed_ids, program.width)
        rows = np.minimum(np.arange(program.width), len(finished.seed_ids) - 1)
        params = jax.tree.map(lambda x, rows=rows: x[rows], folder.read_params(chunk))
        played = play_students(
            plan.task, plan.student, params, ids, plan.config.eval_episodes, False, plan.menu
        )
        parts.append({name: values[: len(finished.seed_ids)] for name, values in as_arrays(played).items()})
    teacher_rate = None
    if program.teacher is not None:
        alone = play_teacher(plan.task, program.teacher, np.uint32(0), 1000, False)
        teacher_rate = float(as_arrays(alone)["success_rate"][0])
    per_seed = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Evaluation(per_seed, teacher_rate, time.perf_counter() - began)


def summarise_run(
    config: Config, table: PlanTable | None, outcome: Outcome, evaluation: Evaluation
) -> dict[str, Any]:
    """Gather summary.json, but for the wall times of the process."""
    from jaxteach.analysis import env_steps_to_success, median_env_steps

    metrics = outcome.metrics()
    reached = env_steps_to_success(
        metrics["env_steps"], metrics["started"], metrics["finished"], metrics["succeeded"]
    )
    env_steps = metrics["env_steps"][:, -1]
    return {
        "task": config.task,
        "method": config.method,
        "student": config.student.name,
        "decay": config.decay.name,
        "preset": config.preset,
        "teacher": describe(table),
        "corrupt": dataclasses.asdict(config.corrupt) if config.corrupt.share else None,
        "seeds": [int(seed) for seed in outcome.seed_ids],
        "diverged": outcome.diverged,
        "env_steps": [int(steps) for steps in env_steps],
        "teacher_success_rate": evaluation.teacher_rate,
        "env_steps_to_success": median_env_steps(reached),
        "eval_episodes": config.eval_episodes,
        **summarise(evaluation.per_seed),
        "env_steps_per_second": float(np.sum(env_steps)) / outcome.seconds,
    }
