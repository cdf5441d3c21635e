"""Tables listed and compared."""

import dataclasses

import pytest

from jaxteach.llm import compare_tables, describe, list_tables, quality
from jaxteach.tasks.language import Option
from jaxteach.teacher import Plan, PlanTable, save_table
from jaxteach.teacher.success import Success, known_successes, save_successes
from jaxteach.worlds.minigrid.paper import rules
from tests.llm.fakes import SIMPLE

EXPLORE, GO, NONE = Option("explore"), Option("go to", "key"), Option("wait", raw="use <key>")
MADE = {"model": "M", "estimator": "sample", "asks": 4}


def table(name, *plans):
    """A table with the same plans in every state."""
    return PlanTable("simple_door_key", name, SIMPLE.states, (plans,) * 6, MADE)


def test_quality_by_hand():
    # explore is sensible in three of the six states, go to <key> in two.
    q = quality(table("t", Plan((EXPLORE,), 0.5), Plan((GO,), 0.25), Plan((NONE,), 0.25)), rules)
    assert (q.sensible, q.accuracy, q.entropy, q.unparsed) == pytest.approx(
        ((3 * 0.5 + 2 * 0.25) / 6, 3 / 6, 1.5, 0.25)
    )


def test_accuracy_adds_up_plans_with_the_same_first_option():
    plans = Plan((EXPLORE,), 0.4), Plan((GO,), 0.3), Plan((GO, EXPLORE), 0.3)
    assert quality(table("t", *plans), rules).accuracy == pytest.approx(2 / 6)


def test_listing_shows_the_success_of_this_very_table(tmp_path):
    saved = save_table(table("mine", Plan((EXPLORE,), 1.0)), tmp_path / "mine.json")
    save_successes({saved.sha256: Success(0.25, 1000)}, tmp_path)
    known = known_successes(tmp_path)
    assert known == {saved.sha256: Success(0.25, 1000)}
    head, line = list_tables([saved], known, rules).splitlines()
    assert head.split()[:2] == ["table", "model"]
    assert line.split() == ["mine", "M", "sample", "4", "0.00", "0.00", "0.50", "0.50", "0.250"]
    assert list_tables([table("other", Plan((EXPLORE,), 1.0))], known, rules).splitlines()[1].endswith("-")
    assert list_tables([saved], known, rules, markdown=True).splitlines()[1].count("---") == 9


def test_a_corrected_table_says_so_and_no_provenance_reaches_the_terminal_raw():
    flags = {"sampling": {"calibrate": True, "mask_inadmissible": True}}
    corrected = dataclasses.replace(table("c", Plan((EXPLORE,), 1.0)), provenance=MADE | flags)
    assert "  sample, calibrated, masked  " in list_tables([corrected], {}, rules)
    odd = {"model": "\x1b[2J\nm", "estimator": ["x"], "asks": {}, "sampling": 7}
    lines = list_tables([dataclasses.replace(corrected, provenance=odd)], {}, rules)
    assert "?[2J m" in lines
    assert "\x1b" not in lines
    assert len(lines.splitlines()) == 2


def test_comparison_by_hand():
    one = table("one", Plan((EXPLORE,), 0.75), Plan((NONE,), 0.25))
    other = table("other", Plan((EXPLORE, GO), 0.5), Plan((GO,), 0.5))
    text = compare_tables(one, other, SIMPLE.language)
    assert text.count("apart by 0.50") == 6
    assert "0.75  0.50  explore" in text
    assert "0.25  0.00  wait" in text
    assert text.endswith("mean distance 0.50")


def test_the_report_marks_what_makes_sense_and_what_was_not_understood():
    lines = describe(table("t", Plan((EXPLORE,), 0.5), Plan((NONE,), 0.5)), SIMPLE.language).splitlines()
    assert "   0.50 + explore" in lines
    assert "   0.50   explore" in lines
    assert "   0.50 ? use <key>" in lines
    assert any("unparsed 0.50" in line for line in lines)
    assert lines[-3:] == [
        "  0.25 uniform over all options",
        "  0.61 uniform over admissible options",
        "  0.50 always explore",
    ]
