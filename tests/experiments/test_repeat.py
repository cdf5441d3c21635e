"""A script run twice, everything trained anew: the same numbers to the byte."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_quick_figure_twice_gives_the_same_files(tmp_path):
    # A copy, for the runs of whoever starts the tests to be left alone.
    shutil.copytree(
        ROOT / "experiments", tmp_path / "experiments", ignore=shutil.ignore_patterns("results", "out")
    )
    (tmp_path / "src").symlink_to(ROOT / "src")
    written = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "experiments/fig_uncertainty.py", "--quick"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert ", 0 there already; " in done.stdout
        out = tmp_path / "experiments/out/quick/fig_uncertainty"
        written.append({path.name: path.read_bytes() for path in out.iterdir() if ".csv" in path.suffixes})
        shutil.rmtree(tmp_path / "runs")
        shutil.rmtree(out)
    assert sorted(written[0]) == ["curves.csv", "per_seed.csv.gz", "summary.csv"]
    assert written[0] == written[1]
