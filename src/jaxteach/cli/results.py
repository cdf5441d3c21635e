"""What a command prints of a run: a line on stderr while it is on its way, its results at the end."""

import sys
from typing import Any

from jaxteach.teacher.wrong import in_words


def say(line: str) -> None:
    """Tell the user one thing, on stderr."""
    print(line, file=sys.stderr, flush=True)


def report(summary: dict[str, Any]) -> None:
    """Print a run's results."""
    wall, episodes = summary["wall_seconds"], summary["eval_episodes"]
    points = summary.get("points", [{"label": "", **summary}])
    for point in points:
        success = point["success_rate"]
        low, high = success["ci95"]
        print(
            f"{point['label'] or 'student'}: IQM success {success['iqm']:.3f} [{low:.3f}, {high:.3f}] over "
            f"{success['n']} seeds, {episodes} fresh episodes each; {crossing_of_95(point)}"
        )
        if point.get("unlisted_steps"):
            print(
                f"{point['unlisted_steps']:,} environment steps were in states that the table does not list: "
                "nothing was taught there"
            )
        if point["diverged"]:
            seeds = ", ".join(str(seed["seed"]) for seed in point["diverged"])
            print(f"diverged and frozen, but counted: seeds {seeds}")
    if summary["teacher_success_rate"] is not None:
        errors, plans = summary["corrupt"], summary["teacher_plans"]
        parts = [summary["teacher"]["name"]]
        parts += [f"plans: {plans}"] if plans in ("argmax", "held") else []  # hard acts as soft does
        parts += [in_words(errors)] if errors is not None else []
        print(
            f"teacher: success {summary['teacher_success_rate']:.3f} over {summary['teacher_episodes']} "
            f"episodes ({', '.join(parts)})"
        )
    print(
        f"trained in {wall['train']:.1f} s ({summary['env_steps_per_second']:,.0f} environment steps/s; "
        f"compile {wall['compile']:.1f} s, evaluate {wall['evaluate']:.1f} s)"
    )


def crossing_of_95(point: dict[str, Any]) -> str:
    """When success while learning crossed 0.95, confirmed by later episodes, in words."""
    crossing, seeds = point["confirmed_crossings"]["0.95"], point["success_rate"]["n"]
    steps = crossing["env_steps"]
    if steps is not None:
        return f"0.95 while learning after {steps:,.0f} steps (median, confirmed)"
    return f"0.95 while learning confirmed for {crossing['seeds']} of {seeds} seeds"
