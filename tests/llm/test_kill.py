"""Killed at any moment, a run continues to the same table and asks nothing twice."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from jaxteach.llm import log_path

ROOT = Path(__file__).parents[2]


def start(out, journal):
    journal.write_text("")
    progress = journal.with_name("kept")
    progress.write_text("0")
    command = [sys.executable, "-m", "tests.llm.slow_run", str(out), str(journal), str(progress)]
    path = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(command, cwd=ROOT, env=path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def seeds_logged(out):
    data = log_path(out).read_bytes() if log_path(out).exists() else b""
    return [json.loads(line)["seed"] for line in data[: data.rfind(b"\n") + 1].splitlines()[1:]]


def test_sigkill_at_ten_random_points(tmp_path):
    whole, journal = tmp_path / "whole.json", tmp_path / "asked"
    undisturbed = start(whole, journal)
    assert undisturbed.wait(30) == 0, undisturbed.stderr.read()
    undisturbed.stderr.close()
    everything = [int(line) for line in journal.read_text().split()]
    assert len(set(everything)) == len(everything) == 14 * 6

    out, kills, shown = tmp_path / "killed.json", 0, 0
    chance = random.Random(0)
    for kill in range(10):
        known = set(seeds_logged(out))
        run = start(out, journal)
        questions, deadline = chance.randrange(10), time.monotonic() + 20
        while time.monotonic() < deadline:
            if kill < 8 and len(journal.read_text().split()) >= questions:
                break
            if kill >= 8 and (tmp_path / "kept").read_text() == str(len(everything)):
                break  # the last two: all is answered, and now the table is written
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.02))
        run.kill()
        kills += run.wait() < 0
        assert not out.exists() or out.read_bytes() == whole.read_bytes(), "half a table"
        run.stderr.close()
        asked = {int(line) for line in journal.read_text().split()}
        assert not asked & known, "an answer that was in the log has been asked for again"
        # Killed between emptying the file and writing the figure, it is empty: then this round shows nothing.
        reported = int((tmp_path / "kept").read_text() or 0)
        assert len(seeds_logged(out)) >= reported, "an answer has been lost that was said to be kept"
        shown += reported > len(known)
    known = set(seeds_logged(out))
    last = start(out, journal)
    assert last.wait(30) == 0, last.stderr.read()
    last.stderr.close()
    assert {int(line) for line in journal.read_text().split()} == set(everything) - known
    assert kills >= 8, "only the last two may have ended by themselves"
    assert shown, "every run was killed before its first answer"
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(seeds_logged(out)) == sorted(everything)
