"""Numbers beside a command and in no committed file: it still gives them, within their interval."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.commands import ROOT

RESULTS = "docs/results.md"
NAVIX = (
    "--seeds 16 --env-steps 131072 --teacher rule-ideal --decay adaptive --decay.off-at 0.9 "
    "--first-seed 1000 --eval-episodes 200"
)
ALONE = "--seeds 16 --first-seed 1000 --env-steps 131072 --eval-episodes 200"
RUNS = {
    "MiniGrid-DoorKey-8x8-v0 --teacher none " + ALONE: "finds nothing (0.000 [0.000, 0.004]",
    "MiniGrid-DoorKey-5x5-v0 --teacher none " + ALONE: "in that command: 1.000 [0.916, 1.000]",
    f"Navix-DoorKey-8x8-v0 {NAVIX}": "`Navix-DoorKey-8x8-v0` | 1.000 [1.000, 1.000]",
    f"Navix-KeyCorridorS3R3-v0 {NAVIX}": "`Navix-KeyCorridorS3R3-v0` | 0.998 [0.996, 1.000]",
    f"Navix-LockedRoom-v0 {NAVIX}": "`Navix-LockedRoom-v0` | 0.958 [0.948, 0.965]",
    "simple_door_key --preset paper --seeds 4 --first-seed 1000": "gave success 0.980 [0.961, 0.986]",
}
"""What follows `python -m jaxteach.run --task`, and what the page says of it."""
STUDENTS = {"`ego`": (), "`gru`": ("--student", "gru", "--variant.observation", "view")}
"""Flags of the students in levels.md."""
KEY_CORRIDOR = (
    "--teacher rule-ideal --env-steps 131072 --seeds 8 --first-seed 1000 --decay adaptive --decay.off-at 0.9"
)
TEACHERS = {
    ("MiniGrid-RedBlueDoors-8x8-v0", "qwen2.5-coder-1.5b-sample"): (
        RESULTS,
        "RedBlueDoors 1.000 [0.996, 1.000] (0.713)",
        0.713,
    ),
    ("MiniGrid-MemoryS17Random-v0", "qwen2.5-coder-1.5b-sample"): (
        RESULTS,
        "0.555 [0.526, 0.578] (0.544)",
        0.544,
    ),
    ("simple_door_key", "qwen2.5-coder-1.5b-sample"): ("docs/teachers.md", "| .64 | .67 | .850 |", 0.85),
    ("lava_door_key", "chatglm"): ("teacher_cache/README.md", "| 1.00 | 0.580 |", 0.58),
}
"""Teachers alone: the page, what it says, and the rate."""


def says(page, words):
    """Whether a page has some words, in however many lines."""
    return " ".join(words.split()) in " ".join((ROOT / page).read_text(encoding="utf-8").split())


def printed(command, *flags):
    """What a command prints."""
    return subprocess.run(
        [sys.executable, "-m", f"jaxteach.{command}", *flags], capture_output=True, text=True, check=True
    ).stdout


def test_the_pages_have_the_numbers():
    assert all(says(RESULTS, words) for words in RUNS.values())
    assert all(says(page, words) for page, words, _ in TEACHERS.values())
    assert says(RESULTS, "100 episodes of each of 8 seeds, 0.998 [0.990, 1.000] there and 1.000")


@pytest.mark.slow
@pytest.mark.parametrize("flags", RUNS)
def test_a_run_gives_what_the_page_says(flags, tmp_path):
    centre, low, high = (float(n) for n in re.findall(r"\d\.\d{3}", RUNS[flags]))
    assert low <= centre <= high
    printed("run", "--task", *flags.split(), "--out", str(tmp_path / "run"))
    success = json.loads((tmp_path / "run" / "summary.json").read_text())["success_rate"]
    # On another processor seeds are other samples of the same distribution: the intervals must meet.
    assert success["ci95"][0] <= high + 5e-4 and low - 5e-4 <= success["ci95"][1]


@pytest.mark.slow
@pytest.mark.parametrize("who", TEACHERS)
def test_a_teacher_alone_does_as_the_page_says(who):
    task, table = who
    flags = ("--who", "teacher", "--task", task, "--teacher", table, "--episodes", "4000", "--json")
    rate = json.loads(printed("evaluate", *flags))["success_rate"]["mean"]
    # Four standard errors of a page's rate of 1000 episodes, at the most.
    assert rate == pytest.approx(TEACHERS[who][2], abs=4 * 0.5 / 1000**0.5)


def alone():
    """The rows of levels.md on reinforcement alone: level, steps, student, success in either engine."""
    row = re.compile(r"^\| ([\w-]+), ([\d,]+) \| (`\w+`)[^|]*\| ([\d., ]+) \| ([\d., ]+) \|$", re.MULTILINE)
    for level, steps, student, *rates in row.findall((ROOT / "docs/levels.md").read_text(encoding="utf-8")):
        yield level, steps.replace(",", ""), student, *(np.array(own.split(", "), float) for own in rates)


def played(run, engine, episodes):
    """Success of each seed of a run in an engine."""
    flags = (str(run), "--engine", engine, "--episodes", str(episodes), "--json")
    return np.array(json.loads(printed("evaluate", *flags))["success_rate"]["per_seed"])


def far_apart(here, there, episodes):
    """Whether two rates of each seed differ by more than four standard errors."""
    pooled = (here + there) / 2
    return np.abs(here - there) > 4 * np.sqrt(2 * pooled * (1 - pooled) / episodes) + 1e-9


def test_the_page_of_levels_has_its_rows():
    rows = list(alone())
    assert len(rows) == 6
    assert not any(far_apart(here, there, 250).any() for *_, here, there in rows)


@pytest.mark.slow
@pytest.mark.parametrize("row", list(alone()), ids=lambda row: "-".join(row[:3]))
def test_students_without_a_teacher_do_as_the_page_of_levels_says(row, tmp_path):
    level, steps, student, of_page, _ = row
    flags = ("--teacher", "none", "--seeds", "4", "--env-steps", steps, *STUDENTS[student])
    printed("run", "--task", f"MiniGrid-{level}-v0", *flags, "--out", str(tmp_path / "run"))
    here, there = (played(tmp_path / "run", engine, 100) for engine in ("jaxteach", "farama"))
    assert not far_apart(here, there, 100).any()
    # On another processor seeds are other samples: those of a level that all solve, or none, are alike.
    if of_page.min() > 0.5 or of_page.max() < 0.5:
        assert np.abs(np.median(here) - np.median(of_page)) < 0.1


@pytest.mark.slow
def test_students_of_key_corridor_do_as_well_in_farama_s_engine(tmp_path):
    run = tmp_path / "run"
    printed("run", "--task", "MiniGrid-KeyCorridorS3R3-v0", *KEY_CORRIDOR.split(), "--out", str(run))
    here, there = (played(run, engine, 100) for engine in ("jaxteach", "farama"))
    assert not far_apart(here, there, 100).any()
    assert here.mean() > 0.95 and there.mean() > 0.95
