"""Transfer to what was never trained on: other sizes of room, lava, another key; against RL only."""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from committed import read_rows
from common import Options, Scale, main
from drawing import RATE, Dot, DotPanel, dots_figure, save, seeds_note, title_of
from methods import OURS, configured
from reporting import Result, csv_text, summary_row
from running import Job, carry_out

from jaxteach.analysis import bootstrap_interval, iqm
from jaxteach.config import Config
from jaxteach.utils.files import write_atomic

TRANSFERS = {
    "simple_door_key:small_rooms": (
        "simple_door_key:small_rooms",
        "simple_door_key:large_rooms",
        "simple_door_key:with_lava",
        "simple_door_key:extra_key",
    ),
    "lava_door_key:small_rooms": (
        "lava_door_key:small_rooms",
        "lava_door_key:large_rooms",
        "lava_door_key:no_lava",
        "lava_door_key:more_lava",
    ),
}
"""What is trained on, and what is evaluated on: the first is the same."""
UNTAUGHT = ("simple_door_key:extra_key",)
"""Variants with a state no table knows: with a second key, one can be held while another is seen."""


def methods(scale: Scale, task: str) -> dict[str, Config]:
    """Taught and untaught."""
    return {
        OURS: configured(scale, task, OURS),
        "RL only": configured(scale, task, "RL only"),
    }


def figure(options: Options) -> None:
    """Train, evaluate elsewhere, draw, write."""
    scale = options.scale
    transfers = dict(list(TRANSFERS.items())[:1]) if scale.quick else TRANSFERS
    jobs = [Job(label, config) for task in transfers for label, config in methods(scale, task).items()]
    results = carry_out(jobs, options)
    rows: list[Any] = []
    elsewhere: list[Any] = []
    if options.redraw:
        rows = read_rows(options.out / "summary.csv")
    else:
        for task, targets in transfers.items():
            for target in targets[:2] if scale.quick else targets:
                teacher = teacher_alone(target, 200 if scale.quick else 4000)
                for result in results:
                    if result.task == task:
                        rates = success_on(result, target)
                        rows.append(row_of(result, target, rates, teacher, scale.window))
                        elsewhere += seeds_of(result, target, rates)
    title = f"Trained on small rooms, evaluated elsewhere, {seeds_note(results)} each"
    note = (
        "Dots: IQM over seeds; lines: 95 % bootstrap intervals; grey: the teacher alone, there "
        "(no table knows all states that an extra key brings)."
    )
    figures = {options.figure: dots_figure(title, note, panels_of(rows), columns=2)}
    packed = gzip.compress(csv_text(elsewhere).encode(), mtime=0)
    save(options, results, figures, rows, more={"transfer.csv.gz": packed})


def row_of(
    result: Result, target: str, rates: np.ndarray, teacher: float | None, window: int
) -> dict[str, Any]:
    """A row of summary.csv: a run, where it was evaluated, and how well it did there."""
    low, high = bootstrap_interval(rates)
    return {
        **summary_row(result, window),
        "evaluated_on": target,
        "transfer_iqm": iqm(rates),
        "transfer_low": low,
        "transfer_high": high,
        "teacher_there": teacher,
    }


def seeds_of(result: Result, target: str, rates: np.ndarray) -> list[dict[str, Any]]:
    """Rows of transfer.csv.gz: the success of every seed."""
    which = {"task": result.task, "run": result.label, "evaluated_on": target}
    seeds = zip(result.run.metrics["seed_ids"], rates, strict=True)
    return [{**which, "seed": int(seed), "success_rate": float(rate)} for seed, rate in seeds]


def panels_of(rows: Sequence[Mapping[str, Any]]) -> list[DotPanel]:
    """A panel for each variant that was trained or evaluated on, from rows of summary.csv."""
    panels = []
    for task, target in dict.fromkeys((row["task"], row["evaluated_on"]) for row in rows):
        dots = []
        for row in rows:
            if (row["task"], row["evaluated_on"]) == (task, target):
                centre, low, high = (float(row[f"transfer_{end}"]) for end in ("iqm", "low", "high"))
                teacher = None if row["teacher_there"] in (None, "") else float(row["teacher_there"])
                dots.append(Dot(row["run"], centre, low, high, teacher, row["run"] == OURS))
        name = f"{title_of(target)}{' (trained on)' if target == task else ''}"
        panels.append(DotPanel(name, RATE, tuple(dots)))
    return panels


def success_on(result: Result, target: str) -> np.ndarray:
    """Success of every student of a run on another variant; kept in the run's folder."""
    from jaxteach.evaluate import Options as Evaluation
    from jaxteach.evaluate import evaluate_student

    assert result.config.eval_episodes is not None
    kept = result.run.path / f"evaluation-{target.replace(':', '-')}.json"
    if not kept.exists():
        asked = Evaluation(run=result.run.path, task=target, episodes=result.config.eval_episodes)
        write_atomic(kept, (json.dumps(evaluate_student(asked)) + "\n").encode())
    return read_rates(kept)


def read_rates(file: Path) -> np.ndarray:
    """The success rates of an evaluation, [seed]."""
    return np.asarray(json.loads(file.read_text())["success_rate"]["per_seed"], np.float64)


def teacher_alone(target: str, episodes: int) -> float | None:
    """The teacher's own success on a variant; None where it was never asked about some state of it."""
    from jaxteach.evaluate import Options as Evaluation
    from jaxteach.evaluate import evaluate_teacher

    if target in UNTAUGHT:
        return None
    asked = Evaluation(who="teacher", task=target, episodes=episodes)
    return float(evaluate_teacher(asked, None)["success_rate"]["mean"])


if __name__ == "__main__":
    main(__doc__, figure)
