"""Tests of what a command prints of its results."""

import pytest

from jaxteach.cli.results import report

SUMMARY = {
    "corrupt": None,
    "success_rate": {"iqm": 0.9, "ci95": [0.8, 1.0], "n": 8},
    "env_steps_to_success": {"0.95": 1000.0},  # noise alone can have this
    "diverged": [],
    "eval_episodes": 100,
    "teacher_success_rate": None,
    "env_steps_per_second": 1.0,
    "wall_seconds": {"train": 1.0, "compile": 1.0, "evaluate": 1.0},
}


@pytest.mark.parametrize(
    ("steps", "seeds", "words"),
    [
        (2000.0, 8, "0.95 while learning after 2,000 steps (median, confirmed)"),
        (None, 3, "0.95 while learning confirmed for 3 of 8 seeds"),
        (None, 0, "0.95 while learning confirmed for 0 of 8 seeds"),
    ],
)
def test_the_headline_is_the_confirmed_crossing(capsys, steps, seeds, words):
    crossing = {"env_steps": steps, "known_after": steps and steps + 500, "seeds": seeds}
    report({**SUMMARY, "confirmed_crossings": {"0.95": crossing}})
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith(f"8 seeds, 100 fresh episodes each; {words}")
