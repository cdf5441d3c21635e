"""Tests of what a person sees of a run: a bar on a terminal that can draw one, else a few lines."""

import os
import pty
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from jaxteach.cli import progress

SHOW = """
import time
from types import SimpleNamespace
from jaxteach.cli.progress import Bar
with Bar("8 seeds") as bar:
    bar.begin("compiling for 1 cpu device")
    for update in range(1, 200):
        bar.segment(SimpleNamespace(
            point={"success": 0.5, "env_steps_per_second": 80.0}, seconds=0.1 * update, chunk=1, n_chunks=3,
            updates=200 + update,
            all_updates=600, share=(200 + update) / 600,
        ))
    time.sleep(0.5)  # longer than between two frames
    bar.evaluation(1, 3, 8)
"""
LINES = [
    "compiling for 1 cpu device ...",
    " 34%  chunk 2/3  update 201/600  80 env steps/s  success 0.500  0 s left",
    "evaluating chunk 2/3, 8 students ...",
]


def shown(on_terminal: bool, code: str = SHOW, **variables: str) -> str:
    """What the bar shows in a separate process."""
    environment = {k: v for k, v in os.environ.items() if k not in ("TERM", "FORCE_COLOR", "NO_COLOR")}
    command = [sys.executable, "-c", code]
    if not on_terminal:
        return subprocess.run(
            command, env=environment | variables, capture_output=True, text=True, check=True
        ).stdout
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=environment | variables, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 4096):
                seen += part
        except OSError:  # the other side has closed
            pass
        assert process.wait() == 0
    os.close(ours)
    return seen.decode()


@pytest.mark.parametrize(
    ("on_terminal", "variables"),
    [
        (False, {"TERM": "xterm"}),
        (False, {"TERM": "xterm", "FORCE_COLOR": "1"}),
        (False, {"TERM": "xterm", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"}),
        (True, {"TERM": "dumb"}),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}),
        (True, {"TERM": "unknown"}),
    ],
)
def test_lines_where_no_bar_can_be_drawn(on_terminal, variables):
    assert shown(on_terminal, **variables).splitlines() == LINES


def test_a_bar_on_a_terminal():
    seen = shown(True, TERM="xterm", COLUMNS="80")
    assert "\x1b[?25l" in seen  # the cursor is hidden
    assert "compiling for 1 cpu device" in seen
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    assert re.search(r"chunk 2/3 .* 66% update 399/600  80 env steps/s  success 0\.500 0:00:\d\d", plain)
    assert "evaluating chunk 2/3, 8 students" in seen
    assert "..." not in seen


def test_of_whole_episodes_the_number_of_updates_is_not_known_ahead(capsys):
    standing = SimpleNamespace(
        point={"env_steps_per_second": 10.0},
        seconds=1.0,
        chunk=0,
        n_chunks=1,
        updates=7,
        all_updates=None,
        share=0.5,
    )
    with progress.Bar("1 seed") as bar:
        bar.segment(standing)
    assert capsys.readouterr().out == " 50%  chunk 1/1  update 7  10 env steps/s  success -  1 s left\n"


def test_lines_come_from_time_to_time(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    point = {"success": 0.5, "env_steps_per_second": 10.0}
    standing = SimpleNamespace(
        point=point, seconds=1.0, chunk=0, n_chunks=1, updates=7, all_updates=9, share=0.5
    )
    with progress.Bar("1 seed") as bar:
        for second in range(60):
            now[0] = float(second)
            bar.segment(standing)
            bar.evaluation(0, 1, 8)
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "evaluating" in line]) <= 12
    assert 12 <= len(lines) <= 24


def test_answers_are_counted_in_tenths(capsys):
    with progress.answer_bar() as tell:
        for done in range(1, 41):
            tell(done, 40)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1/40 answers" and lines[1:] == [f"{done}/40 answers" for done in range(4, 41, 4)]


def test_answers_are_counted_by_a_bar_on_a_terminal():
    code = "from jaxteach.cli.progress import answer_bar\nwith answer_bar() as tell: tell(7, 40)\n"
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(True, code, TERM="xterm", COLUMNS="80"))
    assert "7/40 answers" in seen and seen.endswith("\n")
