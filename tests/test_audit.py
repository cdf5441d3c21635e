"""The pages say what the committed data give, by a second computation; and that computation can fail."""

import csv
import gzip
import re
import shutil

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, trim_mean

from tests.audit import PAGES, PLACE, audit
from tests.audit_statistics import holm, iqm, p_value
from tests.commands import ROOT


def test_the_pages_hold():
    wrong, _ = audit(ROOT)
    assert not wrong


def test_the_hard_levels_again_on_another_processor():
    """What results.md says of repeated.csv, the summary.csv of a repetition, is so."""
    folder = ROOT / "experiments/results/fig_hard_levels"
    once, again = (
        {
            (row["task"], row["run"]): row
            for row in csv.DictReader((folder / name).read_text(encoding="utf-8").splitlines())
        }
        for name in ("summary.csv", "repeated.csv")
    )
    assert once.keys() == again.keys()
    numbers = {
        run: [float(of[run][f"success_{name}"]) for of in (once, again) for name in ("iqm", "low", "high")]
        for run in once
    }
    overlap = sum(max(low, low_2) <= min(high, high_2) for _, low, high, _, low_2, high_2 in numbers.values())
    inside = sum(low <= iqm_2 <= high for _, low, high, iqm_2, _, _ in numbers.values())
    moved = {run: abs(then - now) for run, (then, _, _, now, _, _) in numbers.items()}
    taught = max((run for run in moved if run[1] == "LLM4Teach"), key=lambda run: moved[run])
    iqm_2, low_2, high_2 = numbers[taught][3:]
    page = " ".join((ROOT / "docs/results.md").read_text(encoding="utf-8").split())
    assert f"All {overlap} intervals of success overlap" in page and overlap == len(once)
    assert f", {inside} of the new IQMs lie in them" in page
    level = taught[0].removeprefix("MiniGrid-").removesuffix("-v1")
    assert (
        f"moved by more than {moved[taught]:.3f} ({level}, {iqm_2:.3f} [{low_2:.3f}, {high_2:.3f}])" in page
    )
    for level, run in sorted(moved, key=lambda run: -moved[run])[:2]:
        then, now = (f"{numbers[level, run][at] + 1e-9:.3f}" for at in (0, 3))
        assert f"{level.removeprefix('MiniGrid-').removesuffix('-v0')} ({then}, then {now})" in page


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Pages and results, to be altered."""
    there = tmp_path_factory.mktemp("copy")
    for name in (*PAGES, "experiments/sentences.txt", "teacher_cache/success.json"):
        (there / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, there / name)
    results = "experiments/results"
    shutil.copytree(ROOT / results, there / results)
    return there


def other_digit(text, place):
    """A text with the digit at a place changed."""
    place %= len(text)
    return f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"


@pytest.mark.parametrize("page", PAGES)
def test_a_changed_digit_of_every_table_is_found(copy, page):
    text = (copy / page).read_text(encoding="utf-8")
    tables = list(re.finditer(r"<!-- table ([\w/]+)[^\n]*-->\n(\|.+?)<!-- end -->", text, re.DOTALL))
    assert tables
    rng = np.random.default_rng(0)
    for _ in range(3):
        changed = text
        for table in tables:
            digits = [m.start() for m in re.finditer(r"(?<=[ .,\[\d])\d", table[2])]
            changed = other_digit(changed, table.start(2) + rng.choice(digits))
        (copy / page).write_text(changed, encoding="utf-8")
        wrong, _ = audit(copy)
        assert {line.split(": ")[1] for line in wrong} >= {table[1] for table in tables}
        assert all(line.startswith(page) for line in wrong)
    (copy / page).write_text(text, encoding="utf-8")


def test_a_changed_digit_of_every_sentence_is_found(copy):
    page = copy / "docs/results.md"
    text = page.read_text(encoding="utf-8")
    lines = (copy / "experiments/sentences.txt").read_text(encoding="utf-8").splitlines()
    own = [line.partition(": ")[2] for line in lines if line.startswith("docs/results.md: ")]
    assert len(own) > 30
    changed = text
    for sentence in own:
        first, *parts = (r"\s+".join(map(re.escape, part.split())) for part in PLACE.split(sentence)[::2])
        # The whole sentence, for how it begins may stand elsewhere too.
        rest = r"[^|]{0,30}?".join(parts)
        match = re.search(rf"{first}\s*(?:<0\.)?(\d)[^|]{{0,25}}?{rest}", text)
        changed = other_digit(changed, match.start(1))
    page.write_text(changed, encoding="utf-8")
    wrong, _ = audit(copy)
    missed = [line for line in wrong if line.startswith("docs/results.md: 0 times, not once: ")]
    assert len(missed) == len(own)
    page.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["summary.csv", "per_seed.csv.gz", "curves.csv"])
def test_any_changed_digit_of_the_data_is_found(copy, name):
    file = copy / "experiments/results/fig_decay" / name
    data = file.read_bytes()
    text = (gzip.decompress(data) if name.endswith("gz") else data).decode()
    row = text.splitlines()[3]
    place = text.index(row) + row.index(".") + 2
    new = other_digit(text, place).encode()
    file.write_bytes(gzip.compress(new) if name.endswith("gz") else new)
    wrong, _ = audit(copy)
    assert f"fig_decay/{name}: not the file that provenance.json names" in wrong
    if name != "curves.csv":
        task, run = row.split(",")[:2]
        assert any(line.startswith(f"fig_decay/summary.csv: {task}, {run}: success") for line in wrong)
    file.write_bytes(data)


def test_the_statistics_by_others():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 9, 32).astype(float), rng.integers(2, 11, 32).astype(float)
    assert iqm(x) == pytest.approx(trim_mean(x, 0.25))
    assert p_value(x, y) == pytest.approx(mannwhitneyu(x, y, method="asymptotic").pvalue)
    assert p_value(x, x) == 1.0 and p_value(np.ones(4), np.ones(4)) == 1.0
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # by hand
