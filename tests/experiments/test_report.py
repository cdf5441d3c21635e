"""Tests of the tables in docs/results.md: they say what the committed results say."""

import gzip
import json
from types import SimpleNamespace

import comparisons
import numpy as np
import pytest
import report
from reporting import Result, csv_text

from jaxteach.config import Config
from jaxteach.teacher import success
from jaxteach.utils.errors import UserError

ROW = {
    "task": "lava_door_key",
    "run": "LLM4Teach",
    "seeds": 32,
    "success_iqm": 0.95,
    "success_low": 0.9,
    "success_high": 1.0,
    "teacher_success": 0.57,
    "env_steps_to_0.8": 123456.0,
    "env_steps_to_0.8_low": 100000.0,
    "env_steps_to_0.8_high": float("inf"),
    "reached_0.8": 0.75,
}
NEVER = {f"env_steps_to_0.8{end}": float("inf") for end in ("", "_low", "_high")} | {"reached_0.8": 0.0}


def test_the_pages_agree_with_the_results():
    named = set()
    for page in report.PAGES:
        text = (report.ROOT / page).read_text(encoding="utf-8")
        assert report.fill(text, page) == text
        named |= {match[2] for match in report.SECTION.finditer(text)}
    figures = {path.stem for path in (report.ROOT / "experiments").glob("fig_*.py")}
    assert named == figures | {f"tune/{path.stem}" for path in (report.RESULTS / "tune").glob("*.json")}


@pytest.fixture
def fill(tmp_path):
    """Writes a page anew from results in a folder of their own."""
    (tmp_path / "fig_x").mkdir()
    (tmp_path / "sentences").write_text("")
    return lambda text: report.fill(text, "page", tmp_path, tmp_path / "sentences")


def test_a_table_by_hand(tmp_path, fill):
    (tmp_path / "fig_x" / "summary.csv").write_text(csv_text([ROW, ROW | NEVER | {"teacher_success": None}]))
    page = "above\n<!-- table fig_x -->\nold\n<!-- end -->\nbelow\n"
    lines = fill(page).splitlines()
    assert lines[0] == "above" and lines[-1] == "below" and "old" not in lines
    assert lines[4] == (
        "| lava_door_key | LLM4Teach | 32 | 0.950 [0.900, 1.000] | 0.570 | 123.5k [100.0k, never] | 75% |"
    )
    assert lines[5].endswith("| - | never | 0% |")
    again = fill("\n".join(lines) + "\n")
    assert again.splitlines() == lines


def test_confirmed_crossings_are_named_and_preferred(tmp_path, fill):
    first = {name: value for name, value in ROW.items() if "0.8" in name}
    confirmed = {f"confirmed_{name.removeprefix('reached_')}": value for name, value in first.items()}
    confirmed["confirmed_env_steps_to_0.8"] = 150000.0
    (tmp_path / "fig_x" / "summary.csv").write_text(csv_text([{**ROW, **confirmed}]))
    lines = fill("<!-- table fig_x -->\n<!-- end -->\n").splitlines()
    assert lines[1].endswith("| confirmed steps to 0.8, median [95 %] | seeds confirmed at 0.8 |")
    assert lines[3].endswith("| 150.0k [100.0k, never] | 75% |")
    rows = [{"task": "t", "run": "r", "success_rate": 1.0, **first, **confirmed}]
    (tmp_path / "rows.gz").write_bytes(gzip.compress(csv_text(rows).encode()))
    assert comparisons.per_seed(tmp_path / "rows.gz")["t", "r"][1].tolist() == [150000.0]


def test_errors_are_told_by_the_number_of_states(tmp_path, fill):
    old = {"task": "t", "run": "systematic 0.3", "seeds": 32, "tables": 2, "share": 0.292}
    ends = ("success_mean", "success_low", "success_high", "teacher_success", "teacher_low", "teacher_high")
    old |= dict.fromkeys((*ends, "above_teacher", "above_0.8"), 0.5)
    states = old | {"run": "states 3", "n_wrong": 3, "n_states": 14}
    noise = old | {"run": "noise 0.9", "n_wrong": None, "n_states": 14, "share": 0.9}
    # Without errors the seeds end at 0.9, with two wrong tables of two seeds each at 0 and 1 on average.
    rates = {"none 0": (0.9,) * 4, "noise 0.9": (0.9,) * 4}
    rates |= {f"{run}/{i}": (i, i) for run in ("systematic 0.3", "states 3") for i in range(2)}
    seeds = [
        {"task": "t", "run": run, "seed": i, "success_rate": rate, "env_steps_to_0.8": 1.0}
        for run, own in rates.items()
        for i, rate in enumerate(own)
    ]
    (tmp_path / "fig_x" / "per_seed.csv.gz").write_bytes(gzip.compress(csv_text(seeds).encode()))
    for rows, expected in (([old], ["0.292"]), ([states, noise], ["3 of 14 states", "0.900"])):
        (tmp_path / "fig_x" / "summary.csv").write_text(csv_text(rows))
        lines = fill("<!-- table fig_x -->\n<!-- end -->\n").splitlines()[3:-1]
        assert [line.split(" | ")[4] for line in lines] == expected
        assert all(line.endswith(" | 1.000 |") for line in lines)


def test_numbers_of_sentences_are_written(tmp_path, fill):
    (tmp_path / "fig_x" / "summary.csv").write_text(csv_text([ROW]))
    (tmp_path / "sentences").write_text(
        "page: It reaches {x|lava_door_key|LLM4Teach|success} "
        "and {x|lava_door_key|LLM4Teach|steps:alone} steps.\n"
        "other page: {nothing}\n"
    )
    page = "It reaches\n0.1 [0.0, 0.2] and 7k\nsteps."
    assert fill(page) == "It reaches\n0.950 [0.900, 1.000] and 123.5k\nsteps."
    for wrong, why in (("It got to 0.1.", "0 times in the page"), (f"{page} {page}", "2 times in the page")):
        with pytest.raises(UserError, match=why):
            fill(wrong)
    (tmp_path / "sentences").write_text("page: It reaches {x|lava_door_key|RL only|success} and\n")
    with pytest.raises(UserError, match="the results have no"):
        fill(page)
    (tmp_path / "sentences").write_text("page: {x|lava_door_key|LLM4Teach|success} and\n")
    with pytest.raises(UserError, match="has to begin with a word"):
        fill(page)


def test_holm_and_ranks_by_hand():
    assert comparisons.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06}
    )
    never = np.full(8, np.inf)
    assert comparisons.rank_test(never, never) == 1.0
    assert comparisons.rank_test(never, np.arange(8.0)) < 0.001


def test_a_table_without_results_is_empty(fill):
    page = "<!-- table fig_x -->\nold\n<!-- end -->\n"
    assert fill(page) == "<!-- table fig_x -->\n<!-- end -->\n"


def test_what_was_tuned(tmp_path, fill):
    (tmp_path / "tune").mkdir()
    best = {"point": "p=1", "values": {"ppo.lr": 0.001}, "score": 0.51234, "default_score": 0.25}
    choice = {"env_steps": {"a": 4096}, "chosen": {"a": best}}
    (tmp_path / "tune/x.json").write_text(json.dumps(choice))
    rows = [("a", "p=0", 1000), ("a", "p=1", 2000), ("a", "p=1", float("inf")), ("b", "p=1", 3000)]
    names = "run", "point", "confirmed_env_steps_to_0.8"
    (tmp_path / "tune/x.csv").write_text(csv_text([dict(zip(names, row, strict=True)) for row in rows]))
    page = "<!-- table tune/x -->\nold\n<!-- end -->\n<!-- table tune/y -->\n<!-- end -->\n"
    head, _, line, *rest = fill(page).splitlines()[1:]
    assert head.startswith("| method | env steps a seed | chosen | score | of the defaults |")
    assert line == "| a | 4,096 | ppo.lr 0.001 | 0.512 | 0.250 | 2.0k, never |"
    assert rest == ["<!-- end -->", "<!-- table tune/y -->", "<!-- end -->"]


@pytest.mark.parametrize(("sha256", "rate"), [("known", 0.5), ("other", 0.25)])
def test_a_teacher_alone_has_the_shipped_number_where_it_is_that_teacher(monkeypatch, sha256, rate):
    monkeypatch.setattr(success, "_shipped", lambda: {"known": success.Success(0.5, 4000)})
    run = SimpleNamespace(summary={"teacher": {"sha256": sha256}}, teacher_success_rate=0.25)
    assert Result("x", Config(task="lava_door_key"), run).teacher_success == rate
