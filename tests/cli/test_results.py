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


@pytest.mark.parametrize(
    ("plans", "errors", "words"),
    [
        ("soft", None, "(chatglm)"),
        ("hard", None, "(chatglm)"),
        (
            "held",
            {"mode": "systematic", "n_wrong": 0, "n_states": 6},
            "(chatglm, plans: held, 0 of 6 states wrong)",
        ),
        ("argmax", {"mode": "noise", "share": 0.5}, "(chatglm, plans: argmax, 50% wrong at random)"),
    ],
)
def test_the_teacher_alone_is_named_with_its_plans_and_errors(capsys, plans, errors, words):
    crossing = {"env_steps": None, "known_after": None, "seeds": 0}
    own = {
        "teacher": {"name": "chatglm"},
        "teacher_success_rate": 0.25,
        "teacher_episodes": 1000,
        "teacher_plans": plans,
        "corrupt": errors,
    }
    report({**SUMMARY, **own, "confirmed_crossings": {"0.95": crossing}})
    assert f"teacher: success 0.250 over 1000 episodes {words}\n" in capsys.readouterr().out
