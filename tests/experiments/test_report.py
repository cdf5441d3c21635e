"""Tests of the tables in docs/results.md: they say what the committed results say."""

import gzip
import json

import report
from reporting import csv_text

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


def test_the_page_agrees_with_the_results():
    text = report.PAGE.read_text(encoding="utf-8")
    assert report.fill(text, report.RESULTS) == text
    named = {match[2] for match in report.SECTION.finditer(text)}
    figures = {path.stem for path in (report.ROOT / "experiments").glob("fig_*.py")}
    assert named == figures | {f"tune/{path.stem}" for path in (report.RESULTS / "tune").glob("*.json")}


def test_a_table_by_hand(tmp_path):
    (tmp_path / "fig_x").mkdir()
    (tmp_path / "fig_x" / "summary.csv").write_text(csv_text([ROW, ROW | NEVER | {"teacher_success": None}]))
    page = "above\n<!-- table fig_x -->\nold\n<!-- end -->\nbelow\n"
    lines = report.fill(page, tmp_path).splitlines()
    assert lines[0] == "above" and lines[-1] == "below" and "old" not in lines
    assert lines[4] == (
        "| lava_door_key | LLM4Teach | 32 | 0.950 [0.900, 1.000] | 0.570 | 123.5k [100.0k, never] | 75% |"
    )
    assert lines[5].endswith("| - | never | 0% |")
    again = report.fill("\n".join(lines) + "\n", tmp_path)
    assert again.splitlines() == lines


def test_confirmed_crossings_are_named_and_preferred(tmp_path):
    first = {name: value for name, value in ROW.items() if "0.8" in name}
    confirmed = {f"confirmed_{name.removeprefix('reached_')}": value for name, value in first.items()}
    confirmed["confirmed_env_steps_to_0.8"] = 150000.0
    (tmp_path / "fig_x").mkdir()
    (tmp_path / "fig_x" / "summary.csv").write_text(csv_text([{**ROW, **confirmed}]))
    lines = report.fill("<!-- table fig_x -->\n<!-- end -->\n", tmp_path).splitlines()
    assert lines[1].endswith("| confirmed steps to 0.8, median [95 %] | seeds confirmed at 0.8 |")
    assert lines[3].endswith("| 150.0k [100.0k, never] | 75% |")
    rows = [{"task": "t", "run": "r", "success_rate": 1.0, **first, **confirmed}]
    (tmp_path / "rows.gz").write_bytes(gzip.compress(csv_text(rows).encode()))
    assert report.per_seed(tmp_path / "rows.gz")["t", "r"][1].tolist() == [150000.0]


def test_errors_are_told_by_the_number_of_states(tmp_path):
    old = {"task": "t", "run": "systematic 0.3", "seeds": 32, "tables": 16, "share": 0.292}
    ends = ("success_mean", "success_low", "success_high", "teacher_success", "teacher_low", "teacher_high")
    old |= dict.fromkeys((*ends, "above_teacher", "above_0.8"), 0.5)
    states = old | {"run": "states 3", "n_wrong": 3, "n_states": 14}
    noise = old | {"run": "noise 0.9", "n_wrong": None, "n_states": 14, "share": 0.9}
    (tmp_path / "fig_x").mkdir()
    for rows, expected in (([old], ["0.292"]), ([states, noise], ["3 of 14 states", "0.900"])):
        (tmp_path / "fig_x" / "summary.csv").write_text(csv_text(rows))
        lines = report.fill("<!-- table fig_x -->\n<!-- end -->\n", tmp_path).splitlines()[3:-1]
        assert [line.split(" | ")[4] for line in lines] == expected


def test_a_table_without_results_is_empty(tmp_path):
    page = "<!-- table fig_x -->\nold\n<!-- end -->\n"
    assert report.fill(page, tmp_path) == "<!-- table fig_x -->\n<!-- end -->\n"


def test_what_was_tuned(tmp_path):
    (tmp_path / "tune").mkdir()
    best = {"point": "p=1", "values": {"ppo.lr": 0.001}, "score": 0.51234, "default_score": 0.25}
    choice = {"env_steps": {"a": 4096}, "chosen": {"a": best}}
    (tmp_path / "tune/x.json").write_text(json.dumps(choice))
    rows = [("a", "p=0", 1000), ("a", "p=1", 2000), ("a", "p=1", float("inf")), ("b", "p=1", 3000)]
    names = "run", "point", "confirmed_env_steps_to_0.8"
    (tmp_path / "tune/x.csv").write_text(csv_text([dict(zip(names, row, strict=True)) for row in rows]))
    page = "<!-- table tune/x -->\nold\n<!-- end -->\n<!-- table tune/y -->\n<!-- end -->\n"
    head, _, line, *rest = report.fill(page, tmp_path).splitlines()[1:]
    assert head.startswith("| method | env steps a seed | chosen | score | of the defaults |")
    assert line == "| a | 4,096 | ppo.lr 0.001 | 0.512 | 0.250 | 2.0k, never |"
    assert rest == ["<!-- end -->", "<!-- table tune/y -->", "<!-- end -->"]
